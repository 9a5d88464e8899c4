// Command bareloop does for each SmileUser of a namespace the least that creating a person takes, as fast as it can:
// it stores an intent in the status, makes one call to Smile, and stores the outcome. It checks nothing, remembers
// nothing and survives nothing: it is what hack/bench compares the operator's speed with.
package main

import (
	"bytes"
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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
)

const callTimeout = 10 * time.Second

func main() {
	namespace := flag.String("namespace", "default", "namespace of the SmileUsers")
	smile := flag.String("smile", "", "base URL of the Open API")
	keys := flag.String("keys", "", "key:secret")
	concurrency := flag.Int("concurrency", 16, "users worked on at once")
	flag.Parse()
	if err := run(context.Background(), *namespace, *smile, *keys, *concurrency); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type loop struct {
	users       dynamic.ResourceInterface
	smile       string
	key, secret string
}

func run(ctx context.Context, namespace, smile, keys string, concurrency int) error {
	access, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return err
	}
	access.QPS = -1 // no limit of its own
	kube, err := dynamic.NewForConfig(access)
	if err != nil {
		return err
	}
	http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = concurrency
	l := &loop{
		users: kube.Resource(schema.GroupVersionResource{Group: "smile-operator.io", Version: "v1alpha1", Resource: "smileusers"}).Namespace(namespace),
		smile: smile,
	}
	l.key, l.secret, _ = strings.Cut(keys, ":")
	all, err := l.users.List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(concurrency)
	for i := range all.Items {
		user := &all.Items[i]
		group.Go(func() error { return l.create(ctx, user.GetName(), string(user.GetUID())) })
	}
	return group.Wait()
}

func (l *loop) create(ctx context.Context, name, uid string) error {
	now := time.Now().UTC().Format(time.RFC3339)
	err := l.store(ctx, name, map[string]any{"createAttempt": map[string]any{"id": string(uuid.NewUUID()), "startedAt": now}})
	if err != nil {
		return err
	}
	id, err := l.post(ctx, uid)
	if err != nil {
		return err
	}
	return l.store(ctx, name, map[string]any{
		"userID": id, "createdAt": now, "createAttempt": nil, "observedGeneration": 1,
		"conditions": []any{map[string]any{
			"type": "Ready", "status": "True", "reason": "Succeeded", "message": "", "lastTransitionTime": now, "observedGeneration": 1,
		}},
	})
}

func (l *loop) store(ctx context.Context, name string, status map[string]any) error {
	patch, err := json.Marshal(map[string]any{"status": status})
	if err != nil {
		return err
	}
	_, err = l.users.Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	return err
}

func (l *loop) post(ctx context.Context, uid string) (id string, err error) {
	body, err := json.Marshal(map[string]any{"externalMetadata": map[string]string{"bareloop": uid}})
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, l.smile+"/users", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	request.SetBasicAuth(l.key, l.secret)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	var answer struct {
		Data struct {
			User struct {
				ID string `json:"id"`
			} `json:"user"`
		} `json:"data"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return "", err
	}
	if answer.Data.User.ID == "" {
		return "", errors.New("no user in the answer " + response.Status)
	}
	return answer.Data.User.ID, nil
}
