package accountsync_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/auditlog"
	"github.com/smile-operator/smile-operator/internal/identity"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

// keeping is one random trial of a person's data, and what the test knows about it independently of the operator.
type keeping struct {
	*scene
	sync *v1alpha1.SmileAccountSync
	key  identity.Key
	// backups are all states of the output that were ever there, and authentic those that the operator wrote.
	backups []*corev1.Secret
	// statuses are all that were ever stored.
	statuses  []v1alpha1.SmileAccountSyncStatus
	authentic map[string]bool
	// withdrawn are the accounts that the person disconnected, as opposed to the operator.
	withdrawn map[string]bool
	// expired are the accounts, by digest, whose data was erased because of a ttl according to the audit log.
	expired map[string]bool
	// failing is how many of the operator's next calls fail.
	failing int
	// providers of the accounts.
	providers map[string]string
	log       []string
}

func newKeeping() *keeping {
	GinkgoHelper()
	k := &keeping{
		scene: newScene(testenv.Config{}), authentic: map[string]bool{}, withdrawn: map[string]bool{}, expired: map[string]bool{},
		providers: map[string]string{},
	}
	stored, ok := k.Secret(output.IdentitySecret)
	Expect(ok).To(BeTrue())
	var err error
	k.key, err = identity.ParseKey(stored.Data["key"])
	Expect(err).NotTo(HaveOccurred())
	k.Smile.Instead = func(w http.ResponseWriter, _ *http.Request) bool {
		if k.failing == 0 {
			return false
		}
		k.failing--
		http.Error(w, "not now", http.StatusServiceUnavailable)
		return true
	}
	k.sync = k.scene.sync(wanting("IDENTITIES", "EMPLOYMENTS"))
	return k
}

// shown are the accounts as Smile shows them now.
func (k *keeping) shown() map[string]string {
	GinkgoHelper()
	var listed struct {
		Items []struct{ ID, ConnectionStatus string }
	}
	k.read("/v1/accounts?size=150&userId="+k.user.Status.UserID, &listed)
	shown := map[string]string{}
	for _, account := range listed.Items {
		shown[account.ID] = account.ConnectionStatus
	}
	return shown
}

// fetchedAt are the times at which the data of an account was really fetched.
func (k *keeping) fetchedAt(id string) (times []int64) {
	for _, call := range k.Smile.Journal(0) {
		if call.Path == "/v1/accounts/"+id+"/payload" && call.Status == http.StatusOK {
			times = append(times, call.Time.Unix())
		}
	}
	return times
}

// stateOf identifies a state of an output: its data and its seal.
func stateOf(secret *corev1.Secret) string {
	data := map[string]string{}
	for key, value := range secret.Data {
		data[key] = string(value)
	}
	return string(must(json.Marshal([]any{data, secret.Annotations[v1alpha1.AnnotationSeal]})))
}

// contents are the accounts of an output according to its index; none if it cannot be read.
func contents(secret *corev1.Secret) []string {
	var read index
	if secret == nil || json.Unmarshal(secret.Data["index.json"], &read) != nil {
		return nil
	}
	var ids []string
	for _, account := range read.Accounts {
		ids = append(ids, account.ID)
	}
	return ids
}

type sealedAccount struct {
	ID, Provider         string
	FetchedAt            map[string]time.Time
	RevokeAcknowledgedAt time.Time
}

// seal is what the seal of an output says of an account.
func sealOn(secret *corev1.Secret, id string) (found sealedAccount) {
	var read struct {
		Facts struct{ Accounts []sealedAccount }
	}
	if json.Unmarshal([]byte(secret.Annotations[v1alpha1.AnnotationSeal]), &read) == nil {
		for _, account := range read.Facts.Accounts {
			if account.ID == id {
				return account
			}
		}
	}
	return found
}

func entryIn(sync *v1alpha1.SmileAccountSync, id string) (found v1alpha1.SyncedAccount) {
	for _, entry := range sync.Status.Accounts {
		if entry.ID == id {
			return entry
		}
	}
	return found
}

func (k *keeping) present() *corev1.Secret {
	GinkgoHelper()
	if secret, ok := k.Secret(testenv.DataName); ok {
		return secret
	}
	return nil
}

func (k *keeping) ledgered(id string) bool {
	GinkgoHelper()
	found, err := k.op.Ledger.Contains(k.Context(), id)
	Expect(err).NotTo(HaveOccurred())
	return found
}

// within reports whether data that was fetched at some time may still be kept as far as the ttl goes.
func (k *keeping) within(fetchedAt time.Time) bool {
	retention := k.sync.Spec.Retention
	return retention == nil || retention.TTL == nil || fetchedAt.Add(retention.TTL.Duration).After(k.Clock.Now())
}

