package app

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authenticationclient "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
)

// reviewer is an API server that knows the tokens prometheus and stranger, of whom the first may get /metrics.
type reviewer struct {
	authenticationclient.TokenReviewInterface
	asked int
	err   error
}

func (r *reviewer) Create(
	_ context.Context, review *authenticationv1.TokenReview, _ metav1.CreateOptions,
) (*authenticationv1.TokenReview, error) {
	r.asked++
	if name := review.Spec.Token; name == "prometheus" || name == "stranger" {
		review.Status = authenticationv1.TokenReviewStatus{Authenticated: true, User: authenticationv1.UserInfo{
			Username: name, UID: "1", Groups: []string{"monitoring"}, Extra: map[string]authenticationv1.ExtraValue{"scope": {"all"}},
		}}
	}
	return review, r.err
}

type authorizer struct {
	authorizationclient.SubjectAccessReviewInterface
	err error
}

func (a *authorizer) Create(
	_ context.Context, review *authorizationv1.SubjectAccessReview, _ metav1.CreateOptions,
) (*authorizationv1.SubjectAccessReview, error) {
	review.Status.Allowed = reflect.DeepEqual(review.Spec, authorizationv1.SubjectAccessReviewSpec{
		User: "prometheus", UID: "1", Groups: []string{"monitoring"}, Extra: map[string]authorizationv1.ExtraValue{"scope": {"all"}},
		NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: "/metrics", Verb: "get"},
	})
	return review, a.err
}

// guarded is a handler behind an admission.
func guarded(t *testing.T, tokens *reviewer, access *authorizer) (ask func(method, path, authorization string) int) {
	t.Helper()
	a := &admission{tokens: tokens, access: access, reviewing: make(chan struct{}, mostReviews), known: map[caller]decision{}}
	handler, err := a.filter(logr.Discard(), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	if err != nil {
		t.Fatal(err)
	}
	return func(method, path, authorization string) int {
		r := httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody)
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, r)
		return answer.Code
	}
}

func TestWhoGetsTheMetrics(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		method, path, authorization string
		want                        int
	}{
		"who may":                 {http.MethodGet, "/metrics", "Bearer prometheus", http.StatusOK},
		"in another spelling":     {http.MethodGet, "/metrics", "bearer  prometheus ", http.StatusOK},
		"who may not":             {http.MethodGet, "/metrics", "Bearer stranger", http.StatusForbidden},
		"another path":            {http.MethodGet, "/debug", "Bearer prometheus", http.StatusForbidden},
		"another verb":            {http.MethodPost, "/metrics", "Bearer prometheus", http.StatusForbidden},
		"an unknown token":        {http.MethodGet, "/metrics", "Bearer guess", http.StatusUnauthorized},
		"nobody":                  {http.MethodGet, "/metrics", "", http.StatusUnauthorized},
		"no token":                {http.MethodGet, "/metrics", "Bearer ", http.StatusUnauthorized},
		"another kind of a proof": {http.MethodGet, "/metrics", "Basic prometheus", http.StatusUnauthorized},
	} {
		if got := guarded(t, &reviewer{}, &authorizer{})(test.method, test.path, test.authorization); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
	for name, ask := range map[string]func(method, path, authorization string) int{
		"tokens are not reviewed": guarded(t, &reviewer{err: errors.New("no")}, &authorizer{}),
		"access is not reviewed":  guarded(t, &reviewer{}, &authorizer{err: errors.New("no")}),
	} {
		if got := ask(http.MethodGet, "/metrics", "Bearer prometheus"); got != http.StatusInternalServerError {
			t.Errorf("%s: %d", name, got)
		}
	}
}

func TestAnswersAboutCallersAreRememberedForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := &reviewer{}
		ask := guarded(t, tokens, &authorizer{})
		reviews := func(token string) int {
			before := tokens.asked
			ask(http.MethodGet, "/metrics", "Bearer "+token)
			return tokens.asked - before
		}
		first, again := reviews("prometheus"), reviews("prometheus")
		time.Sleep(admittedFor)
		if later := reviews("prometheus"); first != 1 || again != 0 || later != 1 {
			t.Errorf("reviews of who is admitted: %d, again %d, later %d", first, again, later)
		}
		first, again = reviews("guess"), reviews("guess")
		time.Sleep(refusedFor)
		if later := reviews("guess"); first != 1 || again != 0 || later != 1 {
			t.Errorf("reviews of who is refused: %d, again %d, later %d", first, again, later)
		}
		if ask(http.MethodPost, "/metrics", "Bearer prometheus") != http.StatusForbidden {
			t.Error("what was admitted for one verb is for another")
		}
		tokens.err = errors.New("no")
		if reviews("new") != 1 || reviews("new") != 1 {
			t.Error("that there was no answer is remembered")
		}
	})
}

func TestFewCallersAreRemembered(t *testing.T) {
	t.Parallel()
	a := &admission{known: map[caller]decision{}}
	for i := range 3 * mostCallers {
		a.remember(caller{byte(i), byte(i >> 8)}, http.StatusUnauthorized)
	}
	if len(a.known) > mostCallers {
		t.Errorf("%d are", len(a.known))
	}
}
