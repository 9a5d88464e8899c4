package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

const (
	restoreUsers = 1000
	// restoreChecks is the --output-check-interval of this scenario.
	restoreChecks = 30 * time.Second
)

var restore = scenario{
	name: "restore",
	title: func(o options) string {
		return fmt.Sprintf("%d people with data, half of it released, re-created with new UIDs alongside their old Secrets", restoreUserCount(o))
	},
	smile:    withoutLimit,
	workload: synced(restoreUserCount, nil),
	limit:    within(30*time.Minute, time.Second),
	collects: true,
	run:      runRestore,
}

func restoreUserCount(o options) int { return min(o.users, restoreUsers) }

// restoreRun is one operator with users whose data is in Secrets, and a backup of everything.
type restoreRun struct {
	*stage
	names    []string
	operator *operator
	users    map[string]*v1alpha1.SmileUser
	syncs    map[string]*v1alpha1.SmileAccountSync
	secrets  map[string]*corev1.Secret
}

// recreation is a way to restore everything while the operator runs.
type recreation struct {
	name string
	// remove removes everything that is restored later.
	remove func(context.Context) error
	bring  func(context.Context) error
}

func runRestore(ctx context.Context, st *stage) ([]figure, error) {
	a := &restoreRun{stage: st, names: names("user", restoreUserCount(st.options))}
	if err := a.prepare(ctx); err != nil {
		return nil, err
	}
	var figures []figure
	for _, way := range []recreation{
		{"Secrets first", a.removeAll, a.secretsFirst},
		{"objects first", a.removeAll, a.objectsFirst},
		{"interleaved", a.removeAll, a.interleaved},
		{"after --cascade=orphan", a.orphan, a.bringObjects},
	} {
		measured, err := a.measure(ctx, way)
		figures = append(figures, measured...)
		if err != nil {
			return figures, fmt.Errorf("%s: %w", way.name, err)
		}
	}
	return figures, nil
}

// prepare brings the data of each user into a Secret, has the accounts of every second user revoked, and makes a backup.
func (a *restoreRun) prepare(ctx context.Context) error {
	if err := a.connect(ctx); err != nil {
		return err
	}
	if err := a.resync(ctx, shortest); err != nil {
		return err
	}
	var err error
	if a.operator, err = a.operate(ctx, unlimited, "--output-check-interval="+restoreChecks.String()); err != nil {
		return err
	}
	people := a.watchPeople(ctx)
	if err := a.declare(ctx, a.names); err != nil {
		return err
	}
	if err := a.allAre(ctx, a.operator, people, "Ready", len(a.names), isReady, 5*time.Minute); err != nil {
		return err
	}
	if err := a.link(ctx, a.names, people); err != nil {
		return err
	}
	if err := a.fill(ctx); err != nil {
		return err
	}
	return a.backUp(ctx)
}

// fill creates the SmileAccountSyncs. Every second one revokes. It returns when all data is in its Secret and nothing is
// written any more.
func (a *restoreRun) fill(ctx context.Context) error {
	released := map[string]bool{}
	for i, name := range a.names {
		released[name] = i%2 == 0
	}
	if err := a.each(ctx, "created syncs for", a.names, func(ctx context.Context, name string) error {
		sync := syncOf(name)
		sync.Spec.RevokeAfterFetch = released[name]
		return a.admin.Create(ctx, sync)
	}); err != nil {
		return err
	}
	if err := a.ready(ctx); err != nil {
		return err
	}
	if err := a.until(ctx, "everybody's data is in a Secret", 10*time.Minute, func() (bool, string, error) {
		filled, err := a.filled(ctx)
		return filled == len(a.names), fmt.Sprintf("that of %d is", filled), errors.Join(err, a.operator.alive())
	}); err != nil {
		return err
	}
	if err := a.ready(ctx); err != nil {
		return err
	}
	return a.settle(ctx, a.operator)
}

// backUp reads all objects, without the fields that belong to the cluster.
func (a *restoreRun) backUp(ctx context.Context) error {
	a.users, a.syncs = map[string]*v1alpha1.SmileUser{}, map[string]*v1alpha1.SmileAccountSync{}
	a.secrets = map[string]*corev1.Secret{}
	return a.sequentially(func(name string) error {
		user, sync := person(name), syncOf(name)
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: dataOf(name)}}
		for _, obj := range []client.Object{user, sync, secret} {
			if err := a.admin.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
				return err
			}
			portable(obj)
		}
		if len(secret.Data["identities.json"]) < 10 {
			return fmt.Errorf("the Secret of %s holds no data", name)
		}
		user.Status, sync.Status = v1alpha1.SmileUserStatus{}, v1alpha1.SmileAccountSyncStatus{}
		a.users[name], a.syncs[name], a.secrets[name] = user, sync, secret
		return nil
	})
}

func (a *restoreRun) sequentially(do func(name string) error) error {
	for _, name := range a.names {
		if err := do(name); err != nil {
			return err
		}
	}
	return nil
}