func (k *keeping) retains() bool {
	return k.sync.Spec.Retention != nil && k.sync.Spec.Retention.OnDisconnect == v1alpha1.DisconnectRetain
}

func (k *keeping) covers(provider string) bool {
	return len(k.sync.Spec.Providers) == 0 || slices.Contains(k.sync.Spec.Providers, provider)
}

// mayKeep reports whether consent and spec let the operator keep an account's data of an authentic output, by all that the
// operator can know.
func (k *keeping) mayKeep(secret *corev1.Secret, before *v1alpha1.SmileAccountSync, id string) bool {
	GinkgoHelper()
	sealed, entry := sealOn(secret, id), entryIn(before, id)
	var last time.Time
	for _, at := range sealed.FetchedAt {
		last = at
	}
	released := !sealed.RevokeAcknowledgedAt.IsZero() || entry.RevokeAcknowledgedAt != nil
	shown := k.shown()[id]
	present := shown != "" && shown != "DISCONNECTED"
	consent := shown == "CONNECTED" || !k.ledgered(id) && (present || released || k.retains())
	return consent && k.covers(sealed.Provider) && k.within(last)
}

// reconcile does one reconcile and checks the invariants.
func (k *keeping) reconcile() {
	GinkgoHelper()
	k.Pass(time.Second)
	k.Get(k.sync)
	before, held := k.sync.DeepCopy(), k.present()
	told, events := len(k.op.Audit(k.sync)), len(k.op.Events(k.sync))
	_, err := k.op.Reconcile(k.sync)
	now := k.present()
	records, after := k.op.Audit(k.sync)[told:], k.op.Events(k.sync)[events:]
	k.log = append(k.log, fmt.Sprintf(
		"  %v error=%v held=%v now=%v records=%v", k.Outcome(k.sync), err, contents(held), contents(now), records))

	recorded := func(id string, actions ...auditlog.Action) bool {
		return slices.ContainsFunc(records, func(r auditlog.Record) bool {
			return (r.Account == k.key.Account(id) || r.Account == "") && slices.Contains(actions, r.Action)
		})
	}
	for _, id := range contents(held) {
		if slices.Contains(contents(now), id) {
			continue
		}
		fetchable := k.shown()[id] == "CONNECTED"
		Expect(recorded(id, auditlog.ActionErased, auditlog.ActionNotTakenBack, auditlog.ActionLost) || fetchable).To(
			BeTrue(), "the data of %s is gone without a record", id)
		Expect(k.authentic[stateOf(held)] && k.mayKeep(held, before, id)).To(BeFalse(), "the data of %s is lost although it may be kept", id)
	}
	for _, entry := range before.Status.Accounts {
		if len(entry.Datapoints) > 0 && len(entryIn(k.sync, entry.ID).Datapoints) == 0 {
			Expect(recorded(entry.ID, auditlog.ActionErased, auditlog.ActionNotTakenBack, auditlog.ActionLost)).To(
				BeTrue(), "the status forgot %s without a record", entry.ID)
		}
	}
	k.checkRecords(records, after, before, held)
	k.checkReady(now)
	k.statuses = append(k.statuses, *k.sync.Status.DeepCopy())
	if now != nil && (held == nil || stateOf(held) != stateOf(now)) {
		k.authentic[stateOf(now)] = true
		k.backups = append(k.backups, now)
	}
}

// checkRecords compares the records of a reconcile with its events.
func (k *keeping) checkRecords(records []auditlog.Record, events []testenv.Event, before *v1alpha1.SmileAccountSync, held *corev1.Secret) {
	GinkgoHelper()
	hasEvent := func(reason string) bool {
		return slices.ContainsFunc(events, func(e testenv.Event) bool { return e.Reason == reason })
	}
	for _, record := range records {
		switch record.Action {
		case auditlog.ActionErased, auditlog.ActionNotTakenBack:
			Expect(hasEvent(v1alpha1.ReasonDataErased)).To(BeTrue(), "no event of %+v", record)
		case auditlog.ActionLost:
			Expect(hasEvent(v1alpha1.ReasonDataLost)).To(BeTrue(), "no event of %+v", record)
		}
		if record.Reason == auditlog.ReasonExpired {
			k.expired[record.Account] = true
		}
		if record.Reason != auditlog.ReasonWithdrawn && record.Reason != auditlog.ReasonNotConnected {
			continue
		}
		for _, id := range k.linked {
			if k.key.Account(id) != record.Account {
				continue
			}
			Expect(k.ledgered(id)).To(BeTrue(), "%+v is not in the ledger", record)
			entry := entryIn(before, id)
			sealed := held != nil && k.authentic[stateOf(held)] && !sealOn(held, id).RevokeAcknowledgedAt.IsZero()
			Expect(entry.RevokeAcknowledgedAt != nil || sealed).To(BeFalse(), "the operator's own revoke of %s was treated as a withdrawal", id)
		}
	}
}

