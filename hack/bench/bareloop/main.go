// Command bareloop does the minimum of the operator's work, as fast as it can. hack/bench compares the operator's speed with it.
// It verifies nothing, keeps no state and does not survive a restart.
//
//   - Without --events it creates a user for each SmileUser of a namespace: it stores an intent in the status, makes one call,
//     and stores the outcome.
//   - With --events it receives webhook events. For each it fetches the account's data and updates a Secret.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const callTimeout = 10 * time.Second

func main() {
	var l loop
	var keys, events string
	flag.StringVar(&l.namespace, "namespace", "default", "namespace of the SmileUsers and Secrets")
	flag.StringVar(&l.smile, "smile", "", "base URL of the Open API")
	flag.StringVar(&keys, "keys", "", "key:secret")
	flag.IntVar(&l.concurrency, "concurrency", 16, "users or events processed at a time")
	flag.StringVar(&events, "events", "", "address on which to receive webhook events")
	flag.Parse()
	l.key, l.secret, _ = strings.Cut(keys, ":")
	if err := l.run(context.Background(), events); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// loop is what both loops need.
type loop struct {
	access      *rest.Config
	users       dynamic.ResourceInterface
	namespace   string
	smile       string
	key, secret string
	concurrency int
}

func (l *loop) run(ctx context.Context, events string) error {
	var err error
	if l.access, err = clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG")); err != nil {
		return err
	}
	l.access.QPS = -1 // no limit on the client side
	kube, err := dynamic.NewForConfig(l.access)
	if err != nil {
		return err
	}
	resource := schema.GroupVersionResource{Group: "smile-operator.io", Version: "v1alpha1", Resource: "smileusers"}
	l.users = kube.Resource(resource).Namespace(l.namespace)
	http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = l.concurrency
	if events != "" {
		return l.receive(ctx, events)
	}
	return l.createAll(ctx)
}

// call makes a call to Smile and decodes the data of the response. It returns the status line too, for messages.
func (l *loop) call(ctx context.Context, method, path string, body []byte, data any) (status string, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, l.smile+path, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	request.SetBasicAuth(l.key, l.secret)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	envelope := struct {
		Data any `json:"data"`
	}{data}
	return response.Status, json.Unmarshal(text, &envelope)
}
