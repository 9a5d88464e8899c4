//go:build e2e

package e2e

import (
	"cmp"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

const hookSecret = canary + "IsWhatEventsAreSignedWith"

// secretSender sends requests to an operator's receiver whose contents must not be found anywhere.
type secretSender struct {
	*sender
	o *operator
	// given and generated are webhooks signed with the canary and with a secret of the operator's, silent one without events.
	given, generated, silent webhook
	// signatures that were sent.
	signatures []string
}

func (e *environment) secretSender(o *operator, address string) *secretSender {
	e.t.Helper()
	e.create(e.hookSecret(hookSecret))
	m := &secretSender{sender: e.sender(address), o: o}
	m.given, m.generated, m.silent = m.subscribe(e.hook("given")), m.subscribe(e.subscription("generated")), m.subscribe(e.silent("silent"))
	return m
}

// subscribe returns the webhook of a subscription.
func (m *secretSender) subscribe(sub *v1alpha1.SmileWebhookSubscription) webhook {
	m.e.t.Helper()
	m.e.create(sub)
	m.e.becomes(sub, "True/Succeeded", time.Minute)
	all := m.e.registered()
	return all[slices.IndexFunc(all, func(w webhook) bool { return w.ID == sub.Status.Registrations[0].WebhookID })]
}

// silent creates a subscription to events that never occur.
func (e *environment) silent(name string) *v1alpha1.SmileWebhookSubscription {
	sub := e.hook(name)
	sub.Spec.EventTypes = []v1alpha1.EventType{"INVITE_INVITED"}
	return sub
}

// path is the secret part of the URL of a webhook.
func (w webhook) path() string { return w.URL[strings.LastIndex(w.URL, "/")+1:] }

// personal is an event as Smile may send it, with data of a person in it.
func personal(userID string) string {
	return fmt.Sprintf(`{"id":"et-%[1]s","version":1,"type":"TASK_FINISHED","createdAt":"2026-01-01T00:00:00Z","data":{"userId":%[2]q,`+
		`"loginName":%[1]q,"errorMessage":%[1]q,"payload":{"identity":{"firstName":%[1]q,"emails":[{"address":%[1]q}]}}}}`, canary, userID)
}

// deliver sends events and other requests, and fails the test if a response is not the expected one.
func (m *secretSender) deliver(userID string) {
	t := m.e.t
	t.Helper()
	own, event, forged := hook.Prefix+m.given.path(), personal(userID), strings.Repeat("f00ba4e7", 16)
	proof := sign([]byte(event), hookSecret)
	for what, sent := range map[string]struct {
		path, body, signature, contents string
		status                          int
	}{
		"an event":                      {own, event, proof, "", http.StatusNoContent},
		"one of the generated pair":     {hook.Prefix + m.generated.path(), event, sign([]byte(event), m.generated.Secret), "", http.StatusNoContent},
		"one of an unknown user":        {own, personal(canary), sign([]byte(personal(canary)), hookSecret), "", http.StatusNoContent},
		"one of nobody":                 {own, personal(""), sign([]byte(personal("")), hookSecret), "", http.StatusNoContent},
		"one with the other's key":      {own, event, sign([]byte(event), m.generated.Secret), "", http.StatusUnauthorized},
		"a forgery":                     {own, event, forged, "", http.StatusUnauthorized},
		"a signature that is none":      {own, event, canary, "", http.StatusUnauthorized},
		"a path that no webhook has":    {hook.Prefix + canary, event, proof, "", http.StatusUnauthorized},
		"a path of no kind":             {"/" + canary, event, proof, "", http.StatusNotFound},
		"another type of contents":      {own, event, proof, "text/" + canary, http.StatusUnsupportedMediaType},
		"more than an event ever holds": {own, strings.Repeat(canary, 20_000), forged, "", http.StatusRequestEntityTooLarge},
	} {
		if got := m.sensitive(sent.path, sent.body, sent.signature, sent.contents); got != sent.status {
			t.Errorf("%s is answered with %d, want %d", what, got, sent.status)
		}
	}
	m.raw("POST " + own + " HTTP/1.1\r\nHost: " + canary + "\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n" + canary)
	m.raw(canary + " " + own + " HTTP/9.9\r\n" + canary + "\r\n\r\n")
	cut := event[:len(event)-1]
	m.complained("a genuine event was refused", func() { m.sensitive(own, cut, sign([]byte(cut), hookSecret), "") })
	m.e.delete(&corev1.Secret{ObjectMeta: m.e.named(hook.SecretName("silent"))})
	m.complained("the pair of path and secret cannot be read", func() { m.sensitive(hook.Prefix+m.silent.path(), event, proof, "") })
}

// sensitive sends a POST whose headers and query contain secrets.
func (m *secretSender) sensitive(path, body, signature, contents string) int {
	m.signatures = append(m.signatures, signature)
	return m.post(path+"?token="+canary, []byte(body), http.Header{
		"Smile-Signature": {signature}, "Content-Type": {cmp.Or(contents, "application/json")}, "Authorization": {"Bearer " + canary},
		"Cookie": {"session=" + canary}, "X-Forwarded-For": {canary}, "User-Agent": {canary},
	})
}

// raw sends an incomplete request.
func (m *secretSender) raw(text string) {
	m.e.t.Helper()
	conn, err := net.Dial("tcp", m.addresses[0])
	if err != nil {
		m.e.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		m.e.t.Fatal(err)
	}
}

// complained repeats something until the receiver, which logs errors rarely, has logged an error about it.
func (m *secretSender) complained(complaint string, do func()) {
	m.e.t.Helper()
	within(m.e.t, time.Minute, "the receiver logs that "+complaint, func() (bool, string) {
		do()
		return strings.Contains(m.o.text(), complaint), m.o.tail()
	})
}

// foundWhereAsked verifies that all kinds of requests have arrived, that the events of Smile contained personal data, and that
// the pairs are in their Secrets.
func (m *secretSender) foundWhereAsked() {
	t := m.e.t
	t.Helper()
	for _, outcome := range []string{"accepted", "unknown_user", "no_user", "not_found", "unsupported_media_type", "unauthorized", "too_large", "incomplete", "unreadable", "unavailable"} {
		if m.o.metric("smile_operator_webhook_requests_total", outcome) == 0 {
			t.Errorf("nothing to search: no request was %s", outcome)
		}
	}
	if !slices.ContainsFunc(m.e.remote.Canaries(), func(mark string) bool { return strings.Contains(mark, "loginName") }) {
		t.Error("no event of the sandbox has a canary")
	}
	for _, webhook := range []webhook{m.given, m.generated} {
		delivered := slices.ContainsFunc(m.e.remote.Deliveries(0), func(d sandbox.Delivery) bool {
			return d.WebhookID == webhook.ID && d.EventType == "ACCOUNT_CONNECTED" && d.State == sandbox.DeliveryDelivered
		})
		if !delivered {
			t.Errorf("the sandbox has sent %s no event about a login", webhook.URL)
		}
	}
	var all corev1.SecretList
	if err := m.e.admin.List(t.Context(), &all, client.InNamespace(m.e.namespace)); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{m.given.path(), m.given.Secret, m.generated.path(), m.generated.Secret} {
		if len(Search(m.e.encode(all), secret)) == 0 {
			t.Errorf("the search does not find %s in the Secrets", secret)
		}
	}
}

// secrets are the pairs of all webhooks that were registered, and the signatures.
func (m *secretSender) secrets() []string {
	all := slices.Clone(m.signatures)
	for _, webhook := range append(m.e.registered(), m.given, m.generated, m.silent) {
		all = append(all, webhook.path(), webhook.Secret)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// failToRegister has each kind of call about webhooks fail in each way.
func (e *environment) failToRegister() {
	e.t.Helper()
	e.failAlways("list-webhooks", func(name string) {
		e.annotate(&v1alpha1.SmileWebhookSubscription{ObjectMeta: e.named("given")}, v1alpha1.AnnotationRequestedAt, name)
	})
	e.failAlways("create-webhook", func(name string) { e.create(e.silent(name)) })
	e.failAlways("get-webhook", func(name string) { e.create(e.silent(name)) })
	e.failAlways("delete-webhook", func(name string) { e.delete(e.silent(strings.Replace(name, "delete", "get", 1))) })
}
