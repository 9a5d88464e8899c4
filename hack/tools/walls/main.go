// Command walls is a go vet tool for the rules of the house that no ready-made
// linter can express: only internal/output writes Secrets and ConfigMaps, and
// nothing sleeps but on a fake clock.
//
//	go vet -vettool=bin/walls ./...
package main

import "golang.org/x/tools/go/analysis/unitchecker"

func main() { unitchecker.Main(onlyOutputWrites, noSleep) }
