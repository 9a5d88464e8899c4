// Package sandbox is a faithful, stateful, offline emulator of Smile's Open
// API. It serves as the smile-sandbox program and, started in-process by
// Start, as the remote side of tests.
//
// Its parts: the operations and who answers them (routes.go), the way of one
// call through limits, faults and journal (call.go), the state of a tenant
// (store.go), what time does to it (agenda.go), the providers and people it
// knows (providers.go, people/), the control API under /_sandbox/ (control.go),
// which does what a person would do in the widget or in the portal, the widget
// itself with the Link API that it talks to (web/widget/, link_api.go), and the
// page for people at / (web/page.html, overview.go).
//
// The wire structs are its own: it shares none with the operator's client, so
// that a test of one against the other proves something.
package sandbox
