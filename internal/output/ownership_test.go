package output_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/output"
)

func metadata(labels map[string]v1alpha1.LabelValue, annotations map[string]v1alpha1.AnnotationValue) *v1alpha1.OutputTemplate {
	return &v1alpha1.OutputTemplate{Metadata: &v1alpha1.OutputMetadata{Labels: labels, Annotations: annotations}}
}

// The template's labels and annotations come, change and go; what others have put there stays.
func TestTheTemplateIsFollowed(t *testing.T) {
	t.Parallel()
	type pairs = map[string]string
	for _, target := range targets {
		kube := newCluster(t, stored(target, after, false, ours))
		writer := output.NewWriter(kube)
		for i, step := range []struct {
			template            *v1alpha1.OutputTemplate
			labels, annotations pairs
		}{
			{
				metadata(map[string]v1alpha1.LabelValue{"team": "loans", "tier": "a"}, map[string]v1alpha1.AnnotationValue{"reload": "yes"}),
				pairs{"team": "loans", "tier": "a"},
				pairs{"by": "hand", "reload": "yes"},
			},
			{metadata(map[string]v1alpha1.LabelValue{"team": "cards"}, nil), pairs{"team": "cards"}, pairs{"by": "hand"}},
			{metadata(nil, map[string]v1alpha1.AnnotationValue{"reload": "no"}), nil, pairs{"by": "hand", "reload": "no"}},
			{nil, nil, pairs{"by": "hand"}},
			{&v1alpha1.OutputTemplate{}, nil, pairs{"by": "hand"}},
		} {
			open, err := writer.Open(t.Context(), owner, target)
			if err != nil {
				t.Fatal(err)
			}
			declared, err := writer.AsDeclared(owner, open, step.template)
			changed, failed := writer.Write(t.Context(), owner, open, after, step.template)
			if err != nil || failed != nil || changed != (i < 4) || declared == changed {
				t.Errorf("%s, step %d: declared %v, %v; changed %v, %v", target.Kind, i, declared, err, changed, failed)
			}
			got := kube.get(t, target)
			annotations := got.GetAnnotations()
			if remembers := annotations[v1alpha1.AnnotationTemplateKeys] != ""; remembers != (i < 3) {
				t.Errorf("%s, step %d: the keys are remembered: %v", target.Kind, i, remembers)
			}
			delete(annotations, v1alpha1.AnnotationTemplateKeys)
			delete(annotations, v1alpha1.AnnotationOwner)
			if diff := cmp.Diff(step.annotations, annotations); diff != "" {
				t.Errorf("%s, step %d, annotations: %s", target.Kind, i, diff)
			}
			if diff := cmp.Diff(len(step.labels), len(got.GetLabels())); diff != "" || step.labels["team"] != got.GetLabels()["team"] {
				t.Errorf("%s, step %d, labels: %v", target.Kind, i, got.GetLabels())
			}
		}
	}
}

// A writer that opened an output before it was deleted, changed or created writes nothing.
func TestWhatWasOpenedIsWrittenOverOnlyAsItWas(t *testing.T) {
	t.Parallel()
	for _, target := range targets {
		kube := newCluster(t, stored(target, before, false, ours))
		writer := output.NewWriter(kube)
		late, err := writer.Open(t.Context(), owner, target)
		if err != nil {
			t.Fatal(err)
		}
		if err := writer.Delete(t.Context(), owner, target); err != nil {
			t.Fatal(err)
		}
		if changed, err := writer.Write(t.Context(), owner, late, after, nil); err == nil || changed || kube.get(t, target) != nil {
			t.Errorf("%s: a deleted object was created again: %v, %v", target.Kind, changed, err)
		}
		if _, err := writer.Write(t.Context(), owner, output.Absent(target), before, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := writer.Write(t.Context(), owner, output.Absent(target), after, nil); err == nil {
			t.Errorf("%s: overwrote an object that was created meanwhile", target.Kind)
		}
	}
}
