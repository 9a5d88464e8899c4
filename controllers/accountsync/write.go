package accountsync

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/output"
)

func targetOf(sync *v1alpha1.SmileAccountSync) (output.Target, bool) {
	out := sync.Spec.Output
	switch {
	case out == nil:
		return output.Target{}, false
	case out.Secret != nil:
		return output.Target{Kind: output.Secret, Name: out.Secret.Name}, true
	case out.ConfigMap != nil:
		return output.Target{Kind: output.ConfigMap, Name: out.ConfigMap.Name}, true
	default:
		return output.Target{}, false
	}
}

// checkOutput notes when the output is not what was written, so that it is made anew; and refuses one of somebody
// else before anything is fetched for it.
func (v *visit) checkOutput(ctx context.Context, sync *v1alpha1.SmileAccountSync) error {
	target, wanted := targetOf(sync)
	if !wanted {
		return nil
	}
	content, err := v.Outputs.Read(ctx, sync, target)
	if err != nil {
		return err
	}
	held := sync.Status.Output
	named := held != nil && held.Name == target.Name && held.Kind == string(target.Kind)
	v.written = named || content != nil
	v.changed = v.changed || !named || content == nil || held.Fingerprint != content.Fingerprint(v.Identity)
	return nil
}

// write makes the output hold what was fetched. When no account is connected any more, what was written is erased
// down to an index that says so.
func (v *visit) write(ctx context.Context, p *pass) error {
	sync := p.Object
	target, wanted := targetOf(sync)
	if err := v.dropFormer(ctx, sync, target, wanted); err != nil {
		return err
	}
	if !wanted {
		p.Drop()
		return nil
	}
	if !v.changed {
		p.Keep()
		return nil
	}
	if len(v.data) == 0 && !v.written {
		p.Set(metav1.ConditionFalse, v1alpha1.ReasonAwaitingEndUser, "there is no data to write yet")
		return nil
	}
	content, err := output.Render(v.data, sync.Spec.Datapoints)
	if err != nil {
		return err
	}
	changed, err := v.Outputs.Apply(ctx, sync, target, content)
	if err != nil {
		return err
	}
	if changed && len(v.data) > 0 {
		p.Event(corev1.EventTypeNormal, v1alpha1.ReasonDataWritten, "Write", "wrote new data of the linked accounts to the output")
	} else if changed {
		p.Event(corev1.EventTypeNormal, v1alpha1.ReasonDataErased, "Write", "erased the data from the output: no account is linked any more")
	}
	sync.Status.Output = &v1alpha1.OutputStatus{
		Kind: string(target.Kind), Name: target.Name, Fingerprint: content.Fingerprint(v.Identity),
	}
	return nil
}

// dropFormer deletes the output that the spec named before, for it holds personal data.
func (v *visit) dropFormer(ctx context.Context, sync *v1alpha1.SmileAccountSync, target output.Target, wanted bool) error {
	held := sync.Status.Output
	if held == nil || wanted && held.Name == target.Name && held.Kind == string(target.Kind) {
		return nil
	}
	if err := v.Outputs.Delete(ctx, sync, output.Target{Kind: output.Kind(held.Kind), Name: held.Name}); err != nil {
		return err
	}
	sync.Status.Output = nil
	return nil
}

// conclude ends the pass: with what the data still lacks, if anything.
func (v *visit) conclude(_ context.Context, p *pass) error {
	p.Object.Status.LastHandledRequest = p.Object.Annotations[v1alpha1.AnnotationRequestedAt]
	if v.trouble != nil {
		return v.trouble
	}
	p.Keep()
	return nil
}

// untilNextLook says when to look again at an account whose data is still being gathered.
func untilNextLook(p *pass, entry *v1alpha1.SyncedAccount) time.Duration {
	const otherwise = 5 * time.Minute
	if entry.ConnectedAt == nil {
		return otherwise
	}
	next := mirror.Looks(entry.ConnectedAt.Time, p.Now).Next
	if next.IsZero() {
		return otherwise
	}
	return max(next.Sub(p.Now), time.Second)
}
