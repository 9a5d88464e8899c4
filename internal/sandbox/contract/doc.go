// Package contract checks calls and answers against an OpenAPI description,
// version 3.0 or 3.1, whoever wrote it.
//
// A Document is read once and checks any number of exchanges; a Report adds up
// what it finds. The package knows no sandbox: the tests of the sandbox use it
// with the sandbox's own description, and package tour with that of a vendor.
package contract
