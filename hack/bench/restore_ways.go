package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// removeAll deletes objects and Secrets while no operator runs, and starts it again.
func (a *restoreRun) removeAll(ctx context.Context) error {
	return a.without(ctx, metav1.DeletePropagationBackground, func(ctx context.Context, name string) error {
		return client.IgnoreNotFound(a.admin.Delete(ctx, a.secrets[name].DeepCopy()))
	})
}

// orphan deletes the objects and leaves the Secrets.
func (a *restoreRun) orphan(ctx context.Context) error {
	return a.without(ctx, metav1.DeletePropagationOrphan, func(context.Context, string) error { return nil })
}

func (a *restoreRun) without(
	ctx context.Context, how metav1.DeletionPropagation, also func(context.Context, string) error,
) error {
	if err := a.operator.end(); err != nil {
		return err
	}
	err := a.each(ctx, "deleted the objects of", a.names, func(ctx context.Context, name string) error {
		return errors.Join(
			a.admin.Delete(ctx, a.syncs[name].DeepCopy(), client.PropagationPolicy(how)),
			a.admin.Delete(ctx, a.users[name].DeepCopy(), client.PropagationPolicy(how)),
			also(ctx, name),
		)
	})
	if err != nil {
		return err
	}
	if err := a.gone(ctx); err != nil {
		return err
	}
	a.operator, err = a.operate(ctx, unlimited, "--output-check-interval="+restoreChecks.String())
	return err
}

func (a *restoreRun) gone(ctx context.Context) error {
	return a.until(ctx, "the garbage collector has finished", 5*time.Minute, func() (bool, string, error) {
		var users v1alpha1.SmileUserList
		var syncs v1alpha1.SmileAccountSyncList
		err := errors.Join(a.admin.List(ctx, &users), a.admin.List(ctx, &syncs))
		left := len(users.Items) + len(syncs.Items)
		return left == 0, fmt.Sprintf("%d objects are left", left), err
	})
}

// put creates a Secret, or replaces the one that the operator has created meanwhile, as restore tools do.
func (a *restoreRun) put(ctx context.Context, name string) error {
	secret := a.secrets[name].DeepCopy()
	err := a.admin.Create(ctx, secret)
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	if err := a.admin.Delete(ctx, secret); client.IgnoreNotFound(err) != nil {
		return err
	}
	return a.put(ctx, name)
}

func (a *restoreRun) bringSecrets(ctx context.Context) error {
	return a.each(ctx, "restored the Secrets of", a.names, a.put)
}

func (a *restoreRun) bringObjects(ctx context.Context) error {
	return a.each(ctx, "re-created the objects of", a.names, func(ctx context.Context, name string) error {
		return errors.Join(a.admin.Create(ctx, a.users[name].DeepCopy()), a.admin.Create(ctx, a.syncs[name].DeepCopy()))
	})
}

func (a *restoreRun) secretsFirst(ctx context.Context) error {
	if err := a.bringSecrets(ctx); err != nil {
		return err
	}
	return a.bringObjects(ctx)
}

// objectsFirst restores the objects first, and the Secrets when all users and syncs are there.
func (a *restoreRun) objectsFirst(ctx context.Context) error {
	if err := a.bringObjects(ctx); err != nil {
		return err
	}
	if err := a.ready(ctx); err != nil {
		return err
	}
	return a.bringSecrets(ctx)
}

// interleaved restores one person after the other, each in another order.
func (a *restoreRun) interleaved(ctx context.Context) error {
	parts := []func(context.Context, string) error{
		func(ctx context.Context, name string) error { return a.admin.Create(ctx, a.users[name].DeepCopy()) },
		func(ctx context.Context, name string) error { return a.admin.Create(ctx, a.syncs[name].DeepCopy()) },
		a.put,
	}
	orders := [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}
	first := map[string][]int{}
	for i, name := range a.names {
		first[name] = orders[i%len(orders)]
	}
	return a.each(ctx, "restored", a.names, func(ctx context.Context, name string) error {
		for _, part := range first[name] {
			if err := parts[part](ctx, name); err != nil {
				return err
			}
		}
		return nil
	})
}
