package identity_test

import (
	"strings"
	"testing"

	"github.com/smile-operator/smile-operator/internal/identity"
)

func TestSubjectFault(t *testing.T) {
	t.Parallel()
	const ends, control, bom, utf8, nfc = "begins or ends", "control", "byte order mark", "UTF-8", "normalization form C"
	for key, want := range map[string]string{
		"12345":               "",
		"shop/george":         "",
		"a b":                 "",
		"customer:4711|x@y.z": "",
		"Jos\u00e9":           "",
		"\u674e\u96f7":        "",
		"\U0001f600":          "",
		"a\u200db":            "", // a zero-width joiner belongs to some scripts
		"a\u00a0b":            "",

		"12345\n":       ends,
		"12345\r\n":     ends,
		" 12345":        ends,
		"12345\t":       ends,
		"\n":            ends,
		"\u00a012345":   ends,
		"12345\u3000":   ends,
		"12345\u2028":   ends,
		"12345\u0085":   ends,
		"12345\u200b":   ends,
		"\u200e12345":   ends,
		"\ufeff12345":   bom,
		"123\ufeff45":   bom,
		"12345\ufeff\n": bom,
		"12\n345":       control,
		"12\x0045":      control,
		"\x0012345":     control,
		"12345\x7f":     control,
		"12\u008545":    control,
		"12\u009b45":    control,
		"\xff\xfe1\x00": utf8,
		"12345\xc3":     utf8,
		"\xed\xa0\x80":  utf8,
		"Jose\u0301":    nfc,
		"\u212b":        nfc, // the sign of the unit is another code point than the letter
	} {
		got := identity.SubjectFault(key)
		if want == "" && got != "" || want != "" && !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", key, got, want)
		}
	}
}

func FuzzSubjectFault(f *testing.F) {
	f.Add("12345\n")
	f.Fuzz(func(t *testing.T, key string) {
		if identity.SubjectFault(key) == "" && strings.TrimSpace(key) != key {
			t.Errorf("%q is accepted", key)
		}
	})
}
