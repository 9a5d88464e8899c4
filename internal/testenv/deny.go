package testenv

import (
	"context"
	"fmt"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Deny makes the API server deny, by an admission policy with this message, every Secret of the world's namespace that has a key,
// until the returned function is called.
func (w *World) Deny(key, message string) (allow func()) {
	w.Helper()
	policy := &admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: w.Namespace},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: w.Namespace}},
				ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: admissionv1.RuleWithOperations{
					Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
					Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"secrets"}},
				}}},
			},
			Validations: []admissionv1.Validation{{
				Expression: fmt.Sprintf("!has(object.data) || !(%q in object.data)", key), Message: message,
			}},
		},
	}
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: w.Namespace},
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: w.Namespace, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
		},
	}
	for _, obj := range []client.Object{policy, binding} {
		w.must(w.Client.Create(w.Context(), obj))
		w.Cleanup(func() { w.must(client.IgnoreNotFound(w.Client.Delete(context.Background(), obj))) })
	}
	w.untilDenied(key, message, true)
	return func() {
		w.Helper()
		w.must(w.Client.Delete(w.Context(), binding))
		w.untilDenied(key, message, false)
	}
}

// untilDenied waits until the API server applies the policy, or no longer does, which takes it a moment.
func (w *World) untilDenied(key, message string, denied bool) {
	w.Helper()
	trial := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "trial"}, Data: map[string][]byte{key: nil}}
	w.must(
		wait.PollUntilContextTimeout(w.Context(), 20*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
			err := w.Client.Create(ctx, trial.DeepCopy(), client.DryRunAll)
			return (err != nil && strings.Contains(err.Error(), message)) == denied, nil
		}),
	)
}
