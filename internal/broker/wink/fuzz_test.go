package wink_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/smile-operator/smile-operator/internal/broker/wink"
)

// FuzzExchanges sends any body to the page in place of what its script sends. An exchange is made exactly if the body is an
// object with the name of a tab and, perhaps, a code; and it is for the page of the path. Anything else is refused as invalid.
func FuzzExchanges(f *testing.F) {
	tab := tabOf(1)
	for _, seed := range []string{
		`{"code":"c","tab":"` + tab + `"}`, `{"tab":"` + tab + `"}`, `{"tab":"` + tab + `","namespace":"bank","widget":"x"}`,
		`{"code":null,"tab":"` + tab + `"}`, `{"code":7,"tab":"` + tab + `"}`, `{"Code":"c","TAB":"` + tab + `"}`,
		`{"tab":"` + tab + `="}`, `{"tab":"` + tab + `"}{}`, `["` + tab + `"]`, `{"t\u0061b":"` + tab + `"}`, `null`, ``, `{"code":"` + "\xff" + `"}`,
	} {
		f.Add(seed)
	}
	name := regexp.MustCompile(`^[-_0-9A-Za-z]{43}$`)
	s := newSite(f, nil)
	f.Fuzz(func(t *testing.T, body string) {
		s.asked = nil
		w := s.do(t, http.MethodPost, "/wink/shop/wink/open", body, "Content-Type", "application/json")
		code, tab, ok := textsOf(body)
		if !ok || !name.MatchString(tab) || len(code) > 1024 || len(body) > 4<<10 {
			if w.Code != http.StatusBadRequest || w.Body.String() != `{"reason":"invalid"}`+"\n" || len(s.asked) > 0 {
				t.Fatalf("%q: %d %s, exchanged %q", body, w.Code, w.Body, s.asked)
			}
			return
		}
		want := []wink.Request{{Namespace: "shop", Widget: "wink", Code: code, Tab: tab}}
		if diff := cmp.Diff(want, s.asked); diff != "" || w.Code != http.StatusOK {
			t.Fatalf("%q: %d\n%s", body, w.Code, diff)
		}
	})
}

// textsOf reads an object token by token: the last of equal fields counts, in whatever case, and null changes nothing.
func textsOf(body string) (code, tab string, ok bool) {
	if !json.Valid([]byte(body)) || !strings.HasPrefix(strings.TrimLeft(body, " \t\r\n"), "{") {
		return "", "", strings.TrimSpace(body) == "null"
	}
	decoder := json.NewDecoder(strings.NewReader(body))
	_, _ = decoder.Token()
	for decoder.More() {
		key, _ := decoder.Token()
		var value any
		if err := decoder.Decode(&value); err != nil {
			return "", "", false
		}
		into := map[bool]*string{strings.EqualFold(key.(string), "code"): &code, strings.EqualFold(key.(string), "tab"): &tab}[true]
		text, isText := value.(string)
		switch {
		case into == nil || value == nil:
		case !isText:
			return "", "", false
		default:
			*into = text
		}
	}
	return code, tab, true
}
