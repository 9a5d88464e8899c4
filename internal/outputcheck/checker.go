// Package outputcheck looks after the Secrets and ConfigMaps that the operator has written. It reads the metadata of each by
// name, evenly spread over an interval. If the version is not the one that a reconcile of this process last read or wrote,
// it wakes the owner. It judges and repairs nothing itself.
package outputcheck

import (
	"context"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/smile-operator/smile-operator/internal/engine"
)

const (
	// DefaultInterval is the interval within which each output is read once.
	DefaultInterval = 5 * time.Minute
	// headStart is how long a process waits after its start, because other requests are more urgent.
	headStart = 10 * time.Second
	// wakeBuffer is how many owners may wait to be enqueued.
	wakeBuffer = 256
)

// Config is what a Checker needs.
type Config struct {
	// Objects reads the operator's objects from a cache with the indexes of RegisterIndexes.
	Objects client.Reader
	// Outputs reads past the cache.
	Outputs client.Reader
	// Interval within which each output is read once, and its owner reconciled if need be; 0 turns the checks off.
	Interval time.Duration
}

// Checker reads outputs and wakes their owners. It runs only in the leader.
type Checker struct {
	Config

	memory *memory
	wakes  map[string]chan event.TypedGenericEvent[types.NamespacedName]
}

// New makes a checker.
func New(config Config) *Checker {
	c := &Checker{Config: config, memory: newMemory(), wakes: map[string]chan event.TypedGenericEvent[types.NamespacedName]{}}
	for name := range kinds {
		c.wakes[name] = make(chan event.TypedGenericEvent[types.NamespacedName], wakeBuffer)
	}
	return c
}

// Wakes are the objects of a kind, as in SmileUser, whose outputs must be read by a reconcile.
func (c *Checker) Wakes(kind string) engine.Wakes { return c.wakes[kind] }

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (c *Checker) NeedLeaderElection() bool { return true }

// Start reads outputs until ctx ends.
func (c *Checker) Start(ctx context.Context) error {
	if c.Interval == 0 || !sleep(ctx, min(headStart, c.Interval)) {
		return nil
	}
	share := cycle(c.Interval) / sliceCount
	for slice, end := 0, time.Now(); ctx.Err() == nil; slice = (slice + 1) % sliceCount {
		end = later(end.Add(share), time.Now()) // a delay longer than a slice is not caught up
		c.read(ctx, slice, end)
		if slice == sliceCount-1 {
			c.memory.endCycle()
		}
	}
	return nil
}

// dueRead is a read that is due, and the owner of the output.
type dueRead struct {
	kind  string
	owner types.NamespacedName
	place place
}

// read reads the outputs of a slice, evenly spread over the time until its end. A slice that takes longer, because the API
// server is slow, delays all that follow.
func (c *Checker) read(ctx context.Context, slice int, end time.Time) {
	due := c.dueReads(ctx, slice)
	for i, one := range due {
		asked := time.Now()
		pace := end.Sub(asked) / time.Duration(len(due)-i)
		err := c.check(ctx, one)
		if err != nil {
			log.FromContext(ctx).V(1).Info("an output could not be read", "cause", err.Error())
		}
		if !sleep(ctx, pause(pace, time.Since(asked), err)) {
			return
		}
	}
	sleep(ctx, time.Until(end))
}

// dueReads are the reads of a slice.
func (c *Checker) dueReads(ctx context.Context, slice int) []dueRead {
	var due []dueRead
	for name, kind := range kinds {
		list := kind.list()
		err := c.Objects.List(ctx, list, client.MatchingFields{indexSlice: strconv.Itoa(slice)}, client.UnsafeDisableDeepCopy)
		if err != nil {
			continue // a synced cache does not fail
		}
		_ = meta.EachListItem(list, func(item runtime.Object) error {
			object := item.(engine.Object)
			for _, target := range wanted(object) {
				due = append(due, dueRead{name, client.ObjectKeyFromObject(object), place{target, object.GetNamespace(), object.GetUID()}})
			}
			return nil
		})
	}
	return due
}

// check reads the metadata of an output as the API server's own cache has it, which costs etcd nothing and puts no data
// on the wire. That may be old: an older or newer version is a reason to read the output itself.
func (c *Checker) check(ctx context.Context, one dueRead) error {
	read := &metav1.PartialObjectMetadata{}
	read.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(string(one.place.target.Kind)))
	key := client.ObjectKey{Namespace: one.place.namespace, Name: one.place.target.Name}
	err := c.Outputs.Get(ctx, key, read, &client.GetOptions{Raw: &metav1.GetOptions{ResourceVersion: "0"}})
	version := versionOf(read)
	if apierrors.IsNotFound(err) {
		version, err = versionOf(nil), nil
	}
	if err != nil || !c.memory.differs(one.place, version) {
		return err
	}
	select {
	case c.wakes[one.kind] <- event.TypedGenericEvent[types.NamespacedName]{Object: one.owner}:
	case <-ctx.Done():
	}
	return nil
}
