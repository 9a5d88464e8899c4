package app

import (
	"go.uber.org/zap/zapcore"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
)

// bodiesLogged is the verbosity at which the Kubernetes client begins to log what it sends and receives, which includes key
// pairs, link tokens and personal data.
const bodiesLogged = 8

// withoutBodies keeps the verbosity below that, whatever the flags say.
func withoutBodies(options zap.Options) zap.Options {
	if options.Level != nil {
		options.Level = capped{options.Level}
	}
	return options
}

type capped struct{ zapcore.LevelEnabler }

func (c capped) Enabled(level zapcore.Level) bool {
	return level > -bodiesLogged && c.LevelEnabler.Enabled(level)
}
