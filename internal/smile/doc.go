// Package smile is a client of the Smile Open API: one file per resource, typed
// errors, a tolerant reader and a pager.
//
// It knows neither Kubernetes nor how a request reaches the network: a [Doer]
// (package transport) adds credentials, the call budget and the limits.
//
// Two rules hold everywhere. What the remote side wrote is never repeated in an
// error text. And nothing is sent twice, with one exception: a read whose answer
// was damaged on its way is tried once more.
package smile
