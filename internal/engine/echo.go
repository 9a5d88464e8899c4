package engine

import (
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// maxEcho is how many characters of an annotation a status holds, as the schema of the status says.
func maxEcho(annotation string) int {
	if annotation == v1alpha1.AnnotationApproveRevokes {
		return 64
	}
	return 256
}

// Echo returns the value of an annotation by which a user asks for something, as far as a status can hold it. When it was
// handled, the status holds this value: only another value asks again.
func Echo(object client.Object, annotation string) string {
	asked, characters := object.GetAnnotations()[annotation], 0
	for end := range asked {
		if characters == maxEcho(annotation) {
			return asked[:end]
		}
		characters++
	}
	return asked
}

// Requested reports whether the annotation requested-at asks for a refresh that is not the one that was handled last.
func Requested(object client.Object, handled string) bool {
	asked := Echo(object, v1alpha1.AnnotationRequestedAt)
	return asked != "" && asked != handled
}
