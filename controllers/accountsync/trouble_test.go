package accountsync_test

import (
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

var _ = Describe("A SmileAccountSync in trouble", func() {
	actions := map[string]string{
		"status:500": v1alpha1.ReasonSmileUnavailable, "status:503": v1alpha1.ReasonSmileUnavailable, "reset": v1alpha1.ReasonSmileUnavailable,
		"truncate:100": v1alpha1.ReasonInvalidResponse, "garbage": v1alpha1.ReasonInvalidResponse, "empty": v1alpha1.ReasonInvalidResponse,
	}
	operations := map[string]string{
		"list-accounts": v1alpha1.ConditionAccountsConnected, "list-tasks": v1alpha1.ConditionDataSynced,
		"get-account-payload": v1alpha1.ConditionDataSynced,
	}
	for operation, condition := range operations {
		for action, reason := range actions {
			It(fmt.Sprintf("keeps the last data during %s of %s, reports it after the third time, and recovers", action, operation), func() {
				s := newScene(testenv.Config{})
				sync, linked := s.synced([]string{"sss_ph"})
				before := s.data()
				_, err := s.Smile.Resync(linked[0].ID)
				Expect(err).NotTo(HaveOccurred())
				s.Smile.Break(sandbox.Fault{Operation: operation, Count: -1, Phase: "after", Action: action})
				s.Hint(s.user)
				s.op.Fail(sync, 2)
				Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
				s.op.Fail(sync, 1)
				Expect(s.Outcome(sync)).To(Equal(testenv.Waiting(reason)))
				Expect(s.Condition(sync, condition)).To(Equal("False/" + reason))
				s.op.Quiet(sync)
				Expect(s.data()).To(Equal(before))

				s.Smile.ClearFaults()
				s.op.Run(sync)
				Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
				Expect(len(items(s.data().Data["contributions.json"]))).To(BeNumerically(">", 3))
			})
		}
	}

	It("writes nothing unless it has all data, and forgets no new data", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph", "cdecorp"}, func(sync *v1alpha1.SmileAccountSync) {
			sync.Spec.Datapoints = []v1alpha1.Datapoint{{Type: "IDENTITIES"}, {Type: "EMPLOYMENTS"}, {Type: "CONTRIBUTIONS"}, {Type: "INCOMES"}}
		})
		before, monthly := s.data(), map[string]string{"sss_ph": "contributions.json", "cdecorp": "incomes.json"}
		for i, account := range linked {
			for _, each := range linked {
				_, err := s.Smile.Resync(each.ID)
				Expect(err).NotTo(HaveOccurred())
			}
			s.Smile.Break(sandbox.Fault{Operation: "get-account-payload", Nth: i + 1, Action: "status:500"})
			s.op.Poll()
			s.op.Fail(sync, 1)
			Expect(s.data()).To(Equal(before))
			s.Smile.ClearFaults()

			s.op = s.Operator()
			s.op.Live(time.Minute, sync)
			Expect(s.data()).NotTo(Equal(before), "the news of %s", account.ProviderID)
			Expect(len(items(s.data().Data[monthly[account.ProviderID]]))).To(
				BeNumerically(">", len(items(before.Data[monthly[account.ProviderID]]))))
			before = s.data()
		}
	})

	It("keeps the last data when there is more than an output may hold, until there is less", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph"})
		before := s.data()
		identity := fmt.Sprintf(`{"id":"i-1","firstName":"George","fullName":"%s"}`, strings.Repeat("long ", 200_000))
		s.Smile.Instead = answering("/v1/accounts/"+linked[0].ID+"/payload",
			`{"code":"OK","message":"Success","requestId":"1","data":{"identity":[`+identity+`],"contributions":[]}}`)
		s.Change(sync, func() { sync.Spec.Datapoints = append(sync.Spec.Datapoints, v1alpha1.Datapoint{Type: "LIABILITIES"}) })
		s.op.Run(sync)
		Expect(s.Outcome(sync)).To(Equal(testenv.Stalled(v1alpha1.ReasonOutputTooLarge)))
		Expect(s.Condition(sync, v1alpha1.ConditionOutputReady)).To(Equal("False/OutputTooLarge"))
		s.op.Quiet(sync)
		s.op.Live(time.Hour, sync)
		Expect(s.Outcome(sync)).To(Equal(testenv.Stalled(v1alpha1.ReasonOutputTooLarge)), "it does not count as done")
		Expect(s.data()).To(Equal(before))

		s.Change(sync, func() { sync.Spec.Datapoints[0].Fields = []v1alpha1.FieldPath{"firstName"} })
		s.op.Run(sync)
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(string(s.data().Data["identities.json"])).To(ContainSubstring("George"))
	})

	It("ignores what Smile lists of another person", func() {
		s := newScene(testenv.Config{})
		sync, _ := s.synced([]string{"sss_ph"})
		before := s.data()
		s.Smile.Instead = answering("/v1/accounts", `{"code":"OK","message":"Success","requestId":"1","data":{"nextCursor":null,"items":[
			{"id":"a-1","userId":"tenant-other","providerId":"sss_ph","connection":{"status":"CONNECTED"}}]}}`)
		s.ask(sync)
		s.op.Fail(sync, 3)
		Expect(s.Outcome(sync)).To(Equal(testenv.Waiting(v1alpha1.ReasonInvalidResponse)))
		Expect(s.data()).To(Equal(before))
	})

	It("writes numbers as Smile sent them, to the last digit", func() {
		s := newScene(testenv.Config{})
		linked := s.link("sss_ph")
		sync := s.sync()
		s.Smile.Instead = answering("/v1/accounts/"+linked[0].ID+"/payload", `{"code":"OK","message":"Success","requestId":"1","data":{
			"identity":{"id":"i-1","score":12345678901234567890.10},
			"contributions":[{"id":"c-1","amount":222.0000,"small":-25.5000,"exponent":1E2,"none":null}]}}`)
		s.ask(sync)
		s.op.Run(sync)
		Expect(string(s.data().Data["contributions.json"])).To(And(
			ContainSubstring(`"amount": 222.0000,`), ContainSubstring(`"small": -25.5000`), ContainSubstring(`"exponent": 1E2,`), ContainSubstring(`"none": null`)))
		Expect(string(s.data().Data["identities.json"])).To(ContainSubstring(`"score": 12345678901234567890.10`))
	})
})
