package accountsync_test

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

// ledger responds like a provider with a long history: 300 items of each list in the payload, and more in the lists.
type ledger struct {
	lists     []string
	pages     int
	textBytes int
	// broken replaces the response for a page of a list.
	broken func(list string, page int) (status int, body string)
}

const perPage = 150

func (l ledger) items(of string, first, count int) string {
	var all []string
	for i := first; i < first+count; i++ {
		all = append(all, fmt.Sprintf(`{"id":"%s-%d","amount":%d.50,"description":"%s","none":null}`, of, i, i, strings.Repeat("x", l.textBytes)))
	}
	return "[" + strings.Join(all, ",") + "]"
}

func (l ledger) answer(w http.ResponseWriter, r *http.Request) bool {
	body := ""
	if strings.HasSuffix(r.URL.Path, "/payload") {
		var lists []string
		for _, list := range l.lists {
			lists = append(lists, fmt.Sprintf("%q:%s", list, l.items(list, 0, 300)))
		}
		body = strings.Join(lists, ",")
	}
	status := http.StatusOK
	for _, list := range l.lists {
		if r.URL.Path != "/v1/"+list {
			continue
		}
		page, cursor := 0, "null"
		_, _ = fmt.Sscanf(r.URL.Query().Get("cursor"), "page-%d", &page)
		if page+1 < l.pages {
			cursor = fmt.Sprintf(`"page-%d"`, page+1)
		}
		body = fmt.Sprintf(`"nextCursor":%s,"items":%s`, cursor, l.items(list, page*perPage, perPage))
		if l.broken != nil {
			if code, text := l.broken(list, page); code != 0 {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(code)
				_, _ = w.Write([]byte(text))
				return true
			}
		}
	}
	if body == "" {
		return false
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(`{"code":"OK","message":"Success","requestId":"1","data":{` + body + `}}`))
	return true
}

func wanting(types ...v1alpha1.DatapointType) func(*v1alpha1.SmileAccountSync) {
	return func(sync *v1alpha1.SmileAccountSync) {
		sync.Spec.Datapoints = nil
		for _, t := range types {
			sync.Spec.Datapoints = append(sync.Spec.Datapoints, v1alpha1.Datapoint{Type: t})
		}
	}
}

var eleven = []v1alpha1.DatapointType{
	"IDENTITIES", "EMPLOYMENTS", "INCOMES", "CONTRIBUTIONS", "EINCOMES", "TRANSACTIONS", "DOCUMENTS", "RATINGS", "LIABILITIES", "LINK", "INSIGHTS",
}

