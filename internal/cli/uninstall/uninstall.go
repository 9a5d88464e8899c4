// Package uninstall prepares the removal of the operator, so that nothing waits for it afterwards. It changes nothing at Smile:
// docs/uninstall.md.
package uninstall

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

const (
	// Window is how long the released objects are not held again. The operator must be removed within it.
	Window = 15 * time.Minute
	// DefaultWait is how long deletions that have begun may take to do at Smile what their policy says.
	DefaultWait = 60 * time.Second
	// obedience is how long the operator may take to release an object because of an annotation, before this command does it.
	obedience = 10 * time.Second
	// lastResort is how long removing the finalizers of all such objects may take.
	lastResort = 30 * time.Second
	// shortestPoll is the time between two listings at least, and a listing takes a fifth of the time at most.
	shortestPoll, pollShare = time.Second, 5
)

// Options of an uninstall.
type Options struct {
	// Namespaces with the operator's objects; all when empty.
	Namespaces []string
	// Selector of the operator's objects; all when empty. With it, only the objects of one shard are released.
	Selector string
	// DryRun only reports what would be done.
	DryRun bool
	// Wait is how long deletions that have begun may take.
	Wait time.Duration
	// Progress receives a line now and then.
	Progress io.Writer
}

// ErrLeft means that objects are left that something else holds.
var ErrLeft = errors.New("some objects are still held")

// Run releases all objects. The report is valid also if it fails with ErrLeft.
func Run(ctx context.Context, access *rest.Config, options Options) (*Report, error) {
	access = rest.CopyConfig(access)
	access.QPS = -1 // the API server has its own fairness
	resources, err := discovery.NewDiscoveryClientForConfig(access)
	if err != nil {
		return nil, err
	}
	objects, err := dynamic.NewForConfig(access)
	if err != nil {
		return nil, err
	}
	kinds, err := discoverKinds(resources)
	if err != nil {
		return nil, fmt.Errorf("discovering the kinds of the operator: %w", err)
	}
	return newReleaser(objects, kinds, options).run(ctx)
}

// releaser is one uninstall.
type releaser struct {
	Options

	objects dynamic.Interface
	kinds   []kind
	began   time.Time
	until   time.Time
	report  *Report
	// deleting are the objects whose deletion has begun, as last listed.
	deleting map[string]object
	// waiting is the number of deletions that was last shown.
	waiting int

	// mu guards released and ordered.
	mu sync.Mutex
	// released are the objects from which finalizers were removed, by UID.
	released map[string]Object
	// ordered is when the operator was told to end a deletion, by UID.
	ordered map[string]time.Time
}

func newReleaser(objects dynamic.Interface, kinds []kind, options Options) *releaser {
	began := time.Now()
	until := began.Add(Window).UTC().Truncate(time.Second)
	return &releaser{
		Options: options, objects: objects, kinds: kinds, began: began, until: until,
		report:   &Report{DryRun: options.DryRun, ReleasedUntil: until},
		deleting: map[string]object{}, released: map[string]Object{}, ordered: map[string]time.Time{},
	}
}

// run lists the objects again and again, until none is held and none is being deleted.
func (r *releaser) run(ctx context.Context) (*Report, error) {
	for {
		listing := time.Now()
		found, err := r.list(ctx)
		if err != nil {
			return nil, err
		}
		took := time.Since(listing)
		if r.DryRun {
			r.report.plan(found)
			return r.report, nil
		}
		r.ended(found)
		if len(found) == 0 {
			return r.conclude(nil), nil
		}
		if time.Since(r.began) > r.Wait+obedience+lastResort {
			return r.conclude(found), ErrLeft
		}
		if err := r.act(ctx, found); err != nil {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(max(shortestPoll, pollShare*took)):
		}
	}
}

func (r *releaser) conclude(left []object) *Report {
	for _, o := range r.released {
		r.report.Released = append(r.report.Released, o)
	}
	for _, o := range left {
		r.report.Left = append(r.report.Left, o.Object)
	}
	r.report.sort()
	return r.report
}

// ended records how the deletions ended of the objects that are no longer found.
func (r *releaser) ended(found []object) {
	deleting := map[string]object{}
	for _, o := range found {
		if o.deleting {
			deleting[o.uid] = o
		}
	}
	for uid, o := range r.deleting {
		if _, there := deleting[uid]; there {
			continue
		}
		if _, forced := r.ordered[uid]; forced {
			r.report.Orphaned = append(r.report.Orphaned, o.Object)
		} else {
			r.report.Completed = append(r.report.Completed, o.Object)
		}
	}
	r.deleting = deleting
}

// act does what the state of each object requires, in the order of docs/uninstall.md.
func (r *releaser) act(ctx context.Context, found []object) error {
	living := filter(found, func(o object) bool { return !o.deleting })
	err := r.each(ctx, "released", living, r.release)
	if err != nil || len(r.deleting) == 0 {
		return err
	}
	r.sayWaiting()
	if time.Since(r.began) < r.Wait {
		return nil
	}
	held := filter(found, func(o object) bool { return o.deleting && o.held() })
	return r.each(ctx, "ended the deletion of", held, r.force)
}

// release removes the finalizer of an object that is not being deleted, and asks the operator to add none for a while.
func (r *releaser) release(ctx context.Context, o object) error {
	if err := r.patch(ctx, o, o.releasing(r.until)); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.released[o.uid] = o.Object
	return nil
}

// force ends a deletion: first by the operator, which records that something is left at Smile.
func (r *releaser) force(ctx context.Context, o object) error {
	r.mu.Lock()
	since, told := r.ordered[o.uid]
	r.mu.Unlock()
	if told && time.Since(since) < obedience {
		return nil
	}
	if told {
		return r.patch(ctx, o, o.unholding())
	}
	if err := r.patch(ctx, o, o.orphaning()); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ordered[o.uid] = time.Now()
	return nil
}

// sayWaiting shows how many deletions have not ended, when their number has changed.
func (r *releaser) sayWaiting() {
	if n := len(r.deleting); n != r.waiting {
		r.waiting = n
		r.say("waiting for the deletion of %s, until %s at most", count(n), r.began.Add(r.Wait).Format(time.TimeOnly))
	}
}

func (r *releaser) say(format string, values ...any) {
	fmt.Fprintf(r.Progress, format+"\n", values...)
}
