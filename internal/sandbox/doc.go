// Package sandbox starts the Smile sandbox inside a test or a tool. The sandbox is
// an offline emulation of Smile's API that keeps state. The program smile-sandbox
// serves the same.
//
// The parts are packages below this one, each of which imports only earlier ones:
//
//	clock, wire, ids, disk, traffic   the clock and alarms; JSON and timestamps; ids; a file that survives a kill; journal and rate limit
//	canary, validate, quirks          marks in personal data; what requests may contain; switches for what the vendor leaves open
//	fixtures                          providers, test people and their data
//	delivery                          events to webhooks: queue, sender, faults
//	web                               the widget and the overview page
//	server                            the HTTP API, its state, and the control API under /_sandbox/
//	contract                          checks calls against an OpenAPI document
//	cli                               the command line of smile-sandbox
//
// None of them imports the operator's client: a test of one against the other
// would otherwise prove little.
package sandbox
