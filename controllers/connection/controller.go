// Package connection reconciles SmileConnections: it reads the key pair, proves it with one cheap call, and says
// what is wrong when it does not work.
package connection

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/problem"
)

// +kubebuilder:rbac:groups=smile-operator.io,resources=smileconnections,verbs=list;watch
// +kubebuilder:rbac:groups=smile-operator.io,resources=smileconnections/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

const (
	concurrency = 8
	// reread is how often the Secret of a working connection is read again: Secrets are not watched.
	reread = 30 * time.Second
	// longestApproval is how much of an approval's value is told apart.
	longestApproval = 64
)

// Controller holds what the reconciling of connections needs.
type Controller struct {
	// Client writes; it reads SmileConnections from the cache.
	Client client.Client
	// Connections to Smile.
	Connections *connection.Registry
	// Mirrors of the remote side.
	Mirrors *mirror.Set
	// Events of the objects.
	Events events.EventRecorder
	// Clock of everything.
	Clock clock.PassiveClock
}

type pass = engine.Run[*v1alpha1.SmileConnection]

// Reconciler makes the reconciler of SmileConnections.
func (c *Controller) Reconciler() *engine.Reconciler[*v1alpha1.SmileConnection] {
	return &engine.Reconciler[*v1alpha1.SmileConnection]{
		Client: c.Client, Events: c.Events, Clock: c.Clock,
		Kind: engine.Kind[*v1alpha1.SmileConnection]{
			Name: "SmileConnection",
			New:  func() *v1alpha1.SmileConnection { return &v1alpha1.SmileConnection{} },
			Phases: func() ([]engine.Phase[*v1alpha1.SmileConnection], engine.Conclude[*v1alpha1.SmileConnection]) {
				v := &visit{Controller: c}
				return []engine.Phase[*v1alpha1.SmileConnection]{
					{Condition: v1alpha1.ConditionRevokesAllowed, Run: v.brake},
					{Condition: v1alpha1.ConditionCredentialsValid, Done: "Smile accepts the key pair", Run: engine.Step(v.prove)},
					{Condition: v1alpha1.ConditionSecretUsePermitted, Run: v.checkSecretUse},
					{Condition: v1alpha1.ConditionMirrored, Done: "what is known of Smile is up to date", Run: v.mirror},
					{Condition: v1alpha1.ConditionClockSynchronized, Done: "the clocks of the operator and of Smile agree", Run: v.clock},
				}, nil
			},
		},
	}
}

// visit is what the phases of one pass hand on to each other.
type visit struct {
	*Controller

	conn *connection.Connection
}

var errWrongMode = problem.NewInvalid(v1alpha1.ReasonModeMismatch,
	"a token showed that the key pair belongs to the other mode: nothing more is called with it; put a pair of spec.mode into the Secret").
	After(connection.Recheck)

// prove reads the Secret, and proves the pair that is in it unless that was done before.
func (v *visit) prove(ctx context.Context, p *pass) error {
	conn, err := v.Connections.Refresh(ctx, p.Object)
	if err != nil {
		return recheck(err)
	}
	status := &p.Object.Status
	status.Endpoint, status.Mode = conn.Endpoint, conn.Mode
	status.RequestsPerSecond = int32(conn.RequestsPerSecond)
	status.ResyncInterval = &metav1.Duration{Duration: conn.ResyncInterval}
	status.RevokesPerDay = int32(conn.RevokesPerDay)
	former := status.Credentials
	rotated := former == nil || former.Fingerprint != conn.Fingerprint()
	if conn.WrongMode() {
		return errWrongMode
	}
	tenant := ""
	if rotated && former != nil {
		tenant = former.KnownUserID
	}
	if err := conn.Prove(ctx, tenant); err != nil {
		if problem.Is(err, v1alpha1.ReasonInvalidCredentials) {
			err = v.Connections.Refused(conn).Because(err)
		}
		return recheck(err)
	}
	if rotated {
		status.Credentials = &v1alpha1.CredentialsStatus{Fingerprint: conn.Fingerprint(), Since: &metav1.Time{Time: p.Now}}
	}
	status.Credentials.ModeConfirmed = conn.ModeConfirmed()
	if user := conn.KnownUser(); user != "" {
		status.Credentials.KnownUserID = user
	} else if former != nil {
		status.Credentials.KnownUserID = former.KnownUserID
	}
	p.WakeAfter(engine.Jitter(reread))
	v.conn = conn
	return nil
}

