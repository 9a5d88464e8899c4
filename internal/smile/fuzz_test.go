package smile_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/smile-operator/smile-operator/internal/smile"
)

// FuzzAnswer feeds bodies to a call that creates something: a success has an id, and a failure is of a documented type.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"code":"OK","data":{"user":` + userJSON + `,"token":` + tokenJSON + `}}`,
		goldenUser, `{"data":{"user":{"id":"../x"}}}`, `{"data":{"user":null}}`, `<html>`, ``, `{"data":`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		created, err := clientOf(answering(typed(201, "application/json", string(body)))).CreateUser(t.Context(), nil)
		var unusable *smile.ResponseError
		switch {
		case err == nil && created.User.ID == "":
			t.Errorf("%q made a user without an id", body)
		case err == nil && strings.ContainsAny(created.User.ID, "/.?#% \\"):
			t.Errorf("%q made a user with the id %q", body, created.User.ID)
		case err != nil && (!errors.As(err, &unusable) || smile.NotCreated(err)):
			t.Errorf("%q: %v", body, err)
		}
	})
}

// FuzzRefusal feeds bodies to the reader of errors.
func FuzzRefusal(f *testing.F) {
	f.Add(400, []byte(`{"code":"INVALID_CREDENTIALS","message":"m","requestId":"r-1"}`))
	f.Add(404, []byte(`{"code":7}`))
	f.Add(503, []byte(`<html>`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 400 || status > 999 {
			t.Skip()
		}
		err := createUser(t, clientOf(answering(typed(status, "text/html", string(body)))))
		var refused *smile.APIError
		if !errors.As(err, &refused) || refused.StatusCode != status {
			t.Fatalf("%d %q: %v", status, body, err)
		}
		if strings.Trim(refused.RequestID, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "" || len(refused.RequestID) > 64 {
			t.Errorf("request id %q", refused.RequestID)
		}
		if strings.ContainsFunc(string(refused.Code), func(r rune) bool { return r > 'z' || r < '0' }) || len(refused.Code) > 64 {
			t.Errorf("code %q", refused.Code)
		}
	})
}

// FuzzRetryAfter feeds header values.
func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"7", "-1", "1e9", "99999999999999999999", "Sun, 01 Mar 2026 12:00:09 GMT", " 0x10 "} {
		f.Add(seed, "")
	}
	f.Add("Sun, 01 Mar 9999 12:00:09 GMT", "Sun, 01 Mar 0001 12:00:09 GMT")
	f.Fuzz(func(t *testing.T, value, date string) {
		header := http.Header{"Retry-After": {value}, "Date": {date}}
		if got := smile.RetryAfter(header, time.Now()); got < 0 || got > 10*time.Minute {
			t.Errorf("%q, %q: %v", value, date, got)
		}
	})
}

// FuzzPayload feeds payloads: each item that is returned is a JSON object found in
// the body, byte for byte.
func FuzzPayload(f *testing.F) {
	for _, seed := range []string{
		`{"incomes":[{"id":"1","x":1.10}]}`, `{"incomes":{"nextCursor":"2","items":[{"id":"1"}]}}`,
		`{"identity":{"id":"i"},"metadata":{"sourceId":"a-1"}}`, `{"insight":null}`, `{"links":[[]]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		payload, err := clientOf(answering(typed(200, "application/json", `{"data":`+string(body)+`}`))).AccountPayload(t.Context(), "a-1")
		if err != nil {
			return
		}
		for point, items := range payload.Items {
			for _, item := range items {
				content := item.Content.Reveal()
				if !json.Valid(content) || content[0] != '{' || !strings.Contains(string(body), string(content)) {
					t.Errorf("%s: item %q of %q", point, content, body)
				}
			}
		}
	})
}
