// Package version holds the version of this build.
package version

// Version is a semantic version such as v0.1.0, or dev for a build that is not a release. The linker sets it: see LDFLAGS in the
// Makefile.
var Version = "dev"
