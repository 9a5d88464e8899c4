package output

import (
	"bytes"
	"encoding/base64"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/problem"
)

// failed is the error of a request about an object. A refusal names the object, and quotes nothing of its content.
func failed(doing string, target Target, content Content, err error) error {
	switch refusal := problem.Refusal(err, fmt.Sprintf("the %s %q", target.Kind, target.Name), content.quotedIn); {
	case apierrors.IsNotFound(err) && doing == "updating":
		return changed(target).Because(err)
	case refusal != nil:
		return refusal
	default:
		return fmt.Errorf("%s the %s: %w", doing, target.Kind, err)
	}
}

// changed is the problem of an object that was created or deleted between reading and writing it.
func changed(target Target) *problem.Problem {
	return problem.NewTransient(v1alpha1.ReasonClusterError,
		fmt.Sprintf("the %s %q was created or deleted while it was about to be written: it is read again first",
			target.Kind, target.Name))
}

// quotable is the number of characters of a value that a message may contain by chance.
const quotable = 12

// quotedIn reports whether a text repeats any part of a value, as it is or in base64, as policies see the values of Secrets.
func (c Content) quotedIn(text string) bool {
	for _, value := range c {
		for _, form := range [][]byte{value, []byte(base64.StdEncoding.EncodeToString(value))} {
			length := min(quotable, len(form))
			if length < quotable/2 {
				continue
			}
			for i := range len(text) - length + 1 {
				if bytes.Contains(form, []byte(text[i:i+length])) {
					return true
				}
			}
		}
	}
	return false
}
