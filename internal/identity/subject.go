package identity

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const byteOrderMark = '\uFEFF'

// SubjectFault returns why a business key is probably not the intended one: it looks like another key, so a person would get two
// users. The text continues "the key ..." and quotes nothing of it; it is empty if nothing is wrong. The digest is computed from
// the bytes as they are in any case.
func SubjectFault(key string) string {
	switch {
	case !utf8.ValidString(key):
		return "is not valid UTF-8"
	case strings.ContainsRune(key, byteOrderMark):
		return "holds a byte order mark"
	case strings.TrimFunc(key, invisible) != key:
		return "begins or ends with white space, such as a line break, or with an invisible character"
	case strings.ContainsFunc(key, unicode.IsControl):
		return "holds control characters"
	case !norm.NFC.IsNormalString(key):
		return "is not in Unicode normalization form C"
	default:
		return ""
	}
}

func invisible(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) }
