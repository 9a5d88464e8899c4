package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// The tenants of the scenario. Each is a connection with its own key pair.
const (
	usualLimit = 15 // calls a second, the operator's default

	slowUsers          = 200
	crowdUsers         = 450
	hangingUsers       = 60
	hangingConnections = 20

	// samples is the number of users or connections of the other tenant whose delay is measured, one every samplePause.
	samples     = 5
	samplePause = 2 * time.Second
	sampleLimit = 4 * time.Minute
	// isolationTarget is the longest time that a new user may take, in seconds.
	isolationTarget = 10
	// rereadTarget is the longest time until a changed Secret is noticed: it is read every 30 s, and up to a tenth later.
	rereadTarget = 33 + isolationTarget
)

var isolation = scenario{
	name: "isolation",
	title: func(options) string {
		return fmt.Sprintf(
			"one new user alongside %d at 1 call a second, %d at %d, and a host that hangs",
			slowUsers,
			crowdUsers,
			usualLimit,
		)
	},
	smile: func(options) sandbox.Options { return sandbox.Options{RateLimit: vendorLimit, Keys: tenantPairs()} },
	workload: func(options) workload {
		return workload{
			Objects: map[string]int{
				"SmileConnection": len(tenantPairs()) + hangingConnections + samples,
				"SmileUser":       slowUsers + crowdUsers + hangingUsers + 3*samples,
			},
			Load: map[string]float64{"calls a second, at most": usualLimit},
		}
	},
	limit: within(30*time.Minute, 0),
	run:   runIsolation,
}

// tenantPairs are the key pairs of the tenants.
func tenantPairs() []sandbox.KeyPair {
	var pairs []sandbox.KeyPair
	for _, tenant := range []string{"healthy", "slow", "crowd", "hanging"} {
		pairs = append(pairs, sandbox.KeyPair{Key: tenant + "-key", Secret: tenant + "-secret"})
	}
	return pairs
}

// isolationRun is one operator, many tenants, and a second host of Smile.
type isolationRun struct {
	*stage
	hanging  *sandbox.Server
	operator *operator
	people   *people
	asked    int
}

func runIsolation(ctx context.Context, st *stage) ([]figure, error) {
	run := &isolationRun{stage: st}
	if err := run.prepare(ctx); err != nil {
		return nil, err
	}
	var figures []figure
	for _, measure := range []func(context.Context) ([]figure, error){run.withSlowUsers, run.withManyUsers, run.withHangingHost} {
		measured, err := measure(ctx)
		figures = append(figures, measured...)
		if err != nil {
			return figures, err
		}
	}
	return figures, nil
}

func (r *isolationRun) prepare(ctx context.Context) (err error) {
	if r.hanging, err = sandbox.Start(sandbox.Options{Keys: tenantPairs()}); err != nil {
		return err
	}
	r.later(func() error { r.hanging.Close(); return nil })
	for _, c := range []tenantConnection{
		{name: "healthy"}, {name: "slow", rate: 1}, {name: "crowd"}, {name: "hanging", endpoint: r.hanging.URL},
	} {
		if err := r.admit(ctx, c); err != nil {
			return err
		}
	}
	r.people = r.watchPeople(ctx)
	r.operator, err = r.operate(ctx, usualLimit, "--allowed-api-hosts="+r.hanging.URL)
	return err
}

// tenantConnection is a connection to create.
type tenantConnection struct {
	name string
	// tenant is the owner of its key pair. Default: the tenant of the same name.
	tenant string
	rate   int32
	// endpoint of the second host, or empty for the first.
	endpoint string
}

// admit creates a connection and its key pair.
func (r *isolationRun) admit(ctx context.Context, c tenantConnection) error {
	if c.tenant == "" {
		c.tenant = c.name
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: c.name + "-keys"},
		StringData: map[string]string{"apiKey": c.tenant + "-key", "apiSecret": c.tenant + "-secret"},
	}
	connection := &v1alpha1.SmileConnection{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: c.name},
		Spec: v1alpha1.SmileConnectionSpec{
			Mode: v1alpha1.ModeSandbox, CredentialsSecretRef: v1alpha1.CredentialsSecretReference{Name: secret.Name},
			RequestsPerSecond: c.rate, ResyncInterval: &metav1.Duration{Duration: day},
		},
	}
	if c.endpoint != "" {
		secret.Annotations = map[string]string{v1alpha1.AnnotationAllowedHost: strings.TrimPrefix(c.endpoint, "http://")}
		connection.Spec.Endpoint = c.endpoint + "/v1"
	}
	if err := r.admin.Create(ctx, secret); err != nil {
		return err
	}
	return r.admin.Create(ctx, connection)
}

// withSlowUsers measures the delay of a new user alongside many users of a connection with a slow pace.
func (r *isolationRun) withSlowUsers(ctx context.Context) ([]figure, error) {
	took, err := r.withUsers(ctx, "slow", slowUsers)
	return []figure{r.delay(fmt.Sprintf("another tenant's new user alongside %d at 1 call a second", slowUsers), took)}, err
}

// withManyUsers measures it alongside so many users that the budget is used up for half a minute.
func (r *isolationRun) withManyUsers(ctx context.Context) ([]figure, error) {
	took, err := r.withUsers(ctx, "crowd", crowdUsers)
	return []figure{
		r.delay(fmt.Sprintf("another tenant's new user alongside %d at %d calls a second", crowdUsers, usualLimit), took),
	}, err
}

