// Package smile is a client of the Smile Open API: one file per resource, typed
// errors, a tolerant reader and a pager.
//
// It depends neither on Kubernetes nor on how a request reaches the network: a
// [Doer] (package transport) adds credentials, the call budget and the limits.
//
// Two rules hold everywhere. No error text repeats what the remote side wrote. And
// nothing is sent twice, with one exception: a read whose response was damaged on
// the way is retried once.
package smile
