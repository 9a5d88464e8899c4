package smile_test

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

const canary = "CNRY.leaked text\u20ac/"

// exposed are the fields whose values a caller is meant to see: ids, metadata that
// the tenant itself wrote, a provider's name, days.
var exposed = regexp.MustCompile(`"(id|userId|providerId|sourceId|createdAt|expiresAt|startedAt|name)":$`)

var values = regexp.MustCompile(`("[A-Za-z]+":)("[^"]*")`)

// poisoned replaces all other values in a valid response by the canary, and adds fields that contain it.
func poisoned(answer string) string {
	spoiled := values.ReplaceAllStringFunc(answer, func(pair string) string {
		parts := values.FindStringSubmatch(pair)
		if exposed.MatchString(parts[1]) {
			return pair
		}
		return parts[1] + fmt.Sprintf("%q", canary)
	})
	return strings.Replace(spoiled, `"id":`, `"loginName":"`+canary+`","downloadUrl":"`+canary+`","id":`, 1)
}

func leaks(t *testing.T, what string, v any) {
	t.Helper()
	for printer, show := range printers() {
		if strings.Contains(show(v), "CNRY") {
			t.Errorf("%s printed by %s shows the canary: %s", what, printer, show(v))
		}
	}
}

// TestResultsDoNotLeak prints everything that the client returns for responses with a secret in every field that must not be
// shown.
func TestResultsDoNotLeak(t *testing.T) {
	for _, test := range operations {
		t.Run(test.name, func(t *testing.T) {
			result, err := test.call(t, clientOf(scripted(t, poisoned(test.answer))))
			if err != nil {
				t.Fatalf("%s: %v", poisoned(test.answer), err)
			}
			leaks(t, "the result", result)
		})
	}
}

// TestErrorsDoNotLeak prints every error that a hostile response can cause.
func TestErrorsDoNotLeak(t *testing.T) {
	answers := map[string]func() (*http.Response, error){
		"transport": func() (*http.Response, error) { return nil, errors.New(canary) },
		"body":      func() (*http.Response, error) { return breaking("{", errors.New(canary))(), nil },
		"HTML":      func() (*http.Response, error) { return typed(200, "text/html", canary)(), nil },
		"type":      func() (*http.Response, error) { return typed(200, canary, goldenUser)(), nil },
		"not JSON":  func() (*http.Response, error) { return typed(200, "application/json", canary)(), nil },
	}
	quoted := fmt.Sprintf("%q", canary)
	for _, body := range []string{
		quoted, `[` + quoted + `]`, `{` + quoted + `:` + quoted + `}`, `{"data":` + quoted + `}`,
		`{"data":{"id":` + quoted + `}}`, `{"data":{"id":["CNRY"]}}`, `{"data":{"user":{"id":` + quoted + `}}}`,
		`{"data":{"nextCursor":` + quoted + `,"items":[` + quoted + `]}}`, `{"data":{"id":"CNRY-other"}}`,
		`{"data":{"accessToken":{"CNRY":1}}}`, `{"data":{"id":"a-1","CNRY":1,"CNRY":2}}`,
		`{"data":{"incomes":` + quoted + `,"metadata":{"sourceId":` + quoted + `}}}`,
	} {
		answers[body] = func() (*http.Response, error) { return typed(200, "application/json", body)(), nil }
	}
	for _, status := range []int{302, 400, 401, 403, 404, 429, 500, 503} {
		for _, body := range []string{canary, `{"code":` + quoted + `,"message":` + quoted + `,"requestId":` + quoted + `,"data":{"x":` + quoted + `}}`} {
			answers[fmt.Sprint(status, body)] = func() (*http.Response, error) {
				response := typed(status, canary, body)()
				response.Status = canary
				for _, name := range []string{"Location", "Retry-After", "Date", "Www-Authenticate"} {
					response.Header.Set(name, canary)
				}
				return response, nil
			}
		}
	}
	for name, answer := range answers {
		for _, test := range operations {
			_, err := test.call(t, clientOf(always(answer)))
			leaks(t, test.name+" "+name, err)
			for ; err != nil; err = errors.Unwrap(err) {
				leaks(t, test.name+" "+name+", unwrapped", err)
			}
		}
	}
}