var _ = Describe("Fetching", func() {
	It("fetches all eleven kinds of data of five accounts with at most six calls", func() {
		s := newScene(testenv.Config{})
		sync, _ := s.synced([]string{"sss_ph", "xyzgigcompany", "cdecorp", "abcplatform", "nbi_ph"}, wanting(eleven...), func(sync *v1alpha1.SmileAccountSync) {
			sync.Spec.RefreshInterval = &metav1.Duration{Duration: time.Hour}
		})
		for _, datapoint := range eleven {
			Expect(items(s.data().Data[strings.ToLower(string(datapoint))+".json"])).NotTo(BeEmpty(), string(datapoint))
		}
		Expect(holds(s.data().Data)).To(HaveLen(5))
		held, told, before := s.data().Data, s.op.Reasons(sync), s.Smile.Mark()
		sealed := s.data().Annotations[v1alpha1.AnnotationSeal]
		s.Pass(time.Hour)
		s.op.Run(sync)
		Expect(s.Smile.Calls(before, "get-account-payload")).To(Equal(5))
		Expect(s.data().Data).To(Equal(held))
		Expect(s.op.Reasons(sync)).To(Equal(told), "nothing new was written")
		Expect(s.data().Annotations[v1alpha1.AnnotationSeal]).NotTo(Equal(sealed), "only the seal was written: it says when the data was fetched")
		Expect(s.Smile.Calls(before)).To(Equal(5), "a due refresh makes no other call")

		before = s.Smile.Mark()
		s.ask(sync)
		s.op.Run(sync)
		Expect(s.Smile.Calls(before, "get-account-payload")).To(Equal(5))
		Expect(s.Smile.Calls(before)).To(Equal(6), "the accounts are read as well")
	})

	It("fetches only the account with new data", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph", "cdecorp", "xyzgigcompany"}, wanting("IDENTITIES", "INCOMES", "RATINGS", "CONTRIBUTIONS"))
		before := s.data().Data
		_, err := s.Smile.Resync(linked[0].ID)
		Expect(err).NotTo(HaveOccurred())
		mark := s.Smile.Mark()
		s.op.Live(interval, s.user, sync)
		Expect(s.Smile.Calls(mark, "get-account-payload")).To(Equal(1))
		Expect(items(s.data().Data["contributions.json"])).To(HaveLen(4))
		Expect(s.data().Data["incomes.json"]).To(Equal(before["incomes.json"]))
		Expect(holds(s.data().Data)).To(HaveLen(3))
	})

	It("completes truncated lists, and writes nothing while one of four cannot be completed", func() {
		s := newScene(testenv.Config{})
		sync, _ := s.synced([]string{"sss_ph"}, wanting("CONTRIBUTIONS", "EMPLOYMENTS", "EINCOMES", "LIABILITIES"))
		before := s.data()
		book := ledger{lists: []string{"contributions", "employments", "eincomes", "liabilities"}, pages: 5}
		for _, broken := range []func(string, int) (int, string){
			func(list string, page int) (int, string) {
				if list == "eincomes" && page == 2 {
					return http.StatusOK, `{"code":"OK","data":{"nextCursor":"page-3","items":[{"id":"i-1","amou`
				}
				return 0, ""
			},
			func(list string, _ int) (int, string) {
				if list == "liabilities" {
					return http.StatusInternalServerError, `{"code":"SERVER_ERROR","message":"no","requestId":"1"}`
				}
				return 0, ""
			},
		} {
			book.broken = broken
			s.Smile.Instead = book.answer
			s.ask(sync)
			handled := sync.Status.LastHandledRequest
			s.op.Fail(sync, 4)
			Expect(s.data()).To(Equal(before))
			Expect(s.Condition(sync, v1alpha1.ConditionDataSynced)).To(HavePrefix("False/"))
			Expect(sync.Status.LastHandledRequest).To(Equal(handled), "the request was not handled")
		}
		book.broken = nil
		s.Smile.Instead = book.answer
		s.op.Run(sync)
		for _, list := range book.lists {
			got := items(s.data().Data[list+".json"])
			Expect(got).To(HaveLen(5 * perPage))
			Expect(string(s.data().Data[list+".json"])).To(And(ContainSubstring(`"amount": 749.50`), ContainSubstring(`"none": null`)))
		}
		Expect(sync.Status.LastHandledRequest).To(Equal(sync.Annotations[v1alpha1.AnnotationRequestedAt]))
	})

	It("continues without an account that is disconnected meanwhile", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph", "cdecorp"}, wanting("IDENTITIES", "EMPLOYMENTS"))
		s.during(http.MethodGet, "/v1/accounts/"+linked[0].ID+"/payload", func() {
			_, err := s.Smile.Disconnect(linked[0].ID)
			Expect(err).NotTo(HaveOccurred())
			s.Pass(time.Second)
		})
		s.ask(sync)
		s.op.Run(sync)
		Expect(holds(s.data().Data)).To(Equal([]string{linked[1].ID}))
		s.op.Run(sync)
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		s.op.Quiet(sync)
	})

	It("never restores data that another process has erased meanwhile", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph"})
		leader := s.Operator()
		s.Smile.Instead = func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, "/payload") {
				return false
			}
			s.Smile.Instead = nil
			_, err := s.Smile.Disconnect(linked[0].ID)
			Expect(err).NotTo(HaveOccurred())
			s.Pass(interval)
			leader.Run(sync.DeepCopy())
			Expect(holds(s.data().Data)).To(BeEmpty())
			return answering(r.URL.Path, `{"code":"OK","message":"Success","requestId":"1","data":{"identity":{"id":"i-1","firstName":"George"}}}`)(w, r)
		}
		s.ask(sync)
		s.op.Fail(sync, 1)
		Expect(s.data().Data).To(HaveLen(1))
		Expect(holds(s.data().Data)).To(BeEmpty())
		leader.Live(time.Hour, s.user, sync)
		Expect(holds(s.data().Data)).To(BeEmpty())
	})

	It("reports when Smile takes longer than the promised five minutes, and when the data arrives", func() {
		s := newScene(testenv.Config{Sandbox: sandbox.Options{DataDelay: 7 * time.Minute}})
		sync := s.sync()
		s.link("sss_ph")
		s.ask(sync)
		s.op.Live(4*time.Minute+50*time.Second, s.user, sync)
		Expect(s.Condition(sync, v1alpha1.ConditionDataSynced)).To(Equal("False/Progressing"))
		s.op.Live(15*time.Second, s.user, sync)
		Expect(s.Condition(sync, v1alpha1.ConditionDataSynced)).To(Equal("False/DataOverdue"))
		Expect(s.Outcome(sync)).To(Equal(testenv.Waiting(v1alpha1.ReasonDataOverdue)))
		Expect(s.op.Reasons(sync)).To(ContainElement(v1alpha1.ReasonDataOverdue))
		s.op.Live(2*time.Minute, s.user, sync) // until there is data, just before which the mirror may have listed the tasks
		s.op.Live(interval, s.user, sync)
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
	})

	It("accepts an account that was missing for a while", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph"})
		missing := `{"code":"MISSING_RESOURCE","message":"no","requestId":"1"}`
		s.Smile.Instead = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/v1/accounts/"+linked[0].ID {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusNotFound)
				_, _ = w.Write([]byte(missing))
				return true
			}
			return answering("/v1/accounts", `{"code":"OK","message":"Success","requestId":"1","data":{"nextCursor":null,"items":[]}}`)(w, r)
		}
		s.op.Live(interval, s.user, sync)
		Expect(holds(s.data().Data)).To(BeEmpty())
		before := s.Smile.Mark()
		s.op.Live(interval, s.user, sync)
		Expect(s.Smile.Calls(before, "get-account")).To(BeZero(), "what is known to be gone is not asked about again")

		s.Smile.Instead = nil
		s.op.Live(interval, s.user, sync)
		Expect(holds(s.data().Data)).To(Equal([]string{linked[0].ID}))
		Expect(sync.Status.Accounts[0].ErasedAt).To(BeNil())
	})

	It("does not mark a request as handled while it is suspended", func() {
		s := newScene(testenv.Config{})
		sync, _ := s.synced([]string{"sss_ph"})
		s.Change(sync, func() { sync.Spec.Suspend = true })
		s.op.Run(sync)
		handled := sync.Status.LastHandledRequest
		s.ask(sync)
		s.op.Run(sync)
		Expect(sync.Status.LastHandledRequest).To(Equal(handled))
		s.Change(sync, func() { sync.Spec.Suspend = false })
		s.op.Run(sync)
		Expect(sync.Status.LastHandledRequest).To(Equal(sync.Annotations[v1alpha1.AnnotationRequestedAt]))
	})

	for code, reason := range map[string]string{
		"SERVICE_UNAVAILABLE": v1alpha1.ReasonProviderUnavailable, "SYSTEM_ERROR": v1alpha1.ReasonContactSmile, "ACCOUNT_LOCKED": v1alpha1.ReasonEndUserActionRequired,
	} {
		It("says who can fix an account in error: "+code, func() {
			s := newScene(testenv.Config{})
			sync, linked := s.synced([]string{"sss_ph"})
			before := s.data()
			_, err := s.Smile.Fail(linked[0].ID, code)
			Expect(err).NotTo(HaveOccurred())
			s.op.Live(interval, s.user, sync)
			Expect(s.Condition(sync, v1alpha1.ConditionAccountsConnected)).To(Equal("False/" + reason))
			Expect(s.Outcome(sync)).To(Equal(testenv.Ready(reason)))
			Expect(s.data()).To(Equal(before))
		})
	}
})

