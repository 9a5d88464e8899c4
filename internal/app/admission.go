package app

import (
	"context"
	"crypto/sha256"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authenticationclient "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

const (
	// admittedFor and refusedFor are how long an answer of the API server about a caller is used again.
	admittedFor = time.Minute
	refusedFor  = 10 * time.Second
	// mostCallers is how many answers are remembered, and mostReviews how many are asked for at once.
	mostCallers = 1000
	mostReviews = 8
	reviewLimit = 10 * time.Second
)

// admission lets callers through whose bearer token the API server accepts and whom RBAC allows to use the path. It does what
// controller-runtime's filters.WithAuthenticationAndAuthorization does, without k8s.io/apiserver, which would be a third of
// the binary and 16 MiB of memory.
type admission struct {
	tokens authenticationclient.TokenReviewInterface
	access authorizationclient.SubjectAccessReviewInterface
	// reviewing holds an entry for each review that is under way.
	reviewing chan struct{}

	mu    sync.Mutex
	known map[caller]decision
}

// caller is a hash of a token, a verb and a path.
type caller [sha256.Size]byte

type decision struct {
	status int
	until  time.Time
}

// newAdmission implements server.Options.FilterProvider.
func newAdmission(access *rest.Config, client *http.Client) (server.Filter, error) {
	tokens, err := authenticationclient.NewForConfigAndClient(access, client)
	if err != nil {
		return nil, err
	}
	rights, err := authorizationclient.NewForConfigAndClient(access, client)
	if err != nil {
		return nil, err
	}
	a := &admission{
		tokens: tokens.TokenReviews(), access: rights.SubjectAccessReviews(),
		reviewing: make(chan struct{}, mostReviews), known: map[caller]decision{},
	}
	return a.filter, nil
}

func (a *admission) filter(log logr.Logger, next http.Handler) (http.Handler, error) {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, err := a.admit(r)
		if err != nil {
			log.Error(err, "a caller could not be authenticated or authorized")
		}
		if status != http.StatusOK {
			http.Error(w, http.StatusText(status), status)
			return
		}
		next.ServeHTTP(w, r)
	}), nil
}

// admit returns 200, 401, 403, or 500 with the reason why the API server did not answer.
func (a *admission) admit(r *http.Request) (int, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	if token == "" || !strings.EqualFold(scheme, "Bearer") {
		return http.StatusUnauthorized, nil
	}
	verb, path := strings.ToLower(r.Method), r.URL.Path
	who := caller(sha256.Sum256([]byte(verb + " " + path + "\x00" + token)))
	if status, ok := a.recall(who); ok {
		return status, nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), reviewLimit)
	defer cancel()
	select {
	case a.reviewing <- struct{}{}:
		defer func() { <-a.reviewing }()
	case <-ctx.Done():
		return http.StatusInternalServerError, context.Cause(ctx)
	}
	status, err := a.review(ctx, token, verb, path)
	if err != nil {
		return http.StatusInternalServerError, err
	}
	a.remember(who, status)
	return status, nil
}

func (a *admission) review(ctx context.Context, token, verb, path string) (int, error) {
	who, err := a.tokens.Create(ctx, &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}, metav1.CreateOptions{})
	if err != nil {
		return 0, err
	}
	if !who.Status.Authenticated {
		return http.StatusUnauthorized, nil
	}
	user, extra := who.Status.User, map[string]authorizationv1.ExtraValue{}
	for key, values := range user.Extra {
		extra[key] = authorizationv1.ExtraValue(values)
	}
	may, err := a.access.Create(ctx, &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extra,
		NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: path, Verb: verb},
	}}, metav1.CreateOptions{})
	if err != nil {
		return 0, err
	}
	if !may.Status.Allowed {
		return http.StatusForbidden, nil
	}
	return http.StatusOK, nil
}

func (a *admission) recall(who caller) (status int, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	found, ok := a.known[who]
	return found.status, ok && time.Now().Before(found.until)
}

func (a *admission) remember(who caller, status int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now, lasts := time.Now(), refusedFor
	if status == http.StatusOK {
		lasts = admittedFor
	}
	if len(a.known) >= mostCallers {
		maps.DeleteFunc(a.known, func(_ caller, d decision) bool { return !now.Before(d.until) })
	}
	if len(a.known) >= mostCallers {
		clear(a.known)
	}
	a.known[who] = decision{status, now.Add(lasts)}
}
