package accountsync_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"pgregory.net/rapid"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

// read reads something of Smile behind the operator's back.
func (s *scene) read(path string, into any) {
	GinkgoHelper()
	request := httptest.NewRequestWithContext(GinkgoTB().Context(), http.MethodGet, path, http.NoBody)
	request.SetBasicAuth(testenv.One.Key, testenv.One.Secret)
	request.RemoteAddr = "192.0.2.1:1"
	answer := httptest.NewRecorder()
	s.Smile.ServeHTTP(answer, request)
	Expect(answer.Code).To(Equal(http.StatusOK), path)
	Expect(json.Unmarshal(answer.Body.Bytes(), &struct{ Data any }{into})).To(Succeed())
}

// shouldHold are the ids of the items that an output should hold, by datapoint: a function of what Smile has and of the spec. An
// account in error counts if its data was fetched before the error; held names these accounts, because Smile does not show that.
func (s *scene) shouldHold(sync *v1alpha1.SmileAccountSync, held []string) map[string][]string {
	GinkgoHelper()
	var listed struct {
		Items []struct{ ID, ProviderID, ConnectionStatus string }
	}
	s.read("/v1/accounts?size=150&userId="+s.user.Status.UserID, &listed)
	should := map[string][]string{}
	for _, datapoint := range sync.Spec.Datapoints {
		should[string(datapoint.Type)] = []string{}
	}
	for _, account := range listed.Items {
		failed := account.ConnectionStatus == "ERROR" && slices.Contains(held, account.ID)
		covered := len(sync.Spec.Providers) == 0 || slices.Contains(sync.Spec.Providers, account.ProviderID)
		if !covered || account.ConnectionStatus != "CONNECTED" && !failed {
			continue
		}
		var payload map[string]json.RawMessage
		s.read("/v1/accounts/"+account.ID+"/payload", &payload)
		keys := map[string]string{"IDENTITIES": "identity", "CONTRIBUTIONS": "contributions", "INCOMES": "incomes", "RATINGS": "rating"}
		for datapoint, key := range keys {
			if _, wanted := should[datapoint]; !wanted {
				continue
			}
			for _, id := range idsIn(payload[key]) {
				should[datapoint] = append(should[datapoint], account.ID+"/"+id)
			}
		}
	}
	for _, ids := range should {
		slices.Sort(ids)
	}
	return should
}

type identified struct {
	ID        string `json:"id"`
	AccountID string `json:"accountId"`
}

func idsIn(raw json.RawMessage) []string {
	var one identified
	var many []identified
	if json.Unmarshal(raw, &many) != nil && json.Unmarshal(raw, &one) == nil && one.ID != "" {
		many = []identified{one}
	}
	var ids []string
	for _, item := range many {
		ids = append(ids, item.ID)
	}
	return ids
}

// doesHold are the ids of the items that the output holds.
func (s *scene) doesHold(sync *v1alpha1.SmileAccountSync) map[string][]string {
	GinkgoHelper()
	does, names := map[string][]string{}, map[string]string{
		"IDENTITIES": "identities.json", "CONTRIBUTIONS": "contributions.json", "INCOMES": "incomes.json", "RATINGS": "ratings.json",
	}
	for _, datapoint := range sync.Spec.Datapoints {
		ids := []string{}
		var all []identified
		if raw, ok := s.data().Data[names[string(datapoint.Type)]]; ok {
			Expect(json.Unmarshal(raw, &all)).To(Succeed())
		}
		for _, item := range all {
			ids = append(ids, item.AccountID+"/"+item.ID)
		}
		slices.Sort(ids)
		does[string(datapoint.Type)] = ids
	}
	return does
}

