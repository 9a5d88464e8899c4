package main

import (
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"
)

func TestNoSleep(t *testing.T) {
	analysistest.Run(t, analysistest.TestData(), noSleep, "house/internal/sleepy")
}

func TestOnlyOutputWrites(t *testing.T) {
	for _, pkg := range []string{"house/controllers/user", "house/internal/output"} {
		t.Run(pkg, func(t *testing.T) { analysistest.Run(t, analysistest.TestData(), onlyOutputWrites, pkg) })
	}
}

func TestOnlyConnectionMutates(t *testing.T) {
	for _, pkg := range []string{"house/controllers/revoker", "house/internal/connection", "house/internal/smile/transport"} {
		t.Run(pkg, func(t *testing.T) { analysistest.Run(t, analysistest.TestData(), onlyConnectionMutates, pkg) })
	}
}
