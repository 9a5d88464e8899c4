package smile

const maxIDLength = 200

// validID reports whether id is 1 to 200 characters of A-Z, a-z, 0-9, '_' and '-'.
// Every id is checked, sent or received: a received one may become part of the path
// of a later DELETE.
func validID(id string) bool {
	if id == "" || len(id) > maxIDLength {
		return false
	}
	for _, c := range []byte(id) {
		if !isAlphanumeric(c) && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// checkID is validID for an id that a response must contain.
func checkID(id string) error {
	switch {
	case id == "":
		return missing("id")
	case !validID(id):
		return ProblemBadID
	default:
		return nil
	}
}
