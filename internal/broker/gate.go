// Package broker serves the application API (internal/appapi) for the operator: it has the API server decide who may call,
// mints link tokens, and passes calls on to the replica that leads.
package broker

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/token/cache"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	webhooktoken "k8s.io/apiserver/plugin/pkg/authenticator/token/webhook"
	authenticationv1 "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationv1 "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/rest"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/appapi"
)

const (
	// reviewTTL is how long an answer of the API server about a caller is valid. A right that is revoked ends within this time.
	reviewTTL = 10 * time.Second
	// reviewTimeout is how long the API server may take to review a token.
	reviewTimeout = 3 * time.Second
)

// reviewBackoff retries a failed review once.
var reviewBackoff = wait.Backoff{Duration: 100 * time.Millisecond, Factor: 1.5, Jitter: 0.2, Steps: 2}

// Gate has the API server decide who may call.
type Gate struct {
	tokens    authenticator.Token
	rights    authorizer.Authorizer
	audiences authenticator.Audiences
}

// NewGate makes a gate for tokens of an audience.
func NewGate(access *rest.Config, audience string) (*Gate, error) {
	authentication, err := authenticationv1.NewForConfig(access)
	if err != nil {
		return nil, fmt.Errorf("making the client for token reviews: %w", err)
	}
	authorization, err := authorizationv1.NewForConfig(access)
	if err != nil {
		return nil, fmt.Errorf("making the client for access reviews: %w", err)
	}
	// Without implicit audiences, a token without an audience is refused.
	reviews, err := webhooktoken.NewFromInterface(
		authentication,
		nil,
		reviewBackoff,
		reviewTimeout,
		webhooktoken.AuthenticatorMetrics{
			RecordRequestTotal:   func(context.Context, string) {},
			RecordRequestLatency: func(context.Context, string, float64) {},
		},
	)
	if err != nil {
		return nil, fmt.Errorf("making the authenticator: %w", err)
	}
	rights, err := authorizerfactory.DelegatingAuthorizerConfig{
		SubjectAccessReviewClient: authorization,
		AllowCacheTTL:             reviewTTL, DenyCacheTTL: reviewTTL, WebhookRetryBackoff: &reviewBackoff,
	}.New()
	if err != nil {
		return nil, fmt.Errorf("making the authorizer: %w", err)
	}
	return &Gate{
		tokens:    cache.New(reviews, false, reviewTTL, reviewTTL),
		rights:    rights,
		audiences: authenticator.Audiences{audience},
	}, nil
}

// Authenticate implements appapi.Gate.
func (g *Gate) Authenticate(ctx context.Context, token string) (appapi.Caller, error) {
	response, ok, err := g.tokens.AuthenticateToken(authenticator.WithAudiences(ctx, g.audiences), token)
	if err != nil || !ok {
		return nil, err
	}
	return response.User, nil
}

// Authorize implements appapi.Gate.
func (g *Gate) Authorize(ctx context.Context, caller appapi.Caller, access appapi.Access) (bool, error) {
	decision, _, err := g.rights.Authorize(ctx, authorizer.AttributesRecord{
		User: caller.(user.Info), Verb: access.Verb,
		APIGroup: v1alpha1.GroupVersion.Group, APIVersion: v1alpha1.GroupVersion.Version,
		Resource: access.Resource, Subresource: access.Subresource, Namespace: access.Namespace, Name: access.Name,
		ResourceRequest: true,
	})
	return decision == authorizer.DecisionAllow, err
}