// portable removes what docs/backup.md removes.
func portable(obj client.Object) {
	obj.SetUID("")
	obj.SetResourceVersion("")
	obj.SetGeneration(0)
	obj.SetCreationTimestamp(metav1.Time{})
	obj.SetOwnerReferences(nil)
	obj.SetManagedFields(nil)
}

// measure removes everything and restores it.
func (a *restoreRun) measure(ctx context.Context, way recreation) ([]figure, error) {
	if err := way.remove(ctx); err != nil {
		return nil, err
	}
	a.say("%s: removed everything", way.name)
	people, mark, began := a.smile.Stats().Users, a.mark(), time.Now()
	if err := way.bring(ctx); err != nil {
		return nil, err
	}
	brought := time.Since(began)
	if err := a.ready(ctx); err != nil {
		return nil, err
	}
	lost, state := 0, ""
	err := a.until(ctx, "all data is there", 2*time.Minute, func() (bool, string, error) {
		var err error
		lost, state, err = a.lost(ctx)
		return lost == 0, state, errors.Join(err, a.operator.alive())
	})
	took := time.Since(began)
	if err != nil {
		a.say("%v", err)
	}
	if err := a.waitFor(ctx, a.operator, 2*restoreChecks, "all outputs were checked"); err != nil {
		return nil, err
	}
	if err := a.settle(ctx, a.operator); err != nil {
		return nil, err
	}
	if lost, state, err = a.lost(ctx); err != nil {
		return nil, err
	}
	calls := a.smile.Journal(mark)
	a.say("%s: restored in %.0f s; %s; calls: %s", way.name, brought.Seconds(), state, tallyCalls(calls))
	title := fmt.Sprintf("restore of %d, %s: ", len(a.names), way.name)
	return []figure{
		{
			Name: title + "new people at Smile", Target: atMost(0), Measured: float64(a.smile.Stats().Users - people),
			How: "users at the sandbox, after less before",
		},
		{
			Name: title + "outputs that lost data", Target: atMost(0), Measured: float64(lost),
			How: "Secrets whose data is not byte for byte that of the backup, after two more intervals of checks and once nothing is written any more",
		},
		{
			Name: title + "until all are Ready and all data is there", Unit: "s", Measured: took.Seconds(),
			How: fmt.Sprintf("from the first object that is re-created; re-creating took %.0f s; outputs are checked every %s", brought.Seconds(), restoreChecks),
		},
		{
			Name: title + "calls per person", Measured: perUser(len(calls), len(a.names)),
			How: "the sandbox's journal, until nothing is written any more",
		},
	}, nil
}

// lost counts the users whose Secrets do not contain the data of the backup.
func (a *restoreRun) lost(ctx context.Context) (lost int, state string, err error) {
	var all corev1.SecretList
	if err := a.admin.List(ctx, &all, client.InNamespace(namespace)); err != nil {
		return 0, "", err
	}
	data := map[string]map[string]string{}
	for i := range all.Items {
		data[all.Items[i].Name] = dataIn(&all.Items[i])
	}
	absent := 0
	for _, name := range a.names {
		held, exists := data[dataOf(name)]
		switch {
		case !exists:
			absent++
			lost++
		case !maps.Equal(held, dataIn(a.secrets[name])):
			lost++
		}
	}
	return lost, fmt.Sprintf("%d outputs do not hold their data, %d of them do not exist", lost, absent), nil
}

// filled counts the Secrets that contain data.
func (a *restoreRun) filled(ctx context.Context) (int, error) {
	var all corev1.SecretList
	err := a.admin.List(ctx, &all, client.InNamespace(namespace))
	n := 0
	for i := range all.Items {
		if len(all.Items[i].Data["identities.json"]) > len("[]\n") {
			n++
		}
	}
	return n, err
}

// dataIn is the data in a Secret, without the index.
func dataIn(secret *corev1.Secret) map[string]string {
	held := map[string]string{}
	for key, value := range secret.Data {
		if key != "index.json" {
			held[key] = string(value)
		}
	}
	return held
}

// ready waits until all users and syncs exist and are Ready.
func (a *restoreRun) ready(ctx context.Context) error {
	const limit = 10 * time.Minute
	checked := time.Time{}
	var state string
	return a.until(ctx, "all users and syncs are Ready", limit, func() (bool, string, error) {
		if time.Since(checked) < time.Second {
			return false, state, nil
		}
		checked = time.Now()
		var users v1alpha1.SmileUserList
		var syncs v1alpha1.SmileAccountSyncList
		err := errors.Join(a.admin.List(ctx, &users), a.admin.List(ctx, &syncs), a.operator.alive())
		readyUsers, readySyncs := 0, 0
		for i := range users.Items {
			readyUsers += countTrue(users.Items[i].Status.Conditions)
		}
		for i := range syncs.Items {
			readySyncs += countTrue(syncs.Items[i].Status.Conditions)
		}
		state = fmt.Sprintf("%d users and %d syncs are", readyUsers, readySyncs)
		return readyUsers == len(a.names) && readySyncs == len(a.names), state, err
	})
}

func countTrue(conditions []metav1.Condition) int {
	if meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReady) {
		return 1
	}
	return 0
}
