package identity

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const byteOrderMark = '\uFEFF'

// SubjectFault says why a business key is most likely not the one that was meant, in words that continue "the key ..."
// and quote nothing of it; empty when nothing is wrong. Such keys look like another one, which makes two persons of
// one. The digest is made of the bytes as they are in any case.
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
