package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/smile-operator/smile-operator/internal/controlplane"
)

// backendTimeout limits a call of the application API.
const backendTimeout = 12 * time.Second

// serveApplications returns the flags with which the operator serves the application API and the hosted page.
func (d *demo) serveApplications(ctx context.Context) ([]string, error) {
	api, err := controlplane.FreeAddress(ctx)
	if err != nil {
		return nil, err
	}
	page, err := controlplane.FreeAddress(ctx)
	if err != nil {
		return nil, err
	}
	d.api = "http://" + api
	return []string{
		"--application-api-bind-address=" + api,
		"--wink-bind-address=" + page,
		"--wink-base-url=http://" + page,
	}, nil
}

// employBackend makes the ServiceAccount of a backend, gives it the right to ask for link tokens, and gets a token for it, as
// Kubernetes mounts one into the backend's pod.
func (d *demo) employBackend(ctx context.Context) error {
	for _, args := range [][]string{
		{"apply", "--server-side", "-f", "config/application-api/link_token_minter.yaml"},
		{"create", "serviceaccount", "backend"},
		{"create", "rolebinding", "backend", "--clusterrole=smile-operator-link-token-minter", "--serviceaccount=default:backend"},
	} {
		if err := d.do(ctx, args...); err != nil {
			return err
		}
	}
	token, err := d.kubectl(ctx, "create", "token", "backend", "--audience=smile-operator")
	d.bearer = strings.TrimSpace(token)
	return err
}

// askForToken gets a link token of George through the application API.
func (d *demo) askForToken(ctx context.Context) error {
	if err := d.employBackend(ctx); err != nil {
		return err
	}
	var answer struct {
		Mode, ScriptURL, AccessToken string
		ExpiresAt                    time.Time
	}
	if err := d.ask(ctx, "token?widget=wink", "", &answer); err != nil {
		return err
	}
	if answer.AccessToken == "" {
		return fmt.Errorf("the response has no token")
	}
	d.note(fmt.Sprintf("a token of mode %s, valid until %s", answer.Mode, answer.ExpiresAt.Format(time.RFC3339)),
		"for the widget at "+answer.ScriptURL)
	return nil
}

// askForLink gets a link to the hosted page for George.
func (d *demo) askForLink(ctx context.Context) (string, error) {
	var answer struct{ URL string }
	err := d.ask(ctx, "link", `{"widget":"wink"}`, &answer)
	return answer.URL, err
}

// ask calls the application API as the backend does.
func (d *demo) ask(ctx context.Context, call, body string, answer any) error {
	path := "/v1/namespaces/default/smileusers/george/" + call
	d.note("POST " + path + " " + body)
	ctx, cancel := context.WithTimeout(ctx, backendTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, d.api+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+d.bearer)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	return send(request, http.StatusCreated, "the application API", answer)
}
