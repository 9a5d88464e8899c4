package webhook_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

var _ = Describe("A Smile that shows more than was registered", func() {
	for receiver, changes := range map[string][]change{
		"of the operator": nil, "of an application": {to("https://app.example.com/smile")},
	} {
		It("causes no repair or replacement, with a receiver "+receiver, func() {
			s := newScene(sandbox.Options{Quirks: map[string]string{"future": "on"}})
			sub := s.registered(changes...)
			Expect(string(s.elsewhere("GET", "/v1/webhooks", nil))).To(ContainSubstring("ADDED_LATER"))
			s.op.Live(time.Hour, sub, s.conn)
			s.restart()
			s.op.Live(time.Hour, sub, s.conn)
			Expect(s.creates()).To(Equal(1))
			Expect(s.Smile.Calls(0, "delete-webhook")).To(BeZero())
			Expect(s.Outcome(sub)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
			Expect(s.op.Events(sub)).To(BeEmpty())
		})
	}
})
