package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// writers is the number of requests to the API server that the bench makes at a time.
const writers = 16

func names(prefix string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("%s-%05d", prefix, i)
	}
	return all
}

func person(name string) *v1alpha1.SmileUser {
	return &v1alpha1.SmileUser{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       v1alpha1.SmileUserSpec{ConnectionRef: v1alpha1.ConnectionReference{Name: connectionName}},
	}
}

// declare creates a SmileUser for each name.
func (st *stage) declare(ctx context.Context, names []string) error {
	return st.each(ctx, "created", names, func(ctx context.Context, name string) error {
		return st.admin.Create(ctx, person(name))
	})
}

// requestRefresh requests a refresh of each user, by an annotation.
func (st *stage) requestRefresh(ctx context.Context, names []string) error {
	patch := fmt.Appendf(
		nil,
		`{"metadata":{"annotations":{%q:%q}}}`,
		v1alpha1.AnnotationRequestedAt,
		time.Now().UTC().Format(time.RFC3339Nano),
	)
	return st.each(ctx, "requested a refresh of", names, func(ctx context.Context, name string) error {
		return st.admin.Patch(ctx, person(name), client.RawPatch(types.MergePatchType, patch))
	})
}

// link links an account for each user, as the end user does in the widget.
func (st *stage) link(ctx context.Context, names []string, people *people) error {
	return st.each(ctx, "linked", names, func(_ context.Context, name string) error {
		account, err := st.smile.Link(george(people.of(name).userID))
		if err == nil && account.ConnectionStatus != sandbox.Connected {
			err = fmt.Errorf("the account of %s is %s", name, account.ConnectionStatus)
		}
		return err
	})
}

// george is what the sandbox's test person George enters into the widget.
func george(userID string) sandbox.LinkRequest {
	return sandbox.LinkRequest{UserID: userID, ProviderID: "sss_ph", Login: "George", Password: "123456", MFA: "1234"}
}

// each calls a function for all names, several at a time, and prints the progress.
func (st *stage) each(ctx context.Context, done string, names []string, do func(context.Context, string) error) error {
	began, count := time.Now(), atomic.Int64{}
	group, each := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	printed := time.Now()
	for _, name := range names {
		if each.Err() != nil {
			break
		}
		if time.Since(printed) > progressInterval {
			st.say("%s %d of %d users", done, count.Load(), len(names))
			printed = time.Now()
		}
		group.Go(func() error {
			defer count.Add(1)
			return do(each, name)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	st.say("%s %d users in %.1f s", done, len(names), time.Since(began).Seconds())
	return nil
}

// seen is a SmileUser as the watch last showed it.
type seen struct {
	userID    string
	connected int32
	// ready is when it was first shown as Ready. It is zero if it was not.
	ready time.Time
}

// people is what a watch has shown of all SmileUsers. The watch has its own client.
type people struct {
	mu  sync.Mutex
	all map[string]seen
}

// watchPeople watches until the scenario ends.
func (st *stage) watchPeople(ctx context.Context) *people {
	p := &people{all: map[string]seen{}}
	st.follow(ctx, &v1alpha1.SmileUserList{}, func(event watch.Event, now time.Time) {
		if user, ok := event.Object.(*v1alpha1.SmileUser); ok {
			p.note(user, now)
		}
	})
	return p
}

func (p *people) note(user *v1alpha1.SmileUser, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	known := p.all[user.Name]
	known.userID = user.Status.UserID
	if user.Status.Accounts != nil {
		known.connected = user.Status.Accounts.Connected
	}
	current := user.Status.ObservedGeneration == user.Generation
	if known.ready.IsZero() && current && meta.IsStatusConditionTrue(user.Status.Conditions, v1alpha1.ConditionReady) {
		known.ready = now
	}
	p.all[user.Name] = known
}

func (p *people) of(name string) seen {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all[name]
}

// count counts the users for which a function returns true.
func (p *people) count(so func(seen) bool) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, one := range p.all {
		if so(one) {
			n++
		}
	}
	return n
}

// lastReady is when the last user became Ready.
func (p *people) lastReady() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	var last time.Time
	for _, one := range p.all {
		if one.ready.After(last) {
			last = one.ready
		}
	}
	return last
}

func isReady(s seen) bool  { return !s.ready.IsZero() }
func isLinked(s seen) bool { return s.connected > 0 }

// allAre waits until a function returns true for a given number of users.
func (st *stage) allAre(
	ctx context.Context,
	o *operator,
	p *people,
	what string,
	n int,
	so func(seen) bool,
	limit time.Duration,
) error {
	return st.until(ctx, fmt.Sprintf("%d users are %s", n, what), limit, func() (bool, string, error) {
		count := p.count(so)
		return count >= n, fmt.Sprintf("%d are", count), o.alive()
	})
}
