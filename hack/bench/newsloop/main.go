// Command newsloop does the minimum to bring the data of an event into a Secret: one call to Smile and one update of the Secret.
// It verifies nothing, keeps no state and does not survive a restart. hack/bench compares the operator's speed with it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	callTimeout = 10 * time.Second
	maxEvent    = 256 << 10
	maxWaiting  = 16 << 10
)

func main() {
	namespace := flag.String("namespace", "default", "namespace of the SmileUsers and Secrets")
	smile := flag.String("smile", "", "base URL of the Open API")
	keys := flag.String("keys", "", "key:secret")
	address := flag.String("address", "", "address to take events at")
	concurrency := flag.Int("concurrency", 16, "events worked on at once")
	flag.Parse()
	if err := run(context.Background(), *namespace, *smile, *keys, *address, *concurrency); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type loop struct {
	kube        kubernetes.Interface
	namespace   string
	smile       string
	key, secret string
	// names are those of the SmileUsers, by the ids of their users at Smile.
	names  map[string]string
	events chan event
}

// event is about an account of a user.
type event struct {
	Data struct {
		UserID   string `json:"userId"`
		SourceID string `json:"sourceId"`
	} `json:"data"`
}

func run(ctx context.Context, namespace, smile, keys, address string, concurrency int) error {
	access, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return err
	}
	access.QPS = -1 // no limit of its own
	names, err := namesOf(ctx, access, namespace)
	if err != nil {
		return err
	}
	access.ContentType = "application/vnd.kubernetes.protobuf"
	kube, err := kubernetes.NewForConfig(access)
	if err != nil {
		return err
	}
	http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = concurrency
	l := &loop{kube: kube, namespace: namespace, smile: smile, names: names, events: make(chan event, maxWaiting)}
	l.key, l.secret, _ = strings.Cut(keys, ":")
	group, ctx := errgroup.WithContext(ctx)
	for range concurrency {
		group.Go(func() error { return l.work(ctx) })
	}
	server := &http.Server{Addr: address, Handler: http.HandlerFunc(l.take), ReadHeaderTimeout: callTimeout}
	group.Go(server.ListenAndServe)
	return group.Wait()
}

// namesOf gives the names of the SmileUsers, by the ids of their users at Smile.
func namesOf(ctx context.Context, access *rest.Config, namespace string) (map[string]string, error) {
	kube, err := dynamic.NewForConfig(access)
	if err != nil {
		return nil, err
	}
	users, err := kube.Resource(schema.GroupVersionResource{Group: "smile-operator.io", Version: "v1alpha1", Resource: "smileusers"}).
		Namespace(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, user := range users.Items {
		status, _ := user.Object["status"].(map[string]any)
		if id, ok := status["userID"].(string); ok {
			names[id] = user.GetName()
		}
	}
	return names, nil
}

func (l *loop) take(w http.ResponseWriter, r *http.Request) {
	var e event
	body, err := io.ReadAll(io.LimitReader(r.Body, maxEvent))
	if err != nil || json.Unmarshal(body, &e) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	select {
	case l.events <- e:
		w.WriteHeader(http.StatusNoContent)
	default:
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

func (l *loop) work(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-l.events:
			if err := l.bring(ctx, e); err != nil {
				return err
			}
		}
	}
}

func (l *loop) bring(ctx context.Context, e event) error {
	payload, err := l.fetch(ctx, e.Data.SourceID)
	if err != nil {
		return err
	}
	_, err = l.kube.CoreV1().Secrets(l.namespace).Update(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: l.names[e.Data.UserID] + "-data"},
		Data:       map[string][]byte{"identities.json": payload.Identity, "contributions.json": payload.Contributions},
	}, metav1.UpdateOptions{})
	return err
}

type payload struct {
	Identity      json.RawMessage `json:"identity"`
	Contributions json.RawMessage `json:"contributions"`
}

func (l *loop) fetch(ctx context.Context, accountID string) (payload, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, l.smile+"/accounts/"+accountID+"/payload", nil)
	if err != nil {
		return payload{}, err
	}
	request.SetBasicAuth(l.key, l.secret)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return payload{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return payload{}, err
	}
	var answer struct {
		Data payload `json:"data"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return payload{}, err
	}
	if answer.Data.Contributions == nil {
		return payload{}, errors.New("no data in the answer " + response.Status)
	}
	return answer.Data, nil
}
