package ownership

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/identity"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/smile"
	"github.com/smile-operator/smile-operator/internal/smile/transport"
)

func secret(name string, data map[string]string) *corev1.Secret {
	bytes := map[string][]byte{}
	for key, value := range data {
		bytes[key] = []byte(value)
	}
	permitted := map[string]string{v1alpha1.AnnotationUse: "subjects"}
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Annotations: permitted}, Data: bytes}
}

// kubeWith holds that Secret, and others.
func kubeWith(t *testing.T, secrets ...client.Object) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	secrets = append(secrets, secret("keys", map[string]string{"apiKey": "k", "apiSecret": "s"}))
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(secrets...).Build()
}

// newChecker makes a Checker and a connection, named smile in the namespace shop, that calls r.
func newChecker(t *testing.T, r *remote, key identity.Key, secrets ...client.Object) (*Checker, *connection.Connection) {
	t.Helper()
	kube := kubeWith(t, secrets...)
	hosts, err := transport.NewHostPolicy("", nil)
	if err != nil {
		t.Fatal(err)
	}
	registry := connection.NewRegistry(connection.Config{
		Connections: kube, Secrets: kube, Hosts: hosts, Budgets: transport.NewBudgetSet(0),
		Metrics: transport.NewMetrics(), Identity: key, Clock: clock.RealClock{},
	}, func() error { return errors.New("ownership only reads") })
	conn, err := registry.Refresh(t.Context(), &v1alpha1.SmileConnection{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "smile", UID: "uid-conn"},
		Spec:       v1alpha1.SmileConnectionSpec{Mode: v1alpha1.ModeSandbox, CredentialsSecretRef: v1alpha1.CredentialsSecretReference{Name: "keys"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	conn.Client = smile.NewClient(&url.URL{Scheme: "https", Host: "api.test", Path: "/v1"}, r)
	mirrors := mirror.NewSet(t.Context(), mirror.Config{Clock: clock.RealClock{}})
	return &Checker{Key: key, Secrets: kube, Mirrors: mirrors}, conn
}

// remote is Smile with at most one user, u1.
type remote struct {
	// marker of the user; nil if there is no user, "" if the user has none.
	marker *string
	failed bool
}

// Do implements smile.Doer.
func (r *remote) Do(request *http.Request) (*http.Response, error) {
	var body string
	status := http.StatusOK
	switch {
	case r.failed:
		status, body = http.StatusInternalServerError, `{"code":"INTERNAL_ERROR","message":"m","requestId":"r"}`
	case r.marker == nil || !strings.HasSuffix(request.URL.Path, "/users/u1"):
		status, body = http.StatusNotFound, `{"code":"NOT_FOUND","message":"m","requestId":"r"}`
	default:
		body = fmt.Sprintf(`{"code":"OK","data":{"id":"u1","createdAt":"2026-05-01T12:00:00Z","externalMetadata":{"channel":"web",%q:%q}}}`,
			v1alpha1.MetadataOwner, *r.marker)
	}
	header := http.Header{"Content-Type": {"application/json"}}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body))}, nil
}

const absent = "absent"

func georgeIn(namespace string, change func(*v1alpha1.SmileUserSpec)) *v1alpha1.SmileUser {
	obj := &v1alpha1.SmileUser{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "george", UID: "uid-george"}}
	if change != nil {
		change(&obj.Spec)
	}
	return obj
}

