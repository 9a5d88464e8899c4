package cli

import (
	"bytes"
	"testing"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
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
