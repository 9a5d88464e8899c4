// Package server is the sandbox itself: the Open API, the Link API of the widget,
// the control API under /_sandbox/, and the state behind them.
//
//   - routes.go lists the operations of the Open API, link_api.go those of the Link
//     API, control_http.go those of the control API. openapi.yaml describes all.
//   - call.go is the way of a call through rate limit, faults and journal to its
//     handler in handle_*.go or link_*.go.
//   - store.go is the state of a tenant. link.go, lifetime.go, archives.go and
//     items.go change it.
//   - event_queue.go is what happens later on the sandbox clock.
//   - events.go and occurrences.go notify the webhooks of changes.
//   - records.go and restore.go keep the state on the disk.
package server
