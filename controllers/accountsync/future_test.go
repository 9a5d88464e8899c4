package accountsync_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

var _ = Describe("A Smile that returns more than is documented", func() {
	It("causes no repair, fetch or creation", func() {
		s := newScene(testenv.Config{Sandbox: sandbox.Options{Quirks: map[string]string{"future": "on", "data-sync": "off"}}})
		s.link("sss_ph")
		sync := s.sync()
		s.op.Live(interval, s.conn, s.user, sync)
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		written, ok := s.Secret(testenv.DataName)
		Expect(ok).To(BeTrue())
		fetched := s.Smile.Calls(0, "get-account-payload")

		s.op.Live(3*time.Hour, s.conn, s.user, sync)
		s.op = s.Operator()
		s.op.Live(3*time.Hour, s.conn, s.user, sync)
		now, _ := s.Secret(testenv.DataName)
		Expect(now.ResourceVersion).To(Equal(written.ResourceVersion))
		Expect(s.Smile.Calls(0, "get-account-payload")).To(Equal(fetched))
		Expect(s.Smile.Calls(0, "create-user")).To(Equal(1))
		Expect(s.Outcome(s.conn)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.Outcome(s.user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
	})

	It("and shows an account in an unknown status does not cause its data to be erased", func() {
		s := newScene(testenv.Config{})
		s.link("sss_ph")
		sync := s.sync()
		s.op.Live(interval, s.conn, s.user, sync)
		written, ok := s.Secret(testenv.DataName)
		Expect(ok).To(BeTrue())

		s.Smile.Instead = func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasPrefix(r.URL.Path, "/v1/accounts") || r.Method != http.MethodGet {
				return false
			}
			answer := httptest.NewRecorder()
			s.Smile.ServeHTTP(answer, r)
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(answer.Code)
			_, _ = w.Write(bytes.ReplaceAll(answer.Body.Bytes(), []byte(`"CONNECTED"`), []byte(`"TELEPORTING"`)))
			return true
		}
		s.op.Live(3*time.Hour, s.conn, s.user, sync)
		Expect(sync.Status.Accounts[0].ConnectionStatus).To(Equal("TELEPORTING"))
		Expect(s.Condition(sync, v1alpha1.ConditionAccountsConnected)).To(Equal("False/" + v1alpha1.ReasonAccountStatusUnknown))
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonAccountStatusUnknown)))
		kept, ok := s.Secret(testenv.DataName)
		Expect(ok).To(BeTrue())
		Expect(kept.Data["contributions.json"]).To(Equal(written.Data["contributions.json"]))
		Expect(sync.Status.Accounts[0].ErasedAt).To(BeNil())
	})
})
