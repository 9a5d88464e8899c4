package app

import (
	"time"

	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/smile-operator/smile-operator/internal/receiver"
)

// addReceiver has this process take webhooks, whoever leads: what it writes are hints, which no fence need keep back.
func addReceiver(mgr ctrl.Manager, options Options) error {
	if options.ReceiverBindAddress == "" || options.ReceiverBindAddress == "0" {
		return nil
	}
	live, err := liveClient(mgr.GetConfig(), mgr)
	if err != nil {
		return err
	}
	server := &receiver.Server{
		Address:  options.ReceiverBindAddress,
		CertFile: options.ReceiverTLSCertFile, KeyFile: options.ReceiverTLSKeyFile,
		Cache: mgr.GetClient(), Live: live, Log: mgr.GetLogger().WithName("receiver"), Now: time.Now,
	}
	if err := mgr.AddReadyzCheck("receiver", server.Ready); err != nil {
		return err
	}
	return mgr.Add(server)
}
