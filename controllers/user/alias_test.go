package user_test

import (
	"net/http"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

var _ = Describe("A person at the vendor's sandbox", func() {
	// hosts are the two names of the vendor's sandbox in its documents.
	hosts := map[string]string{"named": "sandbox.smileapi.io", "alias": "open-sandbox.smileapi.io"}

	// atBothNames is a scene with one connection for each host name, named after it. A proxy forwards both to the scene's
	// sandbox.
	atBothNames := func() (*scene, map[string]*v1alpha1.SmileConnection, func() []string) {
		GinkgoHelper()
		s := newScene(testenv.Config{AllowedAPIHosts: []string{"http://" + hosts["named"], "http://" + hosts["alias"]}})
		for _, name := range []string{"HTTP_PROXY", "http_proxy"} {
			GinkgoT().Setenv(name, s.Smile.URL)
		}
		for _, name := range []string{"NO_PROXY", "no_proxy"} {
			GinkgoT().Setenv(name, "")
		}
		var mu sync.Mutex
		var called []string
		s.Smile.Instead = func(_ http.ResponseWriter, r *http.Request) bool {
			mu.Lock()
			defer mu.Unlock()
			called = append(called, r.Host)
			return false
		}
		connections := map[string]*v1alpha1.SmileConnection{}
		for name, host := range hosts {
			keys := testenv.Keys(name+"-keys", testenv.One)
			keys.Annotations = map[string]string{v1alpha1.AnnotationAllowedHost: host + ":80", v1alpha1.AnnotationAllowAdoption: "true"}
			connections[name] = testenv.Connection(name, func(conn *v1alpha1.SmileConnection) {
				conn.Spec.Endpoint, conn.Spec.CredentialsSecretRef.Name = "http://"+host+"/v1", keys.Name
			})
			s.Create(keys, connections[name])
		}
		return s, connections, func() []string {
			mu.Lock()
			defer mu.Unlock()
			return called
		}
	}

	for _, first := range []string{"named", "alias"} {
		second := map[string]string{"named": "alias", "alias": "named"}[first]
		for _, restart := range []bool{false, true} {
			process := map[bool]string{false: " in the same process", true: " in the next process"}[restart]
			It("with an object at the host "+hosts[first]+" gets no second one at the other,"+process, func() {
				s, connections, called := atBothNames()
				remote := s.Smile.NewUser(testenv.One, nil)
				claiming := func(name string) *v1alpha1.SmileUser {
					return s.user("by-"+name, testenv.WithUserID(remote.ID), func(user *v1alpha1.SmileUser) { user.Spec.ConnectionRef.Name = name })
				}
				s.op.Run(connections[first], connections[second])
				holder := claiming(first)
				s.op.Run(holder)
				Expect(s.Outcome(holder)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
				if restart {
					s.op = s.Operator()
					s.op.Run(connections[first], connections[second])
				}
				later := claiming(second)
				s.op.Run(later)
				Expect(s.Outcome(later)).To(Equal(testenv.Stalled(v1alpha1.ReasonUserIDConflict)))
				Expect(called()).To(ContainElements(hosts[first], hosts[second]), "each connection uses the host name of its own spec")
			})
		}
	}
})
