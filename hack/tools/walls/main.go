// Command walls is a go vet tool for the project's rules that no ready-made
// linter can express: only internal/connection changes something at Smile, only
// internal/output writes Secrets and ConfigMaps, and nothing sleeps but on a fake clock.
//
//	go vet -vettool=bin/walls ./...
package main

import "golang.org/x/tools/go/analysis/unitchecker"

func main() { unitchecker.Main(onlyConnectionMutates, onlyOutputWrites, noSleep) }
