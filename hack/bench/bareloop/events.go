package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

const (
	maxEvent   = 256 << 10 // bytes
	maxWaiting = 16 << 10  // events
)

// receiver processes webhook events.
type receiver struct {
	*loop
	kube kubernetes.Interface
	// names of the SmileUsers, by the ids of their users at Smile.
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

// receive processes the events that arrive at an address, until something fails.
func (l *loop) receive(ctx context.Context, address string) error {
	names, err := l.namesByUser(ctx)
	if err != nil {
		return err
	}
	access := rest.CopyConfig(l.access)
	access.ContentType = "application/vnd.kubernetes.protobuf"
	kube, err := kubernetes.NewForConfig(access)
	if err != nil {
		return err
	}
	r := &receiver{loop: l, kube: kube, names: names, events: make(chan event, maxWaiting)}
	group, ctx := errgroup.WithContext(ctx)
	for range l.concurrency {
		group.Go(func() error { return r.work(ctx) })
	}
	server := &http.Server{Addr: address, Handler: r, ReadHeaderTimeout: callTimeout}
	group.Go(server.ListenAndServe)
	return group.Wait()
}

// namesByUser returns the names of the SmileUsers, by the ids of their users at Smile.
func (l *loop) namesByUser(ctx context.Context) (map[string]string, error) {
	users, err := l.users.List(ctx, metav1.ListOptions{})
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

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	var e event
	body, err := io.ReadAll(io.LimitReader(request.Body, maxEvent))
	if err != nil || json.Unmarshal(body, &e) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	select {
	case r.events <- e:
		w.WriteHeader(http.StatusNoContent)
	default:
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

func (r *receiver) work(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-r.events:
			if err := r.process(ctx, e); err != nil {
				return err
			}
		}
	}
}

// process fetches the data of an event's account and stores it in the user's Secret.
func (r *receiver) process(ctx context.Context, e event) error {
	var data struct {
		Identity      json.RawMessage `json:"identity"`
		Contributions json.RawMessage `json:"contributions"`
	}
	status, err := r.call(ctx, http.MethodGet, "/accounts/"+e.Data.SourceID+"/payload", nil, &data)
	if err != nil {
		return err
	}
	if data.Contributions == nil {
		return errors.New("no data in the response " + status)
	}
	_, err = r.kube.CoreV1().Secrets(r.namespace).Update(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: r.names[e.Data.UserID] + "-data"},
		Data: map[string][]byte{
			"identities.json": fmt.Appendf(nil, "[%s]", data.Identity), "contributions.json": data.Contributions,
		},
	}, metav1.UpdateOptions{})
	return err
}
