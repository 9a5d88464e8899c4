// Package ledgertest tests the erasure ledger on a real API server.
package ledgertest
