package connection_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

// listener is a server that must not receive the keys.
func listener() (address *url.URL, requests *atomic.Int64) {
	requests = new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	DeferCleanup(server.Close)
	address, err := url.Parse(server.URL)
	Expect(err).NotTo(HaveOccurred())
	return address, requests
}

var _ = Describe("The endpoint of a SmileConnection", func() {
	at := func(endpoint string) *v1alpha1.SmileConnection {
		return testenv.Connection(testenv.ConnectionName, func(c *v1alpha1.SmileConnection) { c.Spec.Endpoint = endpoint })
	}

	DescribeTable("that is not allowed receives no call, whatever the Secret permits",
		func(endpoint, message string) {
			w := testenv.New(GinkgoTB(), testenv.Config{})
			op, conn := w.Operator(), at(endpoint)
			_, host, _ := strings.Cut(endpoint, "://")
			host, _, _ = strings.Cut(host, "/")
			keys := testenv.Keys(testenv.KeysName, testenv.One)
			keys.Annotations = map[string]string{v1alpha1.AnnotationAllowedHost: host}
			w.Create(conn, keys)

			Expect(op.Run(conn)).To(Equal(5 * time.Second))
			Expect(w.Outcome(conn)).To(Equal(testenv.Stalled(v1alpha1.ReasonEndpointNotAllowed)))
			Expect(w.Message(conn)).To(And(HavePrefix("spec.endpoint: "), ContainSubstring(message)))
			op.Quiet(conn)
			Expect(w.Smile.Calls(0)).To(BeZero())
		},
		Entry("another host", "https://evil.example.com/v1", "this host is not permitted"),
		Entry("the vendor's host, with http", "http://sandbox.smileapi.io/v1", "plain http is not permitted for this host"),
		Entry("the vendor's host, with a port", "https://sandbox.smileapi.io:8443/v1", "this host is not permitted"),
		Entry("a suffix of the vendor's host", "https://sandbox.smileapi.io.evil.example.com/v1", "this host is not permitted"),
		Entry("a public address", "https://93.184.216.34/v1", "this host is not permitted"),
		Entry("a private address", "https://10.0.0.7/v1", "this host is not permitted"),
		Entry("the metadata service of clouds", "http://169.254.169.254/latest", "plain http is not permitted for this host"),
		Entry("loopback", "http://127.0.0.1:1/v1", "plain http is not permitted for this host"),
		Entry("loopback, IPv6", "http://[::1]:8080/v1", "plain http is not permitted for this host"),
		Entry("an encoded path", "https://sandbox.smileapi.io/%76%31", "it contains an encoded character"),
		Entry("a path that climbs", "https://sandbox.smileapi.io/v1/../v2", "its path contains . or .."),
	)

	It("that the flag allows but the Secret does not gets no call", func() {
		address, requests := listener()
		w := testenv.New(GinkgoTB(), testenv.Config{AllowedAPIHosts: []string{address.String()}})
		op, conn := w.Operator(), at(address.String()+"/v1")
		keys := testenv.Keys(testenv.KeysName, testenv.One)
		w.Create(conn, keys)

		op.Run(conn)
		Expect(w.Outcome(conn)).To(Equal(testenv.Stalled(v1alpha1.ReasonEndpointNotAllowed)))
		Expect(w.Message(conn)).To(ContainSubstring(`annotate it with smile-operator.io/allowed-host: ` + address.Host))
		w.Annotate(keys, v1alpha1.AnnotationAllowedHost, "another.example.com:443")
		op.Run(conn)
		Expect(w.Outcome(conn)).To(Equal(testenv.Stalled(v1alpha1.ReasonEndpointNotAllowed)))
		op.Quiet(conn)
		Expect(requests.Load()).To(BeZero())
	})

	It("that the flag and the Secret allow is used", func() {
		elsewhere := testenv.New(GinkgoTB(), testenv.Config{})
		address, err := url.Parse(elsewhere.Smile.URL)
		Expect(err).NotTo(HaveOccurred())
		w := testenv.New(GinkgoTB(), testenv.Config{AllowedAPIHosts: []string{elsewhere.Smile.URL}})
		op, conn := w.Operator(), at(elsewhere.Smile.URL+"/v1/")
		keys := testenv.Keys(testenv.KeysName, testenv.One)
		keys.Annotations = map[string]string{v1alpha1.AnnotationAllowedHost: address.Host}
		w.Create(conn, keys)

		op.Run(conn)
		Expect(w.Outcome(conn)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(conn.Status.Endpoint).To(Equal(elsewhere.Smile.URL + "/v1"))
		Expect(elsewhere.Smile.Calls(0)).To(Equal(1))
		Expect(w.Smile.Calls(0)).To(BeZero())
	})

	It("that redirects is not followed", func() {
		address, requests := listener()
		w := testenv.New(GinkgoTB(), testenv.Config{})
		op, conn := w.Operator(), testenv.Connection(testenv.ConnectionName)
		w.Create(conn, testenv.Keys(testenv.KeysName, testenv.One))
		w.Smile.Break(sandbox.Fault{Operation: "*", Count: -1, Action: "redirect:" + address.String()})

		op.Run(conn)
		Expect(w.Outcome(conn)).To(Equal(testenv.Stalled(v1alpha1.ReasonRedirectRefused)))
		op.Quiet(conn)
		Expect(requests.Load()).To(BeZero())

		w.Smile.ClearFaults()
		op.Live(16*time.Minute, conn)
		Expect(w.Outcome(conn)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
	})
})
