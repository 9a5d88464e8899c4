package tour

import (
	"testing"

	"github.com/smile-operator/smile-operator/internal/sandbox/contract"
	"github.com/smile-operator/smile-operator/internal/sandbox/server"
)

// TestOwnDescription: the sandbox conforms to its own description, and the tour
// covers every operation.
func TestOwnDescription(t *testing.T) {
	d, err := contract.Read(server.Description(), contract.Closed)
	if err != nil {
		t.Fatal(err)
	}
	report := run(t, d)
	if report.Violations() > 0 {
		t.Error(printed(t, report))
	}
	if got, want := len(report.Rows()), len(server.Emulated()); got != want {
		t.Errorf("%d operations, the sandbox has %d", got, want)
	}
	for _, row := range report.Rows() {
		if row.Accepted == 0 || row.Calls <= row.Accepted || len(row.Undocumented) > 0 {
			t.Errorf("%s: %d calls, %d accepted, undocumented %v", row.ID, row.Calls, row.Accepted, row.Undocumented)
		}
	}
}
