package tour

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/smile-operator/smile-operator/internal/sandbox/delivery"
)

// neverSent are the types of event that the sandbox does not cause: those of risk
// screening, updates of some data, and the wildcard.
var neverSent = []string{
	"ALL_EVENTS", "DOCUMENTS_UPDATED", "EMPLOYMENTS_UPDATED", "INCOMES_UPDATED", "LIABILITIES_UPDATED", "RECORD_COMPLETED",
	"RECORD_CREATED", "VERIFICATION_COMPLETED", "VERIFICATION_STARTED",
}

// TestEvents: every type of event that the sandbox can cause occurs, with and without a
// payload.
func TestEvents(t *testing.T) {
	all, err := Events(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	occur, payloads := map[string]bool{}, map[bool]int{}
	for _, text := range all {
		var event struct {
			Type string
			Data struct{ Payload any }
		}
		if err := json.Unmarshal(text, &event); err != nil {
			t.Fatal(err)
		}
		occur[event.Type] = true
		if event.Type == "TASK_FINISHED" {
			payloads[event.Data.Payload != nil]++
		}
	}
	missing := slices.DeleteFunc(slices.Sorted(slices.Values(delivery.EventTypes)), func(kind string) bool { return occur[kind] })
	if diff := cmp.Diff(neverSent, missing); diff != "" {
		t.Error(diff, slices.Sorted(maps.Keys(occur)))
	}
	if payloads[true] == 0 || payloads[false] == 0 {
		t.Errorf("events with and without payload: %v", payloads)
	}
}