var _ = Describe("A large output", func() {
	part := func(n int) string { return fmt.Sprintf("%s-part-%d", testenv.DataName, n) }
	large := func(s *scene) (*v1alpha1.SmileAccountSync, []sandbox.Account) {
		GinkgoHelper()
		s.Smile.Instead = ledger{lists: []string{"transactions"}, pages: 7, textBytes: 2000}.answer
		return s.synced([]string{"xyzgigcompany"}, wanting("TRANSACTIONS", "IDENTITIES"))
	}

	It("of 2 MiB is split over several objects, shrinks, and is erased from all of them", func() {
		s := newScene(testenv.Config{})
		sync, linked := large(s)
		total := len(items(s.data().Data["transactions.json"]))
		Expect(holds(s.data().Data)).To(Equal([]string{linked[0].ID}))
		for n := 2; n <= 3; n++ {
			further, ok := s.Secret(part(n))
			Expect(ok).To(BeTrue())
			Expect(metav1.IsControlledBy(further, sync)).To(BeTrue())
			Expect(string(further.Data["part.json"])).To(ContainSubstring(sync.Status.Output.Fingerprint))
			total += len(items(further.Data["transactions.json"]))
		}
		Expect(total).To(Equal(7 * perPage))
		Expect(string(s.data().Data["index.json"])).To(And(ContainSubstring(part(3)), Not(ContainSubstring(part(4))), ContainSubstring(sync.Status.Output.Fingerprint)))
		Expect(sync.Status.Output.Others).To(HaveLen(2))
		s.op.Quiet(sync)

		further, _ := s.Secret(part(2))
		whole := further.Data
		s.Delete(further)
		s.op.Live(interval, s.user, sync)
		further, ok := s.Secret(part(2))
		Expect(ok).To(BeTrue())
		Expect(further.Data).To(Equal(whole))

		s.Smile.Instead = nil
		s.ask(sync)
		s.op.Run(sync)
		for n := 2; n <= 3; n++ {
			_, ok := s.Secret(part(n))
			Expect(ok).To(BeFalse())
		}
		Expect(sync.Status.Output.Others).To(BeEmpty())
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
	})

	It("contains nothing in any part when consent ends", func() {
		s := newScene(testenv.Config{})
		sync, linked := large(s)
		_, err := s.Smile.Disconnect(linked[0].ID)
		Expect(err).NotTo(HaveOccurred())
		s.op.Live(interval, s.user, sync)
		Expect(s.data().Data).To(HaveLen(1))
		for n := 2; n <= 3; n++ {
			_, ok := s.Secret(part(n))
			Expect(ok).To(BeFalse())
		}
	})

	It("is either complete or unchanged, and no part of it is forgotten, when a write is interrupted", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"xyzgigcompany"}, wanting("TRANSACTIONS", "IDENTITIES"))
		before := s.data()
		s.Smile.Instead = ledger{lists: []string{"transactions"}, pages: 7, textBytes: 2000}.answer
		failing := s.Operator(refusingUpdates)
		s.ask(sync)
		_, err := failing.Reconcile(sync)
		Expect(err).To(HaveOccurred())
		Expect(s.data()).To(Equal(before), "the object with the index is written last")
		_, ok := s.Secret(part(2))
		Expect(ok).To(BeTrue())

		_, err = s.Smile.Disconnect(linked[0].ID)
		Expect(err).NotTo(HaveOccurred())
		s.Smile.Instead = nil
		s.op = s.Operator()
		s.op.Live(interval, s.user, sync)
		Expect(holds(s.data().Data)).To(BeEmpty())
		for n := 2; n <= 3; n++ {
			_, ok := s.Secret(part(n))
			Expect(ok).To(BeFalse(), "part %d", n)
		}
	})
})

