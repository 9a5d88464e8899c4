package engine

import (
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// maxEcho is how many characters of an annotation a status holds, as its schema says.
const maxEcho = 256

// Echo gives what an annotation asks for, as far as a status can echo it: that is what was handled is compared with too.
func Echo(object client.Object, annotation string) string {
	asked, characters := object.GetAnnotations()[annotation], 0
	for end := range asked {
		if characters == maxEcho {
			return asked[:end]
		}
		characters++
	}
	return asked
}

// Requested tells whether somebody asks for a look at an object that is not the one that was handled last.
func Requested(object client.Object, handled string) bool {
	asked := Echo(object, v1alpha1.AnnotationRequestedAt)
	return asked != "" && asked != handled
}
