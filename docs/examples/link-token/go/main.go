// Command go gets a link token from the operator's application API. A backend does the same in the handler of the request with
// which its frontend asks for the widget.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// linkToken is what the widget is started with.
type linkToken struct {
	AccessToken string    `json:"accessToken"`
	ExpiresAt   time.Time `json:"expiresAt"`
	APIHost     string    `json:"apiHost"`
	ScriptURL   string    `json:"scriptUrl"`
}

// api is the application API.
type api struct {
	client http.Client
	url    string
	// tokenFile is read for each call, because Kubernetes replaces its content.
	tokenFile string
}

func newAPI(baseURL, caFile, tokenFile string) (*api, error) {
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s has no certificate", caFile)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	return &api{http.Client{Transport: transport, Timeout: 12 * time.Second}, baseURL, tokenFile}, nil
}

func (a *api) linkToken(ctx context.Context, namespace, user string) (linkToken, error) {
	bearer, err := os.ReadFile(a.tokenFile)
	if err != nil {
		return linkToken{}, err
	}
	address, err := url.JoinPath(a.url, "v1/namespaces", namespace, "smileusers", user, "token")
	if err != nil {
		return linkToken{}, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, http.NoBody)
	if err != nil {
		return linkToken{}, err
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(bearer)))
	response, err := a.client.Do(request)
	if err != nil {
		return linkToken{}, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusCreated {
		var problem struct{ Reason, Detail string }
		_ = json.NewDecoder(response.Body).Decode(&problem)
		return linkToken{}, fmt.Errorf("no link token: %s %s (Retry-After: %s): %s",
			response.Status, problem.Reason, response.Header.Get("Retry-After"), problem.Detail)
	}
	var token linkToken
	return token, json.NewDecoder(response.Body).Decode(&token)
}

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("usage: go NAMESPACE USER")
	}
	backend, err := newAPI(os.Getenv("SMILE_API_URL"), os.Getenv("SMILE_CA_FILE"), os.Getenv("SMILE_TOKEN_FILE"))
	if err != nil {
		return err
	}
	token, err := backend.linkToken(ctx, args[0], args[1])
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(token)
}
