package engine

import "sigs.k8s.io/controller-runtime/pkg/client"

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
