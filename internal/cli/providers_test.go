package cli

import (
	"bytes"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/smile"
	"github.com/smile-operator/smile-operator/internal/smile/transport"
)

func TestProvidersText(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	(&Providers{Providers: []Provider{
		{ID: "sss_ph", Name: "SSS", Usable: true, Linkable: true, Datapoints: []string{"IDENTITIES", "CONTRIBUTIONS"}},
		{ID: "upload", Name: "Documents \x1b[31m", Datapoints: []string{}},
	}}).Write(&text)
	golden(t, "providers.txt", text.Bytes())
}

// A key pair leaves this machine only encrypted, and only to an endpoint that the operator has checked.
func TestWhereKeysAreSent(t *testing.T) {
	t.Parallel()
	for address, permitted := range map[string]bool{
		"https://sandbox.smileapi.io/v1": true, "http://127.0.0.1:8484/v1": true, "http://sandbox.smileapi.io/v1": false, "": false,
		"http://localhost.example.com/v1": false,
	} {
		connection := &v1alpha1.SmileConnection{Status: v1alpha1.SmileConnectionStatus{Endpoint: address}}
		if _, err := endpoint(connection); (err == nil) != permitted {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// providersOf asks a server that speaks TLS with an authority of its own, with what the Secret of the connection contains.
func providersOf(t *testing.T, answer http.HandlerFunc, change func(data map[string][]byte)) error {
	t.Helper()
	server := httptest.NewTLSServer(answer)
	defer server.Close()
	connection := aConnection("smile", ready)
	connection.Spec.CredentialsSecretRef.Name = "keys"
	connection.Status.Endpoint = server.URL
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "keys"}, Data: map[string][]byte{
		"apiKey": []byte("key"), "apiSecret": []byte("secret"),
		"ca.crt": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
	}}
	change(secret.Data)
	_, err := readProviders(t.Context(), cluster(t, []client.Object{connection, secret}), connection, true)
	return err
}

// The Secret is read as the operator reads it: its certificate authorities are trusted, and what is missing is named.
func TestProvidersReadTheSecret(t *testing.T) {
	t.Parallel()
	var empty http.HandlerFunc = func(w http.ResponseWriter, r *http.Request) {
		if key, secret, _ := r.BasicAuth(); key != "key" || secret != "secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"code":"OK","data":{"items":[]}}`))
	}
	for name, test := range map[string]struct {
		change func(data map[string][]byte)
		says   string
	}{
		"complete":         {change: func(map[string][]byte) {}},
		"no authority":     {func(data map[string][]byte) { delete(data, "ca.crt") }, "certificate"},
		"a bad authority":  {func(data map[string][]byte) { data["ca.crt"] = []byte("x") }, `key "ca.crt" contains no certificate`},
		"no secret":        {func(data map[string][]byte) { delete(data, "apiSecret") }, `key "apiSecret" is missing`},
		"an empty api key": {func(data map[string][]byte) { data["apiKey"] = nil }, `key "apiKey" is empty`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := providersOf(t, empty, test.change)
			if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A response is read up to the limit of the operator.
func TestProvidersBoundTheResponse(t *testing.T) {
	t.Parallel()
	err := providersOf(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"code":"OK","data":{"items":[]},"padding":"` + strings.Repeat("x", transport.MaxBodyBytes) + `"}`))
	}, func(map[string][]byte) {})
	if err == nil || !strings.Contains(err.Error(), string(smile.ProblemTooLarge)) {
		t.Errorf("got %v", err)
	}
}
