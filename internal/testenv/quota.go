package testenv

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// exceeded is what the API server says of an object beyond a quota.
const exceeded = "exceeded quota"

// Full makes a quota of the world's namespace refuse every further Secret, until the returned function is called. No quota
// controller runs here, so the quota's status is set directly.
func (w *World) Full() (lift func()) {
	w.Helper()
	var secrets corev1.SecretList
	w.must(w.Client.List(w.Context(), &secrets, client.InNamespace(w.Namespace)))
	full := corev1.ResourceList{corev1.ResourceSecrets: *resource.NewQuantity(int64(len(secrets.Items)), resource.DecimalSI)}
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "full"},
		Spec:       corev1.ResourceQuotaSpec{Hard: full},
	}
	w.Create(quota)
	w.Cleanup(func() { w.must(client.IgnoreNotFound(w.Client.Delete(context.Background(), quota))) })
	quota.Status = corev1.ResourceQuotaStatus{Hard: full, Used: full}
	w.must(w.Client.Status().Update(w.Context(), quota))
	w.untilDenied("any", exceeded, true)
	return func() {
		w.Helper()
		w.Delete(quota)
		w.untilDenied("any", exceeded, false)
	}
}
