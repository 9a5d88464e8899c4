package accountsync

import (
	"context"
	"slices"
	"strings"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// unsupported returns a problem that names the datapoints that none of the linked accounts' providers offers.
func (s *scope) unsupported(ctx context.Context, sync *v1alpha1.SmileAccountSync) (*problem.Problem, error) {
	offered, providers := map[smile.Datapoint]bool{}, []string{}
	for _, account := range sync.Status.Accounts {
		if !hasData(account) && !s.isFetched(account.ID) {
			continue
		}
		provider, err := s.mirror.Provider(ctx, account.ProviderID)
		if smile.IsNotFound(err) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		providers = append(providers, provider.ID)
		for _, datapoint := range provider.Supported {
			offered[datapoint] = true
		}
	}
	var missing []string
	for _, datapoint := range sync.Spec.Datapoints {
		if !offered[smile.Datapoint(datapoint.Type)] {
			missing = append(missing, string(datapoint.Type))
		}
	}
	if len(missing) == 0 || len(providers) == 0 {
		return nil, nil
	}
	slices.Sort(providers)
	return problem.NewInvalid(v1alpha1.ReasonDatapointUnsupported,
		"spec.datapoints: "+strings.Join(missing, ", ")+" is offered by none of the linked providers ("+
			strings.Join(slices.Compact(providers), ", ")+"): remove it, or wait for an account that has it; the rest is synced").
		After(unsupportedRetry), nil
}
