// Package e2e tests the operator as it runs in production: as a process of its own, built with the race detector unless it is
// measured, with the rights of its own service account, against a real API server and a sandbox of Smile, killed and stopped for
// real. Its assertions rely on the sandbox's journal and the API server's audit log, not on the operator.
//
// The tests need the build tag e2e and the binaries of a control plane; what reads manifests does not, and
// has tests of its own. Run them with
//
//	go test -tags e2e -parallel 16 -timeout 60m ./internal/e2e/
//
// and -short for a smaller number of users. E2E_SEED repeats a run's random choices; E2E_LOGS names a directory that
// keeps the logs of the operator, of the control plane and of the audit. With E2E_FLOOD, as make flood sets it, the
// receiver is sent as much, for as long, as is promised; with E2E_LONG, as make e2e-long sets it, tests run that take
// long or much memory. E2E_JOURNEY names the journey on which TestCrashPoints kills the operator at each of its calls and
// TestFailedWrites fails each of its writes; without it both are skipped. TestOlderVersion builds an earlier commit, and fetches
// it if a clone does not have it; E2E_WITHOUT_HISTORY skips the test where that fails.
package e2e