// withHangingHost measures it alongside users, and then alongside connections, whose host no longer responds.
func (r *isolationRun) withHangingHost(ctx context.Context) ([]figure, error) {
	if err := r.becomes(ctx, "hanging", "Ready", time.Minute, isConnected); err != nil {
		return nil, err
	}
	if err := r.hanging.SetFaults([]sandbox.Fault{{Operation: "*", Count: -1, Action: "hang"}}); err != nil {
		return nil, err
	}
	took, err := r.withUsers(ctx, "hanging", hangingUsers)
	figures := []figure{r.delay(fmt.Sprintf("another tenant's new user alongside %d at a host that hangs", hangingUsers), took)}
	if err != nil {
		return figures, err
	}
	for i := range hangingConnections {
		if err := r.admit(
			ctx,
			tenantConnection{name: fmt.Sprintf("hanging-%d", i), tenant: "hanging", endpoint: r.hanging.URL},
		); err != nil {
			return figures, err
		}
	}
	if err := r.waitFor(ctx, r.operator, samplePause, "the connections wait"); err != nil {
		return figures, err
	}
	connected, err := r.newConnections(ctx)
	figures = append(
		figures,
		r.delay(fmt.Sprintf("another tenant's new connection alongside %d at a host that hangs", hangingConnections), connected),
	)
	if err != nil {
		return figures, err
	}
	noticed, err := r.changePair(ctx)
	return append(figures, figure{
		Name: fmt.Sprintf("changed key pair, alongside %d connections at a host that hangs: until noticed", hangingConnections),
		Unit: "s", Target: atMost(rereadTarget), Measured: noticed.Seconds(),
		How: "from the change of the Secret to the condition that a watch saw; the Secret is read every 30 to 33 s",
	}), err
}

func (r *isolationRun) delay(name string, took []time.Duration) figure {
	f := figure{
		Name: name, Unit: "s", Target: atMost(isolationTarget),
		How: fmt.Sprintf("from the creation of the object to the Ready that was read; the worst of %d, %s apart", samples, samplePause),
	}
	if len(took) == 0 {
		f.Missing = "none was measured"
		return f
	}
	r.say("%s: %s", name, took)
	f.Measured = slices.Max(took).Seconds()
	return f
}

// withUsers creates users of a connection, and then users of the healthy connection, one after the other, while the first ones
// wait. At the end it removes the first ones.
func (r *isolationRun) withUsers(ctx context.Context, connection string, count int) (took []time.Duration, err error) {
	all := names(connection, count)
	if err := r.each(ctx, "created", all, func(ctx context.Context, name string) error {
		return r.admin.Create(ctx, personOf(connection, name))
	}); err != nil {
		return nil, err
	}
	for range samples {
		name := fmt.Sprintf("newcomer-%d", r.asked)
		r.asked++
		began := time.Now()
		if err := r.admin.Create(ctx, personOf("healthy", name)); err != nil {
			return took, err
		}
		if err := r.until(ctx, name+" is Ready", sampleLimit, func() (bool, string, error) {
			return isReady(r.people.of(name)), "it is not", r.operator.alive()
		}); err != nil {
			return took, err
		}
		took = append(took, r.people.of(name).ready.Sub(began))
		if err := r.waitFor(ctx, r.operator, samplePause, "the next one comes"); err != nil {
			return took, err
		}
	}
	done := r.people.count(isReady) - r.asked
	r.say("%d users of all connections but the healthy one are Ready by now", done)
	return took, r.each(ctx, "removed", all, func(ctx context.Context, name string) error {
		return client.IgnoreNotFound(r.admin.Delete(ctx, personOf(connection, name)))
	})
}

func personOf(connection, name string) *v1alpha1.SmileUser {
	user := person(name)
	user.Spec.ConnectionRef.Name = connection
	return user
}

func (r *isolationRun) newConnections(ctx context.Context) (took []time.Duration, err error) {
	for i := range samples {
		name, began := fmt.Sprintf("newcomer-%d", i), time.Now()
		if err := r.admit(ctx, tenantConnection{name: name, tenant: "healthy"}); err != nil {
			return took, err
		}
		if err := r.becomes(ctx, name, "Ready", sampleLimit, isConnected); err != nil {
			return took, err
		}
		took = append(took, time.Since(began))
		if err := r.waitFor(ctx, r.operator, samplePause, "the next one comes"); err != nil {
			return took, err
		}
	}
	return took, nil
}

// changePair replaces the key pair of the healthy connection by one that does not work.
func (r *isolationRun) changePair(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "healthy-keys"}}
	patch := client.RawPatch(types.MergePatchType, []byte(`{"stringData":{"apiSecret":"wrong"}}`))
	if err := r.admin.Patch(ctx, secret, patch); err != nil {
		return 0, err
	}
	err := r.becomes(ctx, "healthy", "refused", sampleLimit, func(conditions []metav1.Condition) bool {
		return meta.IsStatusConditionFalse(conditions, v1alpha1.ConditionCredentialsValid)
	})
	return time.Since(began), err
}

func isConnected(conditions []metav1.Condition) bool {
	return meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReady)
}

// becomes waits until a function returns true for a connection's conditions.
func (r *isolationRun) becomes(
	ctx context.Context,
	name, what string,
	limit time.Duration,
	so func([]metav1.Condition) bool,
) error {
	return r.until(ctx, fmt.Sprintf("the connection %s is %s", name, what), limit, func() (bool, string, error) {
		var connection v1alpha1.SmileConnection
		err := r.admin.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, &connection)
		if err != nil {
			return false, "", err
		}
		return so(connection.Status.Conditions), "it is not", r.operator.alive()
	})
}
