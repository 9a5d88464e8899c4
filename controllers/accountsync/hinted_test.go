package accountsync_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

// refresh makes Smile gather more data of an account.
func (s *scene) refresh(account sandbox.Account) {
	GinkgoHelper()
	s.Pass(5 * time.Second)
	_, err := s.Smile.Resync(account.ID)
	Expect(err).NotTo(HaveOccurred())
}

func (s *scene) contributions() int {
	GinkgoHelper()
	return len(items(s.data().Data["contributions.json"]))
}

// neighbor is a user of another namespace under the same key pair, with a linked account.
func (s *scene) neighbor() (*v1alpha1.SmileUser, sandbox.Account) {
	GinkgoHelper()
	namespace := s.NewNamespace()
	conn, keys, user := testenv.Connection(testenv.ConnectionName), testenv.Keys(testenv.KeysName, testenv.One), testenv.User("anna")
	conn.Namespace, keys.Namespace, user.Namespace = namespace, namespace, namespace
	s.Create(conn, keys, user)
	s.op.Run(conn, user)
	account := s.Smile.LinkGeorge(user.Status.UserID, "sss_ph")
	s.Pass(time.Second)
	return user, account
}

// alter changes the responses to calls of a path.
func (s *scene) alter(suffix string, change func(*httptest.ResponseRecorder)) {
	s.Smile.Instead = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, suffix) {
			return false
		}
		recorded := httptest.NewRecorder()
		s.Smile.ServeHTTP(recorded, r)
		change(recorded)
		for name, values := range recorded.Header() {
			w.Header()[name] = values
		}
		w.Header().Del("Content-Length")
		w.WriteHeader(recorded.Code)
		_, _ = io.Copy(w, recorded.Body)
		return true
	}
}

// recording records the requests of an operator to the API server, except reads from its cache.
func recording(requests *[]string) testenv.Wrap {
	note := func(verb string, obj client.Object) { *requests = append(*requests, verb+" "+obj.GetName()) }
	return func(live client.WithWatch) client.WithWatch {
		return interceptor.NewClient(live, interceptor.Funcs{
			Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, options ...client.GetOption) error {
				if _, secret := obj.(*corev1.Secret); secret {
					*requests = append(*requests, "get "+key.Name)
				}
				return c.Get(ctx, key, obj, options...)
			},
			Create: func(ctx context.Context, c client.WithWatch, obj client.Object, options ...client.CreateOption) error {
				note("create", obj)
				return c.Create(ctx, obj, options...)
			},
			Update: func(ctx context.Context, c client.WithWatch, obj client.Object, options ...client.UpdateOption) error {
				note("update", obj)
				return c.Update(ctx, obj, options...)
			},
			Patch: func(ctx context.Context, c client.WithWatch, obj client.Object, patch client.Patch, options ...client.PatchOption) error {
				note("patch", obj)
				return c.Patch(ctx, obj, patch, options...)
			},
			SubResourcePatch: func(ctx context.Context, c client.Client, sub string, obj client.Object, patch client.Patch, options ...client.SubResourcePatchOption) error {
				note("patch "+sub+" of", obj)
				return c.SubResource(sub).Patch(ctx, obj, patch, options...)
			},
		})
	}
}

