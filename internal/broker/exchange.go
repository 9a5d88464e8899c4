package broker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/smile-operator/smile-operator/internal/appapi"
	"github.com/smile-operator/smile-operator/internal/broker/wink"
)

// exchangePath is the path of exchanges that other replicas forward to the leader. Only they can reach it: see Server.Internal.
const exchangePath = "/internal/wink/open"

// Exchanges opens links to the hosted page in any replica: in the leader itself, or by passing the exchange on to it. Like the
// page, it requires no credential other than the code, or the name of the tab.
type Exchanges struct {
	Links     *Links
	Forwarder *Forwarder
}

// Exchange implements wink.Exchange. Codes that are forged or have expired are refused in each replica, so that anybody on the
// internet can send them without the leader having work.
func (e *Exchanges) Exchange(ctx context.Context, request wink.Request) wink.Answer {
	if e.Links.People.Fence() == nil {
		return e.Links.Open(ctx, request)
	}
	if request.Code != "" {
		_, err := e.Links.Codes.Verify(request.Code, request.Namespace, request.Widget)
		if errors.Is(err, wink.ErrInvalid) || errors.Is(err, wink.ErrExpired) {
			return wink.Refused(wink.ReasonOf(err))
		}
	}
	leader, ok := e.Forwarder.Board.Leader()
	if !ok {
		return wink.Refused(wink.ReasonLater)
	}
	body, err := json.Marshal(request)
	if err != nil {
		return wink.Refused(wink.ReasonInvalid)
	}
	answer, err := e.Forwarder.forward(ctx, leader, func(ctx context.Context) (*http.Request, error) {
		outgoing, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+leader.Address+exchangePath, bytes.NewReader(body))
		if err == nil {
			outgoing.Header.Set(appapi.HeaderRelayed, "1")
		}
		return outgoing, err
	})
	if err != nil {
		return wink.Refused(wink.ReasonLater)
	}
	return wink.Answer{Status: answer.Status, Body: answer.Body, Outcome: "relayed"}
}

// ServeHTTP handles an exchange that another replica has forwarded. It is not forwarded again.
func (e *Exchanges) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var request wink.Request
	answer := wink.Refused(wink.ReasonInvalid)
	if r.Method == http.MethodPost && r.URL.Path == exchangePath &&
		json.NewDecoder(http.MaxBytesReader(nil, r.Body, appapi.MaxBody)).Decode(&request) == nil && wink.Valid(request) {
		answer = wink.Refused(wink.ReasonLater)
		if e.Links.People.Fence() == nil {
			answer = e.Links.Open(r.Context(), request)
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	answer.Write(w)
}
