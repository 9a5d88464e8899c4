package app

import (
	"context"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/receiver"
)

// addReceiver adds the server that receives webhooks. Every replica receives, whether it leads or not. Hints need no fence.
func addReceiver(mgr ctrl.Manager, options Options) error {
	if !options.receives() {
		return nil
	}
	live, err := liveClient(mgr.GetConfig(), mgr)
	if err != nil {
		return err
	}
	server := &receiver.Server{
		Address:  options.ReceiverBindAddress,
		CertFile: options.ReceiverTLSCertFile, KeyFile: options.ReceiverTLSKeyFile,
		Cache: mgr.GetClient(), Live: live, Namespaces: options.WatchNamespaces, Selector: options.cache().DefaultLabelSelector,
		Log: mgr.GetLogger().WithName("receiver"), Now: time.Now,
	}
	if err := mgr.AddReadyzCheck("receiver", server.Ready); err != nil {
		return err
	}
	return mgr.Add(server)
}

// headStart waits until the receivers of all replicas know a pair that was just stored, before events signed with it can arrive.
func headStart(ctx context.Context) error {
	timer := time.NewTimer(hook.HeadStart)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