// checkSecretUse warns of a key pair that stays in use although its Secret does not permit that.
func (v *visit) checkSecretUse(_ context.Context, p *pass) (engine.Outcome, error) {
	if !v.conn.Undeclared {
		return engine.Absent, nil
	}
	return engine.Warning(v1alpha1.ReasonSecretUseNotPermitted, "Prove", connection.SecretReference(p.Object).Warning()), nil
}

// mirror says how the picture of the remote side is, and hands on what a person decided about it.
func (v *visit) mirror(_ context.Context, p *pass) (engine.Outcome, error) {
	status, known := &p.Object.Status, v.Mirrors.For(v.conn)
	known.ResumeTasks(v.conn, status.TasksSince)
	if since := known.TasksSince(); !since.IsZero() {
		status.TasksSince = &metav1.Time{Time: since}
	}
	if approval := engine.Echo(p.Object, v1alpha1.AnnotationApproveErasure); approval != status.LastErasureApproval {
		status.LastErasureApproval = approval
		known.ApproveErasure(v.conn.Name)
	}
	held := known.ErasureHeld(v.conn.Name)
	switch {
	case held != nil:
		p.SetReady(held.Reason, held.Message)
		return engine.False(held.Reason, held.Message), nil
	case known.Stale(v.conn.ResyncInterval):
		return engine.False(v1alpha1.ReasonStale, "what is known of Smile is older than two resync intervals: its listings fail or wait"), nil
	default:
		return engine.Succeeded, nil
	}
}

// recheck has the Secret of a connection that does not work read again soon, whatever is wrong; calls have a pace of
// their own.
func recheck(err error) error {
	var shown *problem.Problem
	if errors.As(err, &shown) && shown.RetryAfter > connection.Recheck {
		return shown.After(connection.Recheck)
	}
	return err
}

// brake shows whether so many revokes were asked for that a person must approve them, and takes the approval. An
// annotation that was handled before approves nothing new. Where no approval is needed, it shows whether declared revokes wait.
func (c *Controller) brake(ctx context.Context, p *pass) (engine.Outcome, error) {
	status := &p.Object.Status
	if asked := approval(p.Object); asked != "" && asked != status.LastHandledApproval {
		c.Connections.ApproveRevokes(p.Object)
		status.LastHandledApproval = asked
	}
	paused := c.Connections.RevokeLimitReached(ctx, p.Object)
	errors.As(c.Connections.RevokesPaused(p.Object), &paused)
	if paused == nil {
		return engine.Absent, nil
	}
	if former := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionRevokesAllowed); former == nil || former.Reason != paused.Reason {
		p.Event(corev1.EventTypeWarning, paused.Reason, "Revoke", paused.Message)
	}
	return engine.False(paused.Reason, paused.Message), nil
}

// approval is the annotation's value, as far as the status can hold it.
func approval(conn *v1alpha1.SmileConnection) string {
	asked := []rune(conn.Annotations[v1alpha1.AnnotationApproveRevokes])
	return string(asked[:min(len(asked), longestApproval)])
}

func (c *Controller) tenant(ctx context.Context, name types.NamespacedName) engine.Tenant {
	return c.Connections.Tenant(ctx, name.Namespace, v1alpha1.ConnectionReference{Name: name.Name})
}

// SetupWithManager registers the controller.
func (c *Controller) SetupWithManager(mgr ctrl.Manager) error {
	reconciler := c.Reconciler()
	return ctrl.NewControllerManagedBy(mgr).
		Named("smileconnection").
		For(&v1alpha1.SmileConnection{}, builder.WithPredicates(predicate.Or(engine.Relevant(), reconciler.Altered()))).
		WatchesRawSource(source.TypedChannel(c.Connections.Events(), handler.TypedEnqueueRequestsFromMapFunc(
			func(_ context.Context, conn *v1alpha1.SmileConnection) []reconcile.Request {
				return []reconcile.Request{{NamespacedName: client.ObjectKeyFromObject(conn)}}
			}))).
		WithOptions(reconciler.Options(concurrency, reread, c.tenant)).
		Complete(reconciler)
}