// checkReady makes sure that a sync that is Ready has the output that its status names.
func (k *keeping) checkReady(now *corev1.Secret) {
	GinkgoHelper()
	if k.Outcome(k.sync).Ready != metav1.ConditionTrue || k.sync.Status.Output == nil {
		return
	}
	Expect(now).NotTo(BeNil(), "Ready, but there is no output")
	Expect(output.Set{now.Data}.Sealed(k.key, k.sync.Status.Output.Fingerprint)).To(
		BeTrue(), "Ready, but the output is not what was written")
	Expect(metav1.IsControlledBy(now, k.sync)).To(BeTrue())
	var kept []string
	for _, entry := range k.sync.Status.Accounts {
		if len(entry.Datapoints) > 0 {
			kept = append(kept, entry.ID)
		}
	}
	Expect(contents(now)).To(ConsistOf(kept))
}

// settled checks the final state, once nothing is due any more.
func (k *keeping) settled() {
	GinkgoHelper()
	outcome, now, shown := k.Outcome(k.sync), k.present(), k.shown()
	if outcome.Reason == v1alpha1.ReasonOutputConflict {
		return // what was left behind and nothing proves stays as it is
	}
	for _, id := range contents(now) {
		entry := entryIn(k.sync, id)
		Expect(k.covers(entry.ProviderID)).To(BeTrue(), "%s is kept although the spec does not select it", id)
		present := shown[id] != "" && shown[id] != "DISCONNECTED"
		Expect(present || k.retains() || !k.withdrawn[id]).To(BeTrue(), "%s is kept although the person has withdrawn consent", id)
		Expect(shown[id] == "CONNECTED" || !k.ledgered(id)).To(BeTrue(), "%s is kept though it is in the ledger", id)
		for _, datapoint := range entry.Datapoints {
			Expect(k.fetchedAt(id)).To(ContainElement(datapoint.FetchedAt.Unix()), "%s was never fetched then", id)
			Expect(k.within(datapoint.FetchedAt.Time)).To(BeTrue(), "%s is kept beyond its ttl", id)
		}
	}
	for id, status := range shown {
		if status == "CONNECTED" && k.covers(k.providers[id]) && !k.expired[k.key.Account(id)] {
			Expect(contents(now)).To(ContainElement(id), "Smile has the data of %s", id)
		}
	}
}

// harms are the ways in which the output is damaged.
var harms = []func(*corev1.Secret){
	func(data *corev1.Secret) { data.Data["identities.json"] = []byte("[]\n") },
	func(data *corev1.Secret) { data.Data["note"] = []byte("mine") },
	func(data *corev1.Secret) { delete(data.Data, "index.json") },
	func(data *corev1.Secret) {
		data.Data = map[string][]byte{"index.json": []byte("{\n  \"accounts\": []\n}\n")}
	},
	func(data *corev1.Secret) { delete(data.Annotations, v1alpha1.AnnotationSeal) },
	func(data *corev1.Secret) {
		seal := data.Annotations[v1alpha1.AnnotationSeal]
		data.Annotations[v1alpha1.AnnotationSeal] = strings.ReplaceAll(seal, "2026", "2036")
	},
	func(data *corev1.Secret) { data.OwnerReferences = nil },
	func(data *corev1.Secret) { data.Immutable = new(bool); *data.Immutable = true },
}

var retentions = []*v1alpha1.Retention{
	nil,
	{TTL: &metav1.Duration{Duration: 2 * time.Hour}},
	{TTL: &metav1.Duration{Duration: 2 * time.Hour}, OnDisconnect: v1alpha1.DisconnectRetain},
	{TTL: &metav1.Duration{Duration: 9 * time.Hour}, OnDisconnect: v1alpha1.DisconnectRetain},
}