var _ = Describe("The objects of an output", func() {
	It("have the template's metadata and their owner, also after somebody removed them", func() {
		s := newScene(testenv.Config{})
		sync, _ := s.synced([]string{"sss_ph"}, func(sync *v1alpha1.SmileAccountSync) {
			sync.Spec.Output.Template = &v1alpha1.OutputTemplate{Metadata: &v1alpha1.OutputMetadata{
				Labels:      map[string]v1alpha1.LabelValue{"team": "loans"},
				Annotations: map[string]v1alpha1.AnnotationValue{"reloader.stakater.com/match": "true"},
			}}
		})
		Expect(s.data().Labels).To(Equal(map[string]string{"team": "loans"}))
		Expect(s.data().Annotations).To(HaveKeyWithValue("reloader.stakater.com/match", "true"))
		fetched := s.fetches()

		data := s.data()
		s.Change(data, func() {
			data.Labels = map[string]string{"other": "stays"}
			data.OwnerReferences = nil
		})
		s.op.Live(interval, s.user, sync)
		Expect(s.data().Labels).To(Equal(map[string]string{"team": "loans", "other": "stays"}))
		Expect(metav1.IsControlledBy(s.data(), sync)).To(BeTrue())
		Expect(s.fetches()).To(Equal(fetched), "nothing was fetched for that")

		s.Change(sync, func() { sync.Spec.Output.Template = nil })
		s.op.Run(sync)
		Expect(s.data().Labels).To(Equal(map[string]string{"other": "stays"}))
		s.op.Quiet(sync)
	})

	It("stay unchanged once they have another owner", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph"})
		data := s.data()
		s.Change(data, func() {
			data.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: "x", UID: "u-1", Controller: ptr.To(true)}}
		})
		claimed := s.data()
		s.op.Live(interval, s.user, sync)
		Expect(s.Outcome(sync)).To(Equal(testenv.Stalled(v1alpha1.ReasonOutputConflict)))
		_, err := s.Smile.Disconnect(linked[0].ID)
		Expect(err).NotTo(HaveOccurred())
		s.op.Live(interval, s.user, sync)
		Expect(s.data()).To(Equal(claimed))
	})

	It("are not written into a namespace that is being deleted, and nothing is revoked because of it", func() {
		s := newScene(testenv.Config{})
		s.link("sss_ph")
		sync := s.sync()
		s.Delete(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.Namespace}})
		s.ask(sync)
		s.op.Run(sync)
		Expect(s.Outcome(sync)).To(Equal(testenv.Waiting(v1alpha1.ReasonNamespaceTerminating)))
		s.Delete(sync)
		s.op.Run(sync)
		s.Delete(s.user)
		s.op.Run(s.user)
		Expect(s.Smile.Calls(0, "delete-account", "delete-archive")).To(BeZero())
	})
})
