package wink_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/smile-operator/smile-operator/internal/broker/wink"
	"github.com/smile-operator/smile-operator/internal/identity"
)

var noon = time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)

func at(now *time.Time) func() time.Time { return func() time.Time { return *now } }

func keyOf(t testing.TB, fill byte) identity.Key {
	t.Helper()
	key, err := identity.ParseKey(bytes.Repeat([]byte{fill}, identity.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestACodeIsForOnePageUntilItExpires(t *testing.T) {
	t.Parallel()
	now := noon
	codes := wink.NewCodes(keyOf(t, 1), at(&now))
	code, issued, err := codes.Issue("shop", "wink", "uid-1", 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := codes.Verify(code, "shop", "wink"); err != nil || got.User != "uid-1" || got.ID != issued.ID || !got.ExpiresAt.Equal(noon.Add(10*time.Minute)) {
		t.Errorf("%+v, %v", got, err)
	}
	other, _, _ := codes.Issue("shop", "wink", "uid-1", 10*time.Minute)
	if other == code {
		t.Error("two links have the same code")
	}
	_, claims, _ := strings.Cut(code, ".")
	text, _ := base64.RawURLEncoding.DecodeString(strings.Split(claims, ".")[0])
	if strings.Contains(string(text), "george") || len(code) > 400 {
		t.Errorf("the code says %s", text)
	}
	for name, c := range map[string]struct {
		codes             *wink.Codes
		code, page, after string
		want              error
	}{
		"another widget":    {codes, code, "shop/other", "0s", wink.ErrInvalid},
		"another namespace": {codes, code, "bank/wink", "0s", wink.ErrInvalid},
		"another process":   {wink.NewCodes(keyOf(t, 1), at(&now)), code, "shop/wink", "0s", wink.ErrSuperseded},
		"another key":       {wink.NewCodes(keyOf(t, 2), at(&now)), code, "shop/wink", "0s", wink.ErrInvalid},
		"in time":           {codes, code, "shop/wink", "9m59s", nil},
		"too late":          {codes, code, "shop/wink", "10m1s", wink.ErrExpired},
		"too late, elsewhere": {
			codes, code, "shop/other", "10m1s", wink.ErrInvalid,
		},
		"no signature": {codes, unsigned(code), "shop/wink", "0s", wink.ErrInvalid},
		"nothing":      {codes, "", "shop/wink", "0s", wink.ErrInvalid},
		"too long":     {codes, code + strings.Repeat("A", 2000), "shop/wink", "0s", wink.ErrInvalid},
	} {
		later, _ := time.ParseDuration(c.after)
		now = noon.Add(later)
		namespace, widget, _ := strings.Cut(c.page, "/")
		if _, err := c.codes.Verify(c.code, namespace, widget); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// unsigned is a code that says that it needs no signature.
func unsigned(code string) string {
	parts := strings.Split(code, ".")
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + parts[1] + "."
}

// FuzzCodes compares Verify with an independent check: a code is accepted only if its last part is the MAC of
// the rest under the key, and what it says is for this page, in time, and from this process.
func FuzzCodes(f *testing.F) {
	now := noon
	key := keyOf(f, 1)
	codes := wink.NewCodes(key, at(&now))
	code, link, err := codes.Issue("shop", "wink", "uid-1", 10*time.Minute)
	if err != nil {
		f.Fatal(err)
	}
	former, _, _ := wink.NewCodes(key, at(&now)).Issue("shop", "wink", "uid-1", time.Hour)
	elsewhere, _, _ := codes.Issue("shop", "other", "uid-1", time.Hour)
	issuer := claimsOf(code).Issuer
	for _, seed := range []string{code, former, elsewhere, unsigned(code), code + "=", code[:len(code)-1], "..", "", signed(key, `{}`)} {
		f.Add(seed, false)
	}
	// A signature of our own over whatever the fuzzer makes: then only the claims decide.
	f.Add(`{"iss":"`+issuer+`","sub":"uid-1","aud":["shop/wink"],"exp":1774958400,"jti":"x"}`, true)
	f.Add(`{"iss":"`+issuer+`","sub":"uid-1","aud":"shop/wink","jti":"x"}`, true)
	f.Add(`{"exp":1e300}`, true)
	f.Fuzz(func(t *testing.T, text string, sign bool) {
		if sign {
			text = signed(key, text)
		}
		got, err := codes.Verify(text, "shop", "wink")
		if accepted, want := err == nil, acceptable(key, issuer, text); accepted && !want {
			t.Fatalf("accepted %q as %+v", text, got)
		}
		if text == code && (err != nil || got.ID != link.ID) {
			t.Fatalf("the code that was issued: %+v, %v", got, err)
		}
		if err == nil && (got.ID == "" || got.User == "" || got.ExpiresAt.Before(now)) {
			t.Fatalf("accepted %q as %+v", text, got)
		}
	})
}

func signed(key identity.Key, claims string) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." +
		base64.RawURLEncoding.EncodeToString([]byte(claims))
	mac := hmac.New(sha256.New, key.LinkCodes())
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

type claims struct {
	Issuer   string          `json:"iss"`
	Audience json.RawMessage `json:"aud"`
	Expiry   float64         `json:"exp"`
}

func claimsOf(code string) (said claims) {
	parts := strings.Split(code, ".")
	if len(parts) != 3 {
		return said
	}
	text, _ := base64.RawURLEncoding.DecodeString(parts[1])
	_ = json.Unmarshal(text, &said)
	return said
}

func acceptable(key identity.Key, issuer, code string) bool {
	parts := strings.Split(code, ".")
	if len(parts) != 3 {
		return false
	}
	mac := hmac.New(sha256.New, key.LinkCodes())
	mac.Write([]byte(parts[0] + "." + parts[1]))
	given, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !hmac.Equal(given, mac.Sum(nil)) {
		return false
	}
	said := claimsOf(code)
	return said.Issuer == issuer && bytes.Contains(said.Audience, []byte("shop/wink")) && said.Expiry >= float64(noon.Unix())
}
