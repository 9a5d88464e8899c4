//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/hook"
)

// webhook is one as Smile knows it.
type webhook struct {
	ID         string               `json:"id,omitempty"`
	Name       string               `json:"name"`
	URL        string               `json:"url"`
	Secret     string               `json:"secret"`
	EventTypes []v1alpha1.EventType `json:"eventTypes"`
	Active     bool                 `json:"active"`
}

// hook declares a subscription to everything, signed with the Secret hook-secret.
func (e *environment) hook(name string) *v1alpha1.SmileWebhookSubscription {
	sub := e.subscription(name)
	sub.Spec.SecretRef = &v1alpha1.SecretKeyReference{Name: "hook-secret", Key: "secret"}
	return sub
}

// hookSecret is the Secret hook-secret.
func (e *environment) hookSecret(value string) *corev1.Secret {
	meta := e.named("hook-secret")
	meta.Annotations = map[string]string{v1alpha1.AnnotationUse: "webhook-secret"}
	return &corev1.Secret{ObjectMeta: meta, StringData: map[string]string{"secret": value}}
}

// subscription declares one to everything, signed with a secret that the operator makes.
func (e *environment) subscription(name string) *v1alpha1.SmileWebhookSubscription {
	return &v1alpha1.SmileWebhookSubscription{
		ObjectMeta: e.named(name),
		Spec: v1alpha1.SmileWebhookSubscriptionSpec{
			ConnectionRef: v1alpha1.ConnectionReference{Name: "smile"},
			EventTypes:    []v1alpha1.EventType{v1alpha1.EventAll},
		},
	}
}

// registered asks Smile for its webhooks.
func (e *environment) registered() []webhook {
	e.t.Helper()
	var page struct{ Data struct{ Items []webhook } }
	if err := json.Unmarshal(e.elsewhere(http.MethodGet, "/v1/webhooks?size=150", nil), &page); err != nil {
		e.t.Errorf("listing webhooks: %v", err)
	}
	for i := range page.Data.Items { // the sandbox's quirk "future" shows an event type that nobody registered
		all := &page.Data.Items[i].EventTypes
		*all = slices.DeleteFunc(*all, func(event v1alpha1.EventType) bool { return event == "ADDED_LATER" })
	}
	return page.Data.Items
}

// elsewhere calls Smile from another address than the operator's. These calls are never held.
func (e *environment) elsewhere(method, path string, body []byte) []byte {
	e.t.Helper()
	request := httptest.NewRequest(method, path, bytes.NewReader(body))
	request.SetBasicAuth(e.key.Key, e.key.Secret)
	request.Header.Set("Content-Type", "application/json")
	request.RemoteAddr = "192.0.2.1:1"
	answer := httptest.NewRecorder()
	e.remote.Sandbox.ServeHTTP(answer, request)
	if answer.Code != http.StatusOK && answer.Code != http.StatusCreated {
		e.t.Errorf("%s %s: %d %s", method, path, answer.Code, answer.Body)
	}
	return answer.Body.Bytes()
}

var stranger = hook.Name{UID: "another", Pair: "pair"}.String()

// strange registers a webhook as another operator does.
func (e *environment) strange() {
	e.t.Helper()
	body, err := json.Marshal(webhook{
		Name: stranger, URL: "https://hooks.example.com/", Secret: strings.Repeat("s", 40),
		EventTypes: []v1alpha1.EventType{v1alpha1.EventAll}, Active: true,
	})
	if err != nil {
		e.t.Fatal(err)
	}
	e.elsewhere(http.MethodPost, "/v1/webhooks", body)
}

// subscribed creates subscriptions, in addition to a webhook of another operator.
func (e *environment) subscribed(names ...string) {
	e.t.Helper()
	e.strange()
	for _, name := range names {
		sub := e.subscription(name)
		e.create(sub)
		e.becomes(sub, "True/Succeeded", quietLimit)
	}
}

func (e *environment) pairSecret(subscription string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: e.named(hook.SecretName(subscription))}
}

func (e *environment) pairs(subscription string) []hook.Pair {
	e.t.Helper()
	secret := e.pairSecret(subscription)
	if !e.get(secret) {
		return nil
	}
	pairs, err := hook.ParsePairs(secret.Data[hook.KeyPairs])
	if err != nil {
		e.t.Fatal(err)
	}
	return pairs
}

// unhooked returns the state of a subscription, unless it is Ready for its current spec and nothing is left of what it replaced.
func (e *environment) unhooked(name string) string {
	e.t.Helper()
	sub := e.subscription(name)
	if !e.get(sub) {
		return name + " does not exist"
	}
	pairs, status := len(e.pairs(name)), sub.Status
	if readiness(sub) == "True/Succeeded" && status.ObservedGeneration == sub.Generation && len(status.Registrations) == 1 && pairs == 1 {
		return ""
	}
	return fmt.Sprintf("%s is %s in generation %d of %d, with %d registrations and %d pairs",
		name, readiness(sub), status.ObservedGeneration, sub.Generation, len(status.Registrations), pairs)
}

// eachHooked asserts that Smile has one webhook for each subscription, as that declares it and its Secret holds it, and
// the stranger's; that so many were made in all; and that there are no other Secrets.
func (e *environment) eachHooked(made int) {
	e.t.Helper()
	var subs v1alpha1.SmileWebhookSubscriptionList
	if err := e.admin.List(e.t.Context(), &subs, client.InNamespace(e.namespace)); err != nil {
		e.t.Fatal(err)
	}
	got, secrets := e.registered(), []string{"smile-keys"}
	want := slices.DeleteFunc(slices.Clone(got), func(w webhook) bool { return w.Name != stranger })
	if calls := len(e.remote.committed("create-webhook", 0)); len(want) != 1 || calls != made {
		e.t.Errorf("%d foreign webhooks and %d of this test, want 1 and %d", len(want), calls, made)
	}
	for _, sub := range subs.Items {
		if state := e.unhooked(sub.Name); state != "" {
			e.t.Fatal(state)
		}
		want = append(want, e.wanted(&sub))
		secrets = append(secrets, hook.SecretName(sub.Name))
	}
	slices.SortFunc(got, byID)
	slices.SortFunc(want, byID)
	if diff := cmp.Diff(want, got); diff != "" {
		e.t.Errorf("the webhooks at Smile are not those wanted:\n%s", diff)
	}
	slices.Sort(secrets)
	if diff := cmp.Diff(secrets, e.secrets()); diff != "" {
		e.t.Errorf("there are other Secrets than wanted:\n%s", diff)
	}
}

func byID(a, b webhook) int { return strings.Compare(a.ID, b.ID) }

// wanted is the webhook that a subscription at rest declares.
func (e *environment) wanted(sub *v1alpha1.SmileWebhookSubscription) webhook {
	e.t.Helper()
	pair := e.pairs(sub.Name)[0]
	return webhook{
		ID: sub.Status.Registrations[0].WebhookID, Name: hook.Name{UID: sub.UID, Pair: pair.ID}.String(),
		URL: receivers + hook.Prefix + pair.Path.Reveal(), Secret: pair.Secret.Reveal(),
		EventTypes: sub.Spec.EventTypes, Active: true,
	}
}

// secrets gives their names, in order.
func (e *environment) secrets() []string {
	e.t.Helper()
	var list corev1.SecretList
	if err := e.admin.List(e.t.Context(), &list, client.InNamespace(e.namespace)); err != nil {
		e.t.Fatal(err)
	}
	var names []string
	for _, secret := range list.Items {
		names = append(names, secret.Name)
	}
	slices.Sort(names)
	return names
}
