package app

import (
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
)

// trim prepares an object for the cache: it drops fields that nothing reads, and lets objects share the texts that most of them
// have in common. Writes are patches of differences, so nothing is lost at the API server.
func (s *sharedTexts) trim(obj any) (any, error) {
	object, ok := obj.(metav1.Object)
	if !ok { // the notice that an object was deleted
		return obj, nil
	}
	object.SetManagedFields(nil)
	annotations := object.GetAnnotations()
	if delete(annotations, corev1.LastAppliedConfigAnnotation); len(annotations) == 0 {
		object.SetAnnotations(nil)
	}
	object.SetNamespace(s.share(object.GetNamespace()))
	if ours, ok := obj.(engine.Object); ok {
		s.conditions(ours.CommonStatus().Conditions)
	}
	switch ours := obj.(type) {
	case *v1alpha1.SmileUser:
		ours.Spec.ConnectionRef.Name = s.share(ours.Spec.ConnectionRef.Name)
		ours.Status.Mode = v1alpha1.Mode(s.share(string(ours.Status.Mode)))
	case *v1alpha1.SmileAccountSync:
		for i := range ours.Status.Accounts {
			account := &ours.Status.Accounts[i]
			account.ProviderID, account.ConnectionStatus = s.share(account.ProviderID), s.share(account.ConnectionStatus)
			account.MonitorStatus = s.share(account.MonitorStatus)
		}
	}
	return obj, nil
}

func (s *sharedTexts) conditions(conditions []metav1.Condition) {
	for i := range conditions {
		c := &conditions[i]
		c.Type, c.Reason, c.Message = s.share(c.Type), s.share(c.Reason), s.share(c.Message)
		c.Status = metav1.ConditionStatus(s.share(string(c.Status)))
	}
}

// mostTexts bounds how many texts are shared. Types, reasons and most messages of conditions are constants.
const mostTexts = 4096

// sharedTexts holds one copy of each text. The zero value is ready to use.
type sharedTexts struct {
	mu  sync.Mutex
	all map[string]string
}

// share returns the shared copy of a text.
func (s *sharedTexts) share(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if shared, ok := s.all[text]; ok {
		return shared
	}
	if len(s.all) >= mostTexts {
		return text
	}
	if s.all == nil {
		s.all = map[string]string{}
	}
	s.all[text] = text
	return text
}
