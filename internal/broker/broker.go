package broker

import (
	"net/http"
	"time"

	"github.com/go-logr/logr"

	"github.com/smile-operator/smile-operator/internal/appapi"
	"github.com/smile-operator/smile-operator/internal/auditlog"
)

// Config is what the application API of the operator needs.
type Config struct {
	Gate   *Gate
	People *People
	// Links to the hosted page; nil if none is served.
	Links     appapi.Links
	Forwarder *Forwarder
	Audit     *auditlog.Log
	Metrics   *Metrics
	Log       logr.Logger
}

// NewHandler makes the handler of the application API.
func NewHandler(config Config) http.Handler {
	return appapi.NewHandler(appapi.Config{
		Gate: config.Gate, People: config.People, Links: config.Links, Relay: config.Forwarder,
		Audit: auditTo(config.Audit), Observe: config.Metrics.observe,
		Failed: func(call *appapi.Call, err error) {
			config.Log.Error(err, "a call of the application API failed", "call", call.ID, "operation", call.Operation.Name)
		},
		Now: time.Now,
	})
}