var _ = Describe("A hint about an account", func() {
	It("costs one call to fetch new data, and the next poll finds nothing more", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph"})
		s.refresh(linked[0])
		before, had := s.Smile.Mark(), s.contributions()
		s.HintAbout(s.user, s.DataOf(linked[0].ID))
		s.op.Run(s.user, sync)
		Expect(s.contributions()).To(BeNumerically(">", had))
		Expect(s.Smile.Calls(before)).To(Equal(1))
		Expect(s.Smile.Calls(before, "get-account-payload")).To(Equal(1))
		Expect(sync.Status.Accounts[0].DataAsOf.Time).To(BeTemporally("==", s.SmileNow().Truncate(time.Second)))

		s.op.Quiet(sync)
		s.op.Live(interval, s.user, sync)
		Expect(s.Smile.Calls(before, "get-account-payload")).To(Equal(1))
	})

	It("costs two calls to fetch the data of a new account, and one for its provider", func() {
		s := newScene(testenv.Config{})
		sync, account := s.sync(), s.link("sss_ph")[0]
		before := s.Smile.Mark()
		s.HintAbout(s.user, s.DataOf(account.ID))
		s.op.Run(sync, s.user)
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(holds(s.data().Data)).To(Equal([]string{account.ID}))
		Expect(s.user.Status.Accounts.Connected).To(BeEquivalentTo(1))
		Expect(s.Smile.Calls(before, "get-account", "get-account-payload")).To(Equal(2))
		Expect(s.Smile.Calls(before)).To(Equal(3), "two calls, and one for the provider")

		_, err := s.Smile.Disconnect(account.ID)
		Expect(err).NotTo(HaveOccurred())
		s.HintAbout(s.user, s.ChangeOf(account.ID))
		s.op.Run(s.user, sync)
		again := s.link("sss_ph")[0]
		before = s.Smile.Mark()
		s.HintAbout(s.user, s.DataOf(again.ID))
		s.op.Run(s.user, sync)
		Expect(holds(s.data().Data)).To(Equal([]string{again.ID}))
		Expect(s.Smile.Calls(before)).To(Equal(2), "the provider is remembered")
	})

	It("also costs one call when only one datapoint is wanted, for its list", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph"}, func(sync *v1alpha1.SmileAccountSync) {
			sync.Spec.Datapoints = []v1alpha1.Datapoint{{Type: "CONTRIBUTIONS"}}
		})
		s.refresh(linked[0])
		before, had := s.Smile.Mark(), s.contributions()
		s.HintAbout(s.user, s.DataOf(linked[0].ID))
		s.op.Run(s.user, sync)
		Expect(s.contributions()).To(BeNumerically(">", had))
		Expect(s.Smile.Calls(before)).To(Equal(1))
	})

	It("causes one fetch for all syncs of the user", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph"})
		second := testenv.Sync("other", testenv.UserName, func(sync *v1alpha1.SmileAccountSync) {
			sync.Spec.Datapoints = []v1alpha1.Datapoint{{Type: "CONTRIBUTIONS"}}
			sync.Spec.Output.Secret.Name = "other-data"
		})
		s.Create(second)
		s.op.Live(interval, s.user, sync, second)
		s.refresh(linked[0])
		before := s.Smile.Mark()
		s.HintAbout(s.user, s.DataOf(linked[0].ID))
		s.op.Run(s.user, sync, second)
		Expect(s.Smile.Calls(before)).To(Equal(1))
		for _, name := range []string{testenv.DataName, "other-data"} {
			secret, _ := s.Secret(name)
			Expect(len(items(secret.Data["contributions.json"]))).To(BeNumerically(">", 3))
		}
	})

	It("about a disconnection is confirmed by asking about the account, and erases its data", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph", "cdecorp"})
		before := s.Smile.Mark()
		s.HintAbout(s.user, s.ChangeOf(linked[0].ID))
		s.op.Run(s.user, sync)
		Expect(holds(s.data().Data)).To(HaveLen(2), "it is connected, whatever the event says")
		Expect(s.Smile.Calls(before)).To(Equal(1))

		_, err := s.Smile.Disconnect(linked[0].ID)
		Expect(err).NotTo(HaveOccurred())
		before = s.Smile.Mark()
		s.HintAbout(s.user, s.ChangeOf(linked[0].ID))
		s.op.Run(s.user, sync)
		Expect(holds(s.data().Data)).To(Equal([]string{linked[1].ID}))
		Expect(s.user.Status.Accounts.Connected).To(BeEquivalentTo(1))
		Expect(s.Smile.Calls(before, "get-account")).To(Equal(1))
		Expect(s.Smile.Calls(before, "get-account-payload")).To(BeZero())
	})

	It("that arrives after a disconnection does not restore erased data", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph"})
		task := s.DataOf(linked[0].ID)
		_, err := s.Smile.Disconnect(linked[0].ID)
		Expect(err).NotTo(HaveOccurred())
		s.HintAbout(s.user, s.ChangeOf(linked[0].ID))
		s.op.Run(s.user, sync)
		Expect(holds(s.data().Data)).To(BeEmpty())

		before, payloads := s.Smile.Mark(), 0
		s.alter("/payload", func(*httptest.ResponseRecorder) { payloads++ })
		s.HintAbout(s.user, task)
		s.op.Run(s.user, sync)
		Expect(holds(s.data().Data)).To(BeEmpty())
		Expect(payloads).To(BeZero(), "whether Smile still has the data does not matter")
		Expect(s.Smile.Calls(before)).To(Equal(1))
	})

	It("does not restore data that was erased because of a ttl, unless there is newer data", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph"}, func(sync *v1alpha1.SmileAccountSync) {
			sync.Spec.Retention = &v1alpha1.Retention{TTL: &metav1.Duration{Duration: time.Hour}}
		})
		task := s.DataOf(linked[0].ID)
		s.op.Live(2*time.Hour, sync)
		Expect(holds(s.data().Data)).To(BeEmpty())
		before := s.Smile.Mark()
		s.HintAbout(s.user, task)
		s.op.Run(s.user, sync)
		Expect(holds(s.data().Data)).To(BeEmpty())
		Expect(s.Smile.Calls(before, "get-account-payload")).To(BeZero())

		s.refresh(linked[0])
		s.HintAbout(s.user, s.DataOf(linked[0].ID))
		s.op.Run(s.user, sync)
		Expect(holds(s.data().Data)).To(Equal([]string{linked[0].ID}))
	})

	It("that names another user's account is ignored without a call", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph"})
		anna, account := s.neighbor()
		s.HintAbout(anna, s.ChangeOf(account.ID))
		s.op.Run(anna)
		before := s.Smile.Mark()
		s.HintAbout(s.user, s.DataOf(account.ID), s.ChangeOf(account.ID))
		s.op.Run(s.user, sync)
		Expect(s.Smile.Calls(before)).To(BeZero())
		Expect(holds(s.data().Data)).To(Equal([]string{linked[0].ID}))
	})

	It("that names an unknown account costs a call, and reveals nothing", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph"})
		_, account := s.neighbor()
		before := s.Smile.Mark()
		s.HintAbout(s.user, s.DataOf(account.ID))
		s.op.Run(s.user, sync)
		Expect(s.Smile.Calls(before)).To(Equal(1))
		Expect(s.Smile.Calls(before, "get-account")).To(Equal(1))
		Expect(holds(s.data().Data)).To(Equal([]string{linked[0].ID}))
		s.op.Run(s.user, sync)
		Expect(s.Smile.Calls(before)).To(Equal(1), "Smile is asked once")
	})

	DescribeTable("reveals nothing if a status was edited to show another user's account", func(datapoints ...v1alpha1.Datapoint) {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph"}, func(sync *v1alpha1.SmileAccountSync) { sync.Spec.Datapoints = datapoints })
		_, account := s.neighbor()
		s.ChangeStatus(sync, func() {
			forged := *sync.Status.Accounts[0].DeepCopy()
			forged.ID = account.ID
			sync.Status.Accounts = append(sync.Status.Accounts, forged)
		})
		s.op = s.Operator() // which does not know whose the account is
		before := s.Smile.Mark()
		s.HintAbout(s.user, s.DataOf(account.ID))
		s.op.Run(sync)
		Expect(s.Smile.Calls(before, "get-account-payload", "list-contributions")).To(BeNumerically(">=", 1), "until the account is read, the status decides whose it is")
		Expect(holds(s.data().Data)).To(Equal([]string{linked[0].ID}))
	},
		Entry("by a payload", v1alpha1.Datapoint{Type: "IDENTITIES"}, v1alpha1.Datapoint{Type: "CONTRIBUTIONS"}),
		Entry("by a list", v1alpha1.Datapoint{Type: "CONTRIBUTIONS"}),
	)

	It("causes a read of the account if the response does not name its owner", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph"})
		s.refresh(linked[0])
		s.alter("/payload", func(r *httptest.ResponseRecorder) {
			body := strings.Replace(r.Body.String(), fmt.Sprintf(`"userId":%q`, s.user.Status.UserID), `"userId":""`, 1)
			r.Body.Reset()
			r.Body.WriteString(body)
		})
		before, had := s.Smile.Mark(), s.contributions()
		s.HintAbout(s.user, s.DataOf(linked[0].ID))
		s.op.Run(s.user, sync)
		Expect(s.Smile.Calls(before, "list-accounts")).To(Equal(1))
		Expect(s.contributions()).To(BeNumerically(">", had), "the account is the user's, says the listing")
	})

	DescribeTable("leads to a baseline by Smile's clock, which may differ from the operator's", func(ahead time.Duration) {
		s := newScene(testenv.Config{SmileAhead: ahead})
		sync, linked := s.synced([]string{"sss_ph"})
		s.refresh(linked[0])
		s.HintAbout(s.user, s.DataOf(linked[0].ID))
		s.op.Run(s.user, sync)
		fetched := s.fetches()
		s.op.Live(interval, s.user, sync)
		Expect(s.fetches()).To(Equal(fetched), "the same data is no news to a poll")

		s.refresh(linked[0])
		s.HintAbout(s.user, s.DataOf(linked[0].ID))
		s.op.Run(s.user, sync)
		fetched = s.fetches()
		s.refresh(linked[0]) // and its event is lost
		s.op.Live(interval, s.user, sync)
		Expect(s.fetches()).To(Equal(fetched+1), "later data is news to a poll")
	},
		Entry("30 s ahead", 30*time.Second),
		Entry("30 s behind", -30*time.Second),
	)

	It("with a time in the future does not hide later data", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph"})
		forged := s.DataOf(linked[0].ID)
		forged.At = forged.At.Add(24 * time.Hour)
		s.HintAbout(s.user, forged)
		s.op.Run(s.user, sync)
		fetched := s.fetches()
		s.refresh(linked[0])
		s.op.Live(interval, s.user, sync)
		Expect(s.fetches()).To(Equal(fetched + 1))
	})

	It("leaves it to the next poll to find new data if the response has no Date", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph"})
		known := sync.Status.Accounts[0].DataAsOf.Time
		s.alter("/payload", func(r *httptest.ResponseRecorder) { r.Header()["Date"] = nil })
		s.refresh(linked[0])
		s.HintAbout(s.user, s.DataOf(linked[0].ID))
		fetched, had := s.fetches(), s.contributions()
		s.op.Run(s.user, sync)
		Expect(s.contributions()).To(BeNumerically(">", had))
		Expect(sync.Status.Accounts[0].DataAsOf.Time.Equal(known)).To(BeTrue())
		s.op.Live(interval, s.user, sync)
		Expect(sync.Status.Accounts[0].DataAsOf.After(known)).To(BeTrue())
		Expect(s.fetches()).To(Equal(fetched + 2))
	})

	It("about an unfinished task does not count as data", func() {
		s := newScene(testenv.Config{Sandbox: sandbox.Options{DataDelay: 15 * time.Second}})
		sync, account := s.sync(), s.link("sss_ph")[0]
		s.HintAbout(s.user, s.DataOf(account.ID))
		s.op.Run(s.user, sync)
		Expect(s.Outcome(sync)).To(Equal(testenv.Waiting(v1alpha1.ReasonProgressing)))
		s.op.Live(21*time.Second, sync)
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
	})

	It("is not lost when there are more hints than a status holds", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph", "cdecorp", "xyzgigcompany", "abcplatform"})
		had := s.contributions()
		s.Pass(5 * time.Second)
		var news []hook.News
		for range 2 {
			for i := range 20 - len(linked) {
				news = hook.AddNews(news, s.DataOf(fmt.Sprintf("a-%d", i)))
			}
			for _, account := range linked {
				news = hook.AddNews(news, s.DataOf(account.ID))
			}
		}
		for _, account := range linked {
			_, err := s.Smile.Resync(account.ID)
			Expect(err).NotTo(HaveOccurred())
		}
		s.HintAbout(s.user, news...)
		Expect(len(s.user.Status.Hints.Accounts)).To(BeNumerically("<=", hook.MostHints))
		before := s.Smile.Mark()
		s.op.Run(s.user, sync)
		Expect(s.Smile.Calls(before, "get-account-payload")).To(Equal(len(linked)))
		Expect(s.contributions()).To(BeNumerically(">", had))
	})

	It("costs nothing if the sync does not cover the account", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph", "cdecorp"}, func(sync *v1alpha1.SmileAccountSync) {
			sync.Spec.Providers = []string{"sss_ph"}
		})
		before := s.Smile.Mark()
		s.HintAbout(s.user, s.DataOf(linked[1].ID))
		s.op.Run(s.user, sync)
		Expect(s.Smile.Calls(before)).To(BeZero())
	})

	It("costs the API server three requests, in addition to the hint itself and the event", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph"})
		var requests []string
		s.op = s.Operator(recording(&requests))
		for range 2 { // of which the first reads what each process reads once
			s.refresh(linked[0])
			requests = nil
			told := len(s.op.Events(sync))
			s.HintAbout(s.user, s.DataOf(linked[0].ID))
			s.op.Run(s.user, sync)
			Expect(len(s.op.Events(sync)) - told).To(BeNumerically("<=", 1))
		}
		Expect(requests).To(Equal([]string{"get george-data", "update george-data", "patch status of george-sync"}))
	})

	It("that was processed costs the next process nothing", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph"})
		s.refresh(linked[0])
		s.HintAbout(s.user, s.DataOf(linked[0].ID))
		s.op.Run(s.user, sync)
		s.Pass(time.Second)
		s.op = s.Operator()
		before := s.Smile.Mark()
		s.op.Run(s.user, sync)
		s.op.Quiet(sync)
		Expect(s.Smile.Calls(before)).To(BeZero())
	})

	It("that one process did not process is processed by the next one", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph"})
		s.refresh(linked[0])
		had := s.contributions()
		s.HintAbout(s.user, s.DataOf(linked[0].ID))
		s.op = s.Operator()
		s.op.Run(s.user, sync)
		Expect(s.contributions()).To(BeNumerically(">", had))
	})

	It("is processed again until its data is written", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph"})
		s.refresh(linked[0])
		had := s.contributions()
		s.HintAbout(s.user, s.DataOf(linked[0].ID))
		s.Smile.Break(sandbox.Fault{Operation: "get-account-payload", Nth: 1, Count: 2, Phase: "before", Action: "status:503"})
		s.op.Fail(sync, 1)
		s.Smile.ClearFaults()
		s.op.Run(sync)
		Expect(s.contributions()).To(BeNumerically(">", had))
	})

	It("from a receiver that names no accounts is about everything", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph"})
		s.HintAbout(s.user, s.DataOf(linked[0].ID))
		s.op.Run(s.user, sync)
		s.refresh(linked[0])
		had := s.contributions()
		s.Hint(s.user) // hints stay as they are
		s.op.Run(s.user, sync)
		Expect(s.contributions()).To(BeNumerically(">", had))
	})
})
