package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
)

// Leak is a place where a secret was found.
type Leak struct {
	// Form that the secret has there.
	Form string
	// Around is the text around it.
	Around string
}

// Search looks for a secret in a text: as it is, escaped for JSON and URLs, in hexadecimal, and in both alphabets of
// base64 however the secret is aligned in what was encoded. It reports each form once. The secret should be long
// enough not to be found by chance: 8 bytes at least.
func Search(text []byte, secret string) []Leak {
	var leaks []Leak
	for _, f := range forms(secret) {
		if at := bytes.Index(text, []byte(f.text)); at >= 0 {
			from, to := max(0, at-80), min(len(text), at+len(f.text)+40)
			leaks = append(leaks, Leak{Form: f.name, Around: string(text[from:to])})
		}
	}
	return leaks
}

type form struct{ name, text string }

func forms(secret string) []form {
	quoted, _ := json.Marshal(secret)
	all := []form{
		{"plain", secret},
		{"JSON", strings.Trim(string(quoted), `"`)},
		{"URL query", url.QueryEscape(secret)},
		{"URL path", url.PathEscape(secret)},
		{"hex", hex.EncodeToString([]byte(secret))},
		{"HEX", strings.ToUpper(hex.EncodeToString([]byte(secret)))},
	}
	for offset := range 3 {
		all = append(all,
			form{"base64", aligned(base64.RawStdEncoding, secret, offset)},
			form{"base64url", aligned(base64.RawURLEncoding, secret, offset)})
	}
	return all
}

// aligned is the part of an encoding that a secret alone decides, when so many bytes, modulo 3, precede it.
func aligned(encoding *base64.Encoding, secret string, offset int) string {
	encoded := encoding.EncodeToString(append(make([]byte, offset), secret...))
	from := []int{0, 2, 3}[offset]
	to := (offset + len(secret)) * 8 / 6
	return encoded[from:to]
}
