package connection

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// remote responds to each call with the next status, repeats the last one, and records the calls.
type remote struct {
	answers []int
	calls   []string
}

func (r *remote) Do(request *http.Request) (*http.Response, error) {
	r.calls = append(r.calls, request.URL.Path)
	status := r.answers[min(len(r.calls), len(r.answers))-1]
	if status == 0 {
		return nil, &smile.TransportError{Cause: smile.FailureReset}
	}
	code := map[int]string{200: "OK", 401: "INVALID_TOKEN", 403: "UNAUTHORIZED_ACCESS", 404: "MISSING_RESOURCE"}[status]
	body := `{"code":"` + code + `","data":{"id":"user-1","items":[]}}`
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)),
	}, nil
}

func newSession(answers ...int) (*session, *remote, *clocktesting.FakeClock, *int) {
	b, now := newBreaker()
	r, news := &remote{answers: answers}, 0
	s := &session{mode: v1alpha1.ModeSandbox, fingerprint: "pair", changed: func(*session) { news++ }}
	s.breaker.clock = b.clock
	s.prober = smile.NewClient(&url.URL{Scheme: "https", Host: "smile", Path: "/v1"}, r)
	return s, r, now, &news
}

func TestOneRefusalIsCheckedByOneProbe(t *testing.T) {
	t.Parallel()
	refused := func(status int, code smile.Code) error { return &smile.APIError{StatusCode: status, Code: code} }
	forbidden := refused(403, smile.CodeUnauthorizedAccess)
	for name, test := range map[string]struct {
		err    error
		probe  int
		probes int
		class  problem.Class
		reason string
		open   bool
	}{
		"another error":                       {refused(500, smile.CodeServerError), 200, 0, problem.Transient, v1alpha1.ReasonSmileUnavailable, false},
		"not found":                           {refused(404, smile.CodeMissingResource), 200, 0, problem.Transient, v1alpha1.ReasonSmileUnavailable, false},
		"invalid":                             {refused(400, smile.CodeInvalidParameters), 200, 0, problem.Invalid, v1alpha1.ReasonInvalidSpec, false},
		"401, and the pair is bad":            {refused(401, smile.CodeInvalidToken), 401, 1, problem.NotReady, v1alpha1.ReasonConnectionNotReady, true},
		"a 400 for the pair, and it is bad":   {refused(400, smile.CodeInvalidCredentials), 401, 1, problem.NotReady, v1alpha1.ReasonConnectionNotReady, true},
		"403, and the pair is bad":            {forbidden, 403, 1, problem.NotReady, v1alpha1.ReasonConnectionNotReady, true},
		"401, but the pair is good":           {refused(401, smile.CodeInvalidToken), 200, 1, problem.Transient, v1alpha1.ReasonSmileUnavailable, false},
		"403, but the pair is good":           {forbidden, 200, 1, problem.Invalid, v1alpha1.ReasonAccessForbidden, false},
		"401, and the probe gets no answer":   {refused(401, smile.CodeInvalidToken), 0, 2, problem.Transient, v1alpha1.ReasonSmileUnavailable, false},
		"403, and the probe meets a breakage": {forbidden, 500, 1, problem.Invalid, v1alpha1.ReasonAccessForbidden, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, r, _, news := newSession(test.probe)
			got := problem.Classify(s.observe(t.Context(), test.err))
			if got.Class != test.class || got.Reason != test.reason {
				t.Errorf("it is %+v", got)
			}
			if len(r.calls) != test.probes {
				t.Errorf("%d probes", len(r.calls))
			}
			if s.breaker.denied() != test.open || (*news > 0) != test.open {
				t.Errorf("the breaker is open: %v; told %d times", s.breaker.denied(), *news)
			}
			if test.open {
				if got := problem.Classify(s.breaker.refusal()); got.Reason != v1alpha1.ReasonConnectionNotReady {
					t.Errorf("the next call gets %+v", got)
				}
			}
		})
	}
}

func TestAProbeThatPanicsDelaysNoOtherCall(t *testing.T) {
	t.Parallel()
	s, _, _, _ := newSession()
	s.prober = nil
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was not passed on to the caller")
			}
		}()
		_ = s.observe(t.Context(), &smile.APIError{StatusCode: 401, Code: smile.CodeInvalidToken})
	}()
	if err := s.breaker.refusal(); err != nil {
		t.Errorf("the next call: %v", err)
	}
}

