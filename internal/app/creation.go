package app

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/creation"
)

// creationsSuffix is appended to the name of the leader Lease to name the Lease of the creation log.
const creationsSuffix = "-creations"

// addCreation builds the protocol that creates users, and adds its log to the manager. live is fenced.
func addCreation(mgr ctrl.Manager, live client.Client, options Options, lock *fencedLock, config creation.Config) (*creation.Protocol, error) {
	log := creation.LogConfig{
		Leases: live, Name: types.NamespacedName{Namespace: options.namespace(), Name: options.LeaseName + creationsSuffix},
		Used: usedBefore(mgr.GetClient()), Clock: config.Clock,
	}
	if options.LeaderElect {
		log.Term = lock.leads
	}
	config.Log = creation.NewLog(log)
	people := creation.New(config)
	lock.lastSent = people.LastSent
	return people, mgr.Add(config.Log)
}

// usedBefore reports whether the operator may have created users, that is, whether a SmileConnection was ever proven.
func usedBefore(objects client.Reader) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		var connections v1alpha1.SmileConnectionList
		if err := objects.List(ctx, &connections); err != nil {
			return false, err
		}
		for i := range connections.Items {
			if connections.Items[i].Status.Credentials != nil {
				return true, nil
			}
		}
		return false, nil
	}
}