// happenings are what can happen between two reconciles.
var happenings = map[string]func(k *keeping, n int){
	"link": func(k *keeping, n int) {
		if len(k.linked) < 6 {
			account := k.Smile.LinkGeorge(k.user.Status.UserID, []string{"sss_ph", "cdecorp"}[n%2])
			k.linked = append(k.linked, account.ID)
			k.providers[account.ID] = account.ProviderID
		}
	},
	"disconnect": func(k *keeping, n int) {
		k.account(n, func(id string) (sandbox.Account, error) {
			account, err := k.Smile.Disconnect(id)
			if err == nil {
				k.withdrawn[id] = true
			}
			return account, err
		})
	},
	"update": func(k *keeping, n int) { k.account(n, k.Smile.Resync) },
	"fail": func(k *keeping, n int) {
		k.account(n, func(id string) (sandbox.Account, error) { return k.Smile.Fail(id, "ACCOUNT_LOCKED") })
	},
	"release": func(k *keeping, n int) { k.Change(k.sync, func() { k.sync.Spec.RevokeAfterFetch = n%3 > 0 }) },
	"respecify": func(k *keeping, n int) {
		k.Change(k.sync, func() {
			k.sync.Spec.Providers = [][]string{nil, nil, {"sss_ph"}}[n%3]
			k.sync.Spec.Retention = retentions[n%len(retentions)]
		})
	},
	"ask":     func(k *keeping, _ int) { k.ask(k.sync) },
	"poll":    func(k *keeping, _ int) { k.poll() },
	"wait":    func(k *keeping, n int) { k.Pass(time.Duration(n) * time.Minute) },
	"restart": func(k *keeping, _ int) { k.op = k.Operator() },
	"wipe":    func(k *keeping, _ int) { k.wipe(k.sync) },
	"rewind": func(k *keeping, n int) { // as by a restore with statuses
		k.Pass(time.Second)
		k.ChangeStatus(k.sync, func() { k.statuses[n%len(k.statuses)].DeepCopyInto(&k.sync.Status) })
	},
	"delete": func(k *keeping, _ int) {
		if data := k.present(); data != nil {
			k.Delete(data)
		}
	},
	"edit": func(k *keeping, n int) {
		if data := k.present(); data != nil && data.Immutable == nil {
			k.Change(data, func() { harms[n%len(harms)](data) })
		}
	},
	"restore": func(k *keeping, n int) {
		if len(k.backups) > 0 {
			backup := k.backups[n%len(k.backups)]
			restored := k.restoreAs(backup, backup.Name)
			if n%2 == 0 && backup.Annotations[v1alpha1.AnnotationOwner] == string(k.sync.UID) {
				k.Change(restored, func() { restored.OwnerReferences = backup.OwnerReferences })
			}
		}
	},
	"recreate": func(k *keeping, _ int) {
		if data := k.present(); data != nil { // as by --cascade=orphan
			k.Change(data, func() { data.OwnerReferences = nil })
		}
		again := testenv.Sync(k.sync.Name, k.sync.Spec.UserRef.Name)
		k.sync.Spec.DeepCopyInto(&again.Spec)
		k.Delete(k.sync)
		_, _ = k.op.Reconcile(k.sync)
		k.Create(again)
		k.sync = again
	},
	"break": func(k *keeping, n int) { k.failing = 1 + n%4 },
}

// poll has the operator list everything, as it does every quarter of an hour.
func (k *keeping) poll() {
	GinkgoHelper()
	_, _ = k.op.Reconcile(k.conn)
	_, _ = k.op.Reconcile(k.user)
	k.reconcile()
	k.op.Poll()
}

// lots draws what happens to one person's data. The same seed gives the same trial.
func lots() *rapid.Generator[[]move] {
	names := []string{}
	for name := range happenings {
		names = append(names, name)
	}
	slices.Sort(names)
	names = append(names, "link", "wipe", "restore", "restore", "disconnect", "release", "edit")
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) move {
		return move{rapid.SampledFrom(names).Draw(t, "happening"), rapid.IntRange(0, 120).Draw(t, "n")}
	}), 10, 30)
}

// keepings is the number of trials: SMILE_TRIALS if it is set, as in the nightly run.
func keepings() int {
	if wanted, err := strconv.Atoi(os.Getenv("SMILE_TRIALS")); err == nil {
		return wanted
	}
	return 20
}

var _ = Describe("Whatever becomes of status and output", func() {
	for seed := range keepings() {
		It(fmt.Sprintf("nothing is lost that may be kept, nothing is kept that may not, and all is recorded: seed %d", seed), func() {
			k := newKeeping()
			DeferCleanup(func() {
				if CurrentSpecReport().Failed() {
					GinkgoWriter.Println(strings.Join(k.log, "\n"))
				}
			})
			for _, one := range append([]move{{"link", 0}, {"ask", 0}}, lots().Example(seed)...) {
				k.log = append(k.log, fmt.Sprint(one.Name, " ", one.N))
				happenings[one.Name](k, one.N)
				k.reconcile()
			}
			k.log = append(k.log, "all is well again")
			k.failing = 0
			for range 3 {
				k.poll()
				k.reconcile()
				k.reconcile()
			}
			k.settled()
		})
	}
})
