package engine

import (
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// maxEcho returns how many characters of an annotation a status holds, according to its schema.
func maxEcho(annotation string) int {
	if annotation == v1alpha1.AnnotationApproveRevokes {
		return 64
	}
	return 256
}

// Echo returns the value of an annotation, as far as a status can hold it. That is what is stored once it was handled, and what a
// later value is compared with.
func Echo(object client.Object, annotation string) string {
	value, characters := object.GetAnnotations()[annotation], 0
	for end := range value {
		if characters == maxEcho(annotation) {
			return value[:end]
		}
		characters++
	}
	return value
}

// NewValue returns the echo of an annotation if it is set to another value than the one that was handled last. An annotation that is
// removed has no new value.
func NewValue(object client.Object, annotation, handled string) (value string, isNew bool) {
	value = Echo(object, annotation)
	return value, value != "" && value != handled
}

// Requested reports whether an annotation requests a refresh of an object that was not handled yet.
func Requested(object client.Object, handled string) bool {
	_, isNew := NewValue(object, v1alpha1.AnnotationRequestedAt, handled)
	return isNew
}
