// Package contract checks calls and responses against any OpenAPI description
// of version 3.0 or 3.1.
//
// A Document is read once and checks any number of exchanges. A Report sums up
// the findings. The package does not depend on the sandbox: the sandbox's tests
// use it with the sandbox's own description, and package tour uses it with the
// vendor's.
package contract