func TestVerify(t *testing.T) {
	t.Parallel()
	key, _ := identity.NewKey()
	foreignKey, _ := identity.NewKey()
	subject := identity.Subject{Mode: v1alpha1.ModeSandbox, Scope: "shop", Name: "shop/george"}
	same, other := key.Digest(subject), foreignKey.Digest(subject)
	marker := func(uid string, digest identity.Digest) string {
		return "v1." + uid + "." + string(digest)
	}
	byID := func(spec *v1alpha1.SmileUserSpec) { spec.UserID = "u1" }
	never := func(spec *v1alpha1.SmileUserSpec) { spec.AdoptionPolicy = v1alpha1.AdoptionNever }
	byIDNever := func(spec *v1alpha1.SmileUserSpec) { byID(spec); never(spec) }
	for name, c := range map[string]struct {
		remote    string
		change    func(*v1alpha1.SmileUserSpec)
		permitted bool
		want      error
	}{
		"own":                                      {marker("uid-george", other), nil, false, nil},
		"own, never adopting":                      {marker("uid-george", other), never, false, nil},
		"the same person":                          {marker("uid-2", same), nil, false, nil},
		"the same person, owned":                   {marker("uid-2", same), func(s *v1alpha1.SmileUserSpec) { s.AdoptionPolicy = v1alpha1.AdoptionOwned }, false, nil},
		"the same person, never adopting":          {marker("uid-2", same), never, false, errNotOwned},
		"the same person of another key":           {marker("uid-2", other), nil, false, errNotOwned},
		"permission without an id":                 {marker("uid-2", other), nil, true, errNotOwned},
		"by id":                                    {marker("uid-2", other), byID, false, errNotOwned},
		"by id, permitted":                         {marker("uid-2", other), byID, true, nil},
		"by id, permitted, never adopting":         {marker("uid-2", same), byIDNever, true, nil},
		"by id, the same person":                   {marker("uid-2", same), byID, false, nil},
		"by another id, permitted":                 {marker("uid-2", other), func(s *v1alpha1.SmileUserSpec) { s.UserID = "u2" }, true, errNotOwned},
		"unmarked":                                 {"", nil, true, errNotOwned},
		"unmarked, by id":                          {"", byID, false, errNotOwned},
		"unmarked, by id, permitted":               {"", byID, true, nil},
		"a marker of another form":                 {"v9.uid-george." + string(same), nil, false, errNotOwned},
		"missing":                                  {absent, nil, false, ErrMissing},
		"missing, by id, permitted":                {absent, byID, true, ErrMissing},
		"the same name in a connection elsewhere":  {marker("uid-2", key.Digest(identity.Subject{Mode: v1alpha1.ModeSandbox, Scope: "bank", Name: "shop/george"})), nil, false, errNotOwned},
		"the person in production, this a sandbox": {marker("uid-2", key.Digest(identity.Subject{Mode: v1alpha1.ModeProduction, Scope: "shop", Name: "shop/george"})), nil, false, errNotOwned},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &remote{}
			if c.remote != absent {
				r.marker = &c.remote
			}
			checker, conn := newChecker(t, r, key)
			conn.AdoptionAllowed = c.permitted
			if err := checker.Verify(t.Context(), conn, georgeIn("shop", c.change), "u1"); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

// If the marker cannot be read, nothing is concluded.
func TestVerifyConcludesNothingFromAFailure(t *testing.T) {
	t.Parallel()
	key, _ := identity.NewKey()
	r := &remote{failed: true}
	checker, conn := newChecker(t, r, key)
	err := checker.Verify(t.Context(), conn, georgeIn("shop", nil), "u1")
	if err == nil || errors.Is(err, ErrMissing) || errors.Is(err, errNotOwned) {
		t.Errorf("%v", err)
	}
}

func TestTheSubjectOfAnObject(t *testing.T) {
	t.Parallel()
	key, _ := identity.NewKey()
	from := func(name string) func(*v1alpha1.SmileUserSpec) {
		return func(spec *v1alpha1.SmileUserSpec) {
			spec.SubjectFrom = &v1alpha1.SubjectSource{SecretKeyRef: v1alpha1.SecretKeyReference{Name: name, Key: "alice"}}
		}
	}
	checker, conn := newChecker(t, &remote{}, key,
		secret("customers", map[string]string{"alice": "CNRY-42"}), secret("longest", map[string]string{"alice": strings.Repeat("CNRY", maxSubject/4)}),
		secret("too-long", map[string]string{"alice": strings.Repeat("CNRY", maxSubject/4) + "!"}),
		secret("empty", map[string]string{"alice": ""}), secret("without", map[string]string{"bob": "CNRY"}),
	)
	for name, c := range map[string]struct {
		change func(*v1alpha1.SmileUserSpec)
		want   string
		reason string
	}{
		"its name":        {nil, "shop/george", ""},
		"a literal":       {func(spec *v1alpha1.SmileUserSpec) { spec.Subject = "CNRY-42" }, "CNRY-42", ""},
		"from a Secret":   {from("customers"), "CNRY-42", ""},
		"512 bytes":       {from("longest"), strings.Repeat("CNRY", maxSubject/4), ""},
		"513 bytes":       {from("too-long"), "", v1alpha1.ReasonSecretInvalid},
		"an empty value":  {from("empty"), "", v1alpha1.ReasonSecretInvalid},
		"an absent value": {from("without"), "", v1alpha1.ReasonSecretInvalid},
		"no Secret":       {from("absent"), "", v1alpha1.ReasonSecretNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := checker.Marker(t.Context(), conn, georgeIn("shop", c.change))
			if c.reason != "" {
				if !problem.Is(err, c.reason) || strings.Contains(err.Error(), "CNRY") {
					t.Errorf("%v, want %s", err, c.reason)
				}
				return
			}
			want := identity.Marker{UID: "uid-george", Digest: key.Digest(identity.Subject{Mode: conn.Mode, Scope: "shop", Name: c.want})}
			if err != nil || got != want {
				t.Errorf("%v, %v, want %v", got, err, want)
			}
		})
	}
}

// If a Secret does not permit the use of its values, the error does not depend on the value. An existing user continues.
func TestASubjectIsTakenOnlyFromASecretThatPermitsIt(t *testing.T) {
	t.Parallel()
	key, _ := identity.NewKey()
	unmarked := func(name, value string) *corev1.Secret {
		database := secret(name, map[string]string{"alice": value})
		database.Annotations = map[string]string{v1alpha1.AnnotationUse: "credentials"}
		return database
	}
	checker, conn := newChecker(t, &remote{}, key, unmarked("one", "CNRY-42"), unmarked("two", "CNRY-42\n"), unmarked("too", ""))
	message := ""
	for _, name := range []string{"one", "two", "too"} {
		george := georgeIn("shop", func(spec *v1alpha1.SmileUserSpec) {
			spec.SubjectFrom = &v1alpha1.SubjectSource{SecretKeyRef: v1alpha1.SecretKeyReference{Name: name, Key: "alice"}}
		})
		_, err := checker.Person(t.Context(), conn, george)
		if !problem.Is(err, v1alpha1.ReasonSecretUseNotPermitted) {
			t.Fatalf("%s: %v", name, err)
		}
		said := strings.ReplaceAll(err.Error(), name, "")
		if message != "" && said != message {
			t.Errorf("two values give two messages: %q and %q", message, said)
		}
		message = said
	}
	existing := georgeIn("shop", func(spec *v1alpha1.SmileUserSpec) {
		spec.SubjectFrom = &v1alpha1.SubjectSource{SecretKeyRef: v1alpha1.SecretKeyReference{Name: "one", Key: "alice"}}
	})
	existing.Status.UserID = "u1"
	if _, err := checker.Person(t.Context(), conn, existing); err != nil {
		t.Errorf("an existing user: %v", err)
	}
}

func TestABusinessKeyIsRefusedOnlyForCreating(t *testing.T) {
	t.Parallel()
	key, _ := identity.NewKey()
	checker, conn := newChecker(t, &remote{}, key, secret("customers", map[string]string{"alice": "CNRY-42\n"}))
	george := georgeIn("shop", func(spec *v1alpha1.SmileUserSpec) {
		spec.SubjectFrom = &v1alpha1.SubjectSource{SecretKeyRef: v1alpha1.SecretKeyReference{Name: "customers", Key: "alice"}}
	})
	person, err := checker.Person(t.Context(), conn, george)
	if err != nil {
		t.Fatal(err)
	}
	want := key.Digest(identity.Subject{Mode: conn.Mode, Scope: "shop", Name: "CNRY-42\n"})
	if person.Marker.Digest != want {
		t.Error("the digest is not computed over the raw bytes")
	}
	if !problem.Is(person.Refused, v1alpha1.ReasonSecretInvalid) || strings.Contains(person.Refused.Error(), "CNRY") {
		t.Errorf("refused: %v", person.Refused)
	}
}
