package e2e

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// plants hide a secret behind a number of other bytes, in every form in which a secret might leak.
var plants = map[string]func(text string) string{
	"plain":     func(text string) string { return text },
	"JSON":      func(text string) string { quoted, _ := json.Marshal(text); return string(quoted) },
	"URL query": url.QueryEscape,
	"URL path":  url.PathEscape,
	"hex":       func(text string) string { return hex.EncodeToString([]byte(text)) },
	"HEX":       func(text string) string { return strings.ToUpper(hex.EncodeToString([]byte(text))) },
	"base64":    func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) },
	"base64url": func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) },
}

func TestSearchFindsASecretInEveryForm(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"CanaryInTheMine", "p/ss w+rd=<&>?", "twelve bytes"} {
		for name, plant := range plants {
			for before := range 7 {
				for after := range 7 {
					text := plant(strings.Repeat("x", before) + secret + strings.Repeat("y", after))
					if len(Search([]byte("log: "+text+"."), secret)) == 0 {
						t.Errorf("%q as %s behind %d bytes and before %d is not found in %s", secret, name, before, after, text)
					}
				}
			}
		}
	}
}

func TestSearchFindsNothingElse(t *testing.T) {
	t.Parallel()
	const secret = "CanaryInTheMine"
	for name, plant := range plants {
		text := plant("a canary in a mine: canaryinthemine, CanaryInTheMin")
		if leaks := Search([]byte(text), secret); len(leaks) > 0 {
			t.Errorf("%s: %v", name, leaks)
		}
	}
}

func TestSearchTellsWhereItFoundWhat(t *testing.T) {
	t.Parallel()
	leaks := Search([]byte(strings.Repeat("-", 300)+"password=CanaryInTheMine;"), "CanaryInTheMine")
	got := fmt.Sprint(leaks)
	if !strings.Contains(got, "password=CanaryInTheMine;") || len(got) > 1000 {
		t.Errorf("got %s", got)
	}
}
