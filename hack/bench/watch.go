package main

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// watchPause is the time until a watch that could not be opened is retried.
const watchPause = 200 * time.Millisecond

// follow calls a function for all events of the objects of a list, until ctx or the scenario ends.
func (st *stage) follow(ctx context.Context, list client.ObjectList, note func(watch.Event, time.Time)) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil { // the API server ends every watch at some time; the next begins with all that there is
			watching, err := st.admin.Watch(ctx, list, client.InNamespace(namespace))
			if err == nil {
				dispatch(ctx, watching, note)
				continue
			}
			select {
			case <-ctx.Done():
			case <-time.After(watchPause):
			}
		}
	}()
	st.later(func() error { cancel(); <-ended; return nil })
}

// dispatch calls the function for the events of one watch until it ends.
func dispatch(ctx context.Context, watching watch.Interface, note func(watch.Event, time.Time)) {
	defer watching.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case event, open := <-watching.ResultChan():
			if !open {
				return
			}
			note(event, time.Now())
		}
	}
}
