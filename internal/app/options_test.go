package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
	"k8s.io/utils/clock"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/output"
)

func parsed(t *testing.T, args ...string) (Options, error) {
	t.Helper()
	var options Options
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.SetOutput(&strings.Builder{})
	options.Bind(flags)
	if err := flags.Parse(args); err != nil {
		return options, err
	}
	return options, options.validate()
}

func TestFlags(t *testing.T) {
	t.Parallel()
	options, err := parsed(t)
	if err != nil {
		t.Fatal(err)
	}
	if options.APIRequestsPerSecond != 15 || options.LeaderElect || options.MetricsBindAddress != "127.0.0.1:8080" {
		t.Errorf("the defaults are %+v", options)
	}
	options, err = parsed(t, "--allowed-api-hosts=a.example.com,http://127.0.0.1:8484", "--api-requests-per-second=0", "--watch-namespaces=a,b",
		"--watch-label-selector=team in (x,y)", "--allowed-output-annotations=a.example.com/*")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a.example.com", "http://127.0.0.1:8484"}, options.AllowedAPIHosts); diff != "" {
		t.Error(diff)
	}
	policy, err := output.NewAnnotationPolicy(options.OutputAnnotations)
	if err != nil || !policy.Allows("a.example.com/x") || policy.Allows("b.example.com/x") {
		t.Errorf("annotations: %+v", policy)
	}
	cache := options.cache()
	if len(cache.DefaultNamespaces) != 2 || cache.DefaultLabelSelector.String() != "team in (x,y)" {
		t.Errorf("the cache watches %+v", cache)
	}
	for _, wrong := range []string{
		"--api-requests-per-second=-1", "--api-requests-per-second=many", "--watch-label-selector=a in b", "--no-such-flag",
		"--receiver-tls-cert-file=x", "--application-api-tls-cert-file=x", "--webhook-overlap=0s", "--webhook-overlap=10ns",
		"--erasure-ledger-days=0", "--allowed-output-annotations=*", "--allowed-output-annotations=a.example.com/*,smile-operator.io/*",
	} {
		if _, err := parsed(t, wrong); err == nil {
			t.Errorf("%s is taken", wrong)
		}
	}
}

func TestReceiverBaseURLRequiresABindAddress(t *testing.T) {
	t.Parallel()
	const base = "--receiver-base-url=https://hooks.example.com"
	for _, args := range [][]string{{base}, {base, "--receiver-bind-address=0"}} {
		_, err := parsed(t, args...)
		if err == nil || !strings.Contains(err.Error(), "--receiver-base-url") || !strings.Contains(err.Error(), "set --receiver-bind-address") {
			t.Errorf("%v: %v", args, err)
		}
	}
	for _, args := range [][]string{{base, "--receiver-bind-address=:8082"}, {"--receiver-bind-address=:8082"}, {"--receiver-bind-address=0"}} {
		if _, err := parsed(t, args...); err != nil {
			t.Errorf("%v: %v", args, err)
		}
	}
}

func TestWarningAboutAReceiverWithoutTLS(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]int{
		"http://127.0.0.1:8082": 1, "HTTP://hooks.example.com": 1, "https://hooks.example.com": 0, "https://http:8443": 0, "": 0,
	} {
		var logged []string
		(&Options{ReceiverBaseURL: base}).warn(funcr.New(func(_, args string) { logged = append(logged, args) }, funcr.Options{}))
		if len(logged) != want || want > 0 && !strings.Contains(logged[0], "--receiver-base-url") {
			t.Errorf("%q: logged %q", base, logged)
		}
	}
}

func TestTheNamespaceOfTheOperator(t *testing.T) {
	kubeconfig := filepath.Join(t.TempDir(), "config")
	t.Setenv("KUBECONFIG", kubeconfig)
	t.Setenv("POD_NAMESPACE", "")
	expect := func(want string, options Options) {
		t.Helper()
		if got := options.namespace(); got != want {
			t.Errorf("the namespace is %q, want %q", got, want)
		}
	}
	expect("default", Options{})
	write(t, kubeconfig, `{"apiVersion":"v1","kind":"Config","current-context":"c","contexts":[{"name":"c","context":{"cluster":"x","user":"y","namespace":"team"}}],
		"clusters":[{"name":"x","cluster":{"server":"https://127.0.0.1:1"}}],"users":[{"name":"y","user":{}}]}`)
	expect("team", Options{})
	t.Setenv("POD_NAMESPACE", "pod")
	expect("pod", Options{})
	expect("flag", Options{OperatorNamespace: "flag"})
}

func TestCertificateAuthorities(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage.pem")
	write(t, garbage, "no certificate")
	if roots, err := (&Options{}).roots(clock.RealClock{}); roots != nil || err != nil {
		t.Errorf("without a file: %v", err)
	}
	for file, want := range map[string]string{
		filepath.Join(dir, "none.pem"): "no such file",
		garbage:                        "contains no certificate",
	} {
		_, err := (&Options{APICAFile: file}).roots(clock.RealClock{})
		if err == nil || !strings.HasPrefix(err.Error(), "--api-ca-file: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestOnLoopback(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"127.0.0.1:8080": true, "127.8.9.1:1": true, "[::1]:8080": true, "localhost:8080": true,
		":8080": false, "0.0.0.0:8080": false, "[::]:8080": false, "10.0.0.1:8080": false, "metrics:8080": false, "8080": false, "": false,
	} {
		if got := onLoopback(address); got != want {
			t.Errorf("%q: %v", address, got)
		}
	}
}

func TestTheSchemeKnowsAllKinds(t *testing.T) {
	t.Parallel()
	scheme, err := Scheme()
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"SmileConnection", "SmileUser", "SmileAccountSync"} {
		if !scheme.Recognizes(v1alpha1.GroupVersion.WithKind(kind)) {
			t.Errorf("%s is unknown", kind)
		}
	}
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
