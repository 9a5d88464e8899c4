// Package sandbox starts the Smile sandbox inside a test or a tool. The sandbox is
// an offline emulation of Smile's API that keeps state. The program smile-sandbox
// serves the same.
//
// The parts are packages below this one, each of which imports only earlier ones:
//
//	clock     the sandbox clock, and alarms on it
//	wire      how the API writes JSON, timestamps and days
//	ids       identifiers and signatures from a seed
//	traffic   the journal, counts, the rate limit
//	ring      the newest values within a number of bytes
//	bodies    headers and bodies of calls and deliveries, for the page
//	disk      the file that keeps the state
//	canary    marks in personal data
//	validate  what requests may contain
//	quirks    switches for what the vendor's documents leave open
//	fixtures  providers, test people and their data
//	delivery  events to webhooks: queue, sender, faults
//	web       the widget and the overview page
//	server    the HTTP API, its state, the control API under /_sandbox/
//	contract  checks calls against an OpenAPI description
//	scenario  runs files that say what people do and what is expected of an application
//	cli       the command line of smile-sandbox
//
// None of them imports the operator's client: a test of one against the other
// would otherwise prove little.
package sandbox