// moves are what can happen to a sync.
var moves = map[string]func(s *scene, sync *v1alpha1.SmileAccountSync, n int){
	"link": func(s *scene, _ *v1alpha1.SmileAccountSync, n int) {
		s.linked = append(s.linked, s.Smile.LinkGeorge(s.user.Status.UserID, []string{"sss_ph", "cdecorp", "xyzgigcompany"}[n%3]).ID)
	},
	"update":     func(s *scene, _ *v1alpha1.SmileAccountSync, n int) { s.account(n, s.Smile.Resync) },
	"disconnect": func(s *scene, _ *v1alpha1.SmileAccountSync, n int) { s.account(n, s.Smile.Disconnect) },
	"fail": func(s *scene, _ *v1alpha1.SmileAccountSync, n int) {
		s.account(n, func(id string) (sandbox.Account, error) { return s.Smile.Fail(id, "ACCOUNT_LOCKED") })
	},
	"reconcile": func(s *scene, sync *v1alpha1.SmileAccountSync, _ int) { _, _ = s.op.Reconcile(sync) },
	"ask": func(s *scene, sync *v1alpha1.SmileAccountSync, _ int) {
		s.ask(sync)
		_, _ = s.op.Reconcile(sync)
	},
	"wait": func(s *scene, sync *v1alpha1.SmileAccountSync, n int) {
		s.op.Live(time.Duration(n)*time.Minute/4, s.user, sync)
	},
	"break": func(s *scene, _ *v1alpha1.SmileAccountSync, n int) {
		s.Smile.Break(sandbox.Fault{
			Operation: []string{"get-account-payload", "list-tasks", "list-accounts", "get-account"}[n%4], Nth: 1 + n%2, Count: 1 + n%3,
			Action: []string{"status:500", "truncate:80", "reset"}[n%3],
		})
	},
	"repair":  func(s *scene, _ *v1alpha1.SmileAccountSync, _ int) { s.Smile.ClearFaults() },
	"restart": func(s *scene, _ *v1alpha1.SmileAccountSync, _ int) { s.op = s.Operator() },
	"edit": func(s *scene, _ *v1alpha1.SmileAccountSync, _ int) {
		if data, ok := s.Secret(testenv.DataName); ok {
			s.Change(data, func() { data.Data = map[string][]byte{"identities.json": []byte("[]")} })
		}
	},
	"remove": func(s *scene, _ *v1alpha1.SmileAccountSync, _ int) {
		if data, ok := s.Secret(testenv.DataName); ok {
			s.Delete(data)
		}
	},
	"respecify": func(s *scene, sync *v1alpha1.SmileAccountSync, n int) {
		s.Change(sync, func() {
			sync.Spec.Providers = [][]string{nil, {"sss_ph", "cdecorp"}, {"xyzgigcompany"}}[n%3]
			sync.Spec.Datapoints = [][]v1alpha1.Datapoint{
				{{Type: "IDENTITIES"}, {Type: "CONTRIBUTIONS"}}, {{Type: "IDENTITIES"}}, {{Type: "IDENTITIES"}, {Type: "INCOMES"}, {Type: "RATINGS"}},
			}[n%3]
		})
	},
}

// account calls a function for one of the linked accounts, and ignores its error.
func (s *scene) account(n int, what func(string) (sandbox.Account, error)) {
	if len(s.linked) > 0 {
		_, _ = what(s.linked[n%len(s.linked)])
	}
}

type move struct {
	Name string
	N    int
}

// lives draws what happens to a person. The same seed gives the same trial.
func lives() *rapid.Generator[[]move] {
	names := []string{}
	for name := range moves {
		names = append(names, name)
	}
	slices.Sort(names)
	names = append(names, "link", "link", "reconcile", "reconcile", "wait", "ask")
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) move {
		return move{rapid.SampledFrom(names).Draw(t, "move"), rapid.IntRange(0, 120).Draw(t, "n")}
	}), 12, 40)
}

var _ = Describe("Whatever happens in whatever order", func() {
	It("the output finally contains what Smile has and the spec selects", func() {
		for seed := range 20 {
			life := lives().Example(seed)
			By("living " + string(must(json.Marshal(life))))
			s := newScene(testenv.Config{})
			sync := s.sync()
			for _, one := range append([]move{{"link", 0}, {"ask", 0}}, life...) {
				moves[one.Name](s, sync, one.N)
			}
			s.Smile.ClearFaults()
			s.op.Live(2*interval, s.conn, s.user, sync)
			Expect(s.Outcome(sync).Reason).NotTo(BeEmpty())
			if _, ok := s.Secret(testenv.DataName); !ok {
				Expect(s.shouldHold(sync, nil)["IDENTITIES"]).To(BeEmpty(), "seed %d: there is no output", seed)
				continue
			}
			Expect(s.doesHold(sync)).To(Equal(s.shouldHold(sync, holds(s.data().Data))), "seed %d", seed)
			s.op.Quiet(sync)
		}
	})
})

func must(text []byte, err error) []byte {
	GinkgoHelper()
	Expect(err).NotTo(HaveOccurred())
	return text
}