func TestProving(t *testing.T) {
	t.Parallel()
	type try struct {
		// after is the time since the previous attempt; user is a user of our tenant.
		after time.Duration
		user  string
		want  error
		calls int
	}
	errAny := errors.New("any")
	for name, test := range map[string]struct {
		answers []int
		tries   []try
	}{
		"good":                    {[]int{200}, []try{{calls: 1}, {calls: 1}, {after: time.Hour, calls: 1}}},
		"bad":                     {[]int{401}, []try{{want: errRefused, calls: 1}, {after: 5 * time.Second, want: errRefused, calls: 1}, {after: probeInterval, want: errRefused, calls: 2}}},
		"bad, then good":          {[]int{401, 200}, []try{{want: errRefused, calls: 1}, {after: probeInterval, calls: 2}, {calls: 2}}},
		"no answer":               {[]int{500}, []try{{want: errAny, calls: 1}, {want: errAny, calls: 2}}},
		"of the right tenant":     {[]int{200}, []try{{user: "user-1", calls: 1}}},
		"of another tenant":       {[]int{404}, []try{{user: "user-1", want: errOtherTenant, calls: 1}, {after: 5 * time.Second, user: "user-1", want: errOtherTenant, calls: 1}, {after: probeInterval, user: "user-1", want: errOtherTenant, calls: 2}}},
		"of another tenant, 403":  {[]int{403}, []try{{user: "user-1", want: errOtherTenant, calls: 1}, {user: "user-1", want: errOtherTenant, calls: 1}}},
		"good for one of two":     {[]int{200, 404}, []try{{calls: 1}, {user: "user-1", want: errOtherTenant, calls: 2}, {calls: 2}}},
		"bad, and nobody's":       {[]int{401}, []try{{user: "user-1", want: errRefused, calls: 1}, {user: "user-1", want: errRefused, calls: 1}}},
		"another's, then fixed":   {[]int{404, 200}, []try{{user: "user-1", want: errOtherTenant, calls: 1}, {after: probeInterval, user: "user-1", calls: 2}}},
		"no answer about another": {[]int{500, 404}, []try{{user: "user-1", want: errAny, calls: 1}, {user: "user-1", want: errOtherTenant, calls: 2}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, r, now, _ := newSession(test.answers...)
			for i, try := range test.tries {
				now.Step(try.after)
				err := s.prove(t.Context(), try.user)
				if (err == nil) != (try.want == nil) || reasonOf(try.want) != "" && reasonOf(err) != reasonOf(try.want) {
					t.Errorf("try %d: %v, want %v", i, err, try.want)
				}
				if len(r.calls) != try.calls {
					t.Errorf("try %d: %d calls, want %d", i, len(r.calls), try.calls)
				}
			}
		})
	}
}

// reasonOf is the reason of a problem; "" of anything else.
func reasonOf(err error) string {
	var found *problem.Problem
	if errors.As(err, &found) {
		return found.Reason
	}
	return ""
}

func TestTokensShowTheModeAndAUser(t *testing.T) {
	t.Parallel()
	s, _, _, news := newSession(200)
	s.learn("", "user-0")
	if s.confirmed() || *news != 0 {
		t.Error("a token without a mode confirms one")
	}
	s.learn(smile.ModeSandbox, "user-1")
	s.learn(smile.ModeSandbox, "user-2")
	if !s.confirmed() || s.knownUser != "user-1" || *news != 1 {
		t.Errorf("confirmed %v, user %q, told %d times", s.confirmed(), s.knownUser, *news)
	}
	s.learn(smile.ModeProduction, "user-3")
	if !s.breaker.wrongMode() || *news != 2 {
		t.Error("a token of the other mode is not noticed")
	}
	if err := s.breaker.refusal(); !errors.Is(err, errWrongMode) {
		t.Errorf("the next call gets %v", err)
	}
}

func TestTheStatusOfAnEarlierProcessCountsForTheSamePair(t *testing.T) {
	t.Parallel()
	status := func(fingerprint string, valid metav1.ConditionStatus) *v1alpha1.SmileConnection {
		conn := &v1alpha1.SmileConnection{}
		conn.Status.Credentials = &v1alpha1.CredentialsStatus{Fingerprint: fingerprint, ModeConfirmed: true}
		conn.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionCredentialsValid, Status: valid}}
		return conn
	}
	for name, test := range map[string]struct {
		conn              *v1alpha1.SmileConnection
		wrongMode         bool
		proven, confirmed bool
	}{
		"nothing is known":   {&v1alpha1.SmileConnection{}, false, false, false},
		"proven":             {status("pair", "True"), false, true, true},
		"of another pair":    {status("other", "True"), true, false, false},
		"refused":            {status("pair", "False"), false, false, true},
		"of the wrong mode":  {status("pair", "False"), true, false, true},
		"nothing, but wrong": {&v1alpha1.SmileConnection{}, true, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _, _, _ := newSession(200)
			s.restore(test.conn.Status.Credentials, s.provenFor(test.conn), test.wrongMode)
			got := []bool{s.isProven(), s.confirmed(), s.breaker.wrongMode()}
			known := test.conn.Status.Credentials != nil && test.conn.Status.Credentials.Fingerprint == "pair"
			if diff := cmp.Diff([]bool{test.proven, test.confirmed, test.wrongMode && known}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
