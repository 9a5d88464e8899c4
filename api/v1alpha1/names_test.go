package v1alpha1_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/internal/testenv"
)

// named are the fields that name an object, by kind and field. Each function returns a spec with that name.
var named = map[string]map[string]func(name string) values{
	"SmileConnection": {
		"credentialsSecretRef": func(name string) values { return values{"credentialsSecretRef": values{"name": name}} },
	},
	"SmileUser": {
		"connectionRef": func(name string) values { return values{"connectionRef": values{"name": name}} },
		"linkToken":     func(name string) values { return values{"linkToken": values{"secretName": name}} },
		"subjectFrom": func(name string) values {
			return values{"subjectFrom": values{"secretKeyRef": values{"name": name, "key": "k"}}}
		},
	},
	"SmileAccountSync": {
		"userRef":       func(name string) values { return values{"userRef": values{"name": name}} },
		"output.secret": func(name string) values { return values{"output": values{"secret": values{"name": name}}} },
		"output.configMap": func(name string) values {
			return with(fields("lastName"), values{"output": values{"configMap": values{"name": name}}})
		},
	},
	"SmileWebhookSubscription": {
		"connectionRef": func(name string) values { return values{"connectionRef": values{"name": name}} },
		"secretRef":     func(name string) values { return values{"secretRef": values{"name": name, "key": "k"}} },
	},
	"SmileWinkWidget": {
		"connectionRef": func(name string) values { return values{"connectionRef": values{"name": name}} },
		"output":        func(name string) values { return values{"output": values{"configMap": values{"name": name}}} },
	},
}

var names = []string{
	"a", "0", "a-b", "a--b", "a.b", "a.b-c.d", "1.2.3", strings.Repeat("a", 100), strings.Repeat("a.", 100) + "b",
	"a..b", ".a", "a.", "a.-b", "a-.b", "-a", "a-", "A", "a_b", "a b", "a/b", "ä", "a\n", "..", "-", strings.Repeat("a", 254),
}

var _ = Describe("A name in a spec", func() {
	var w *testenv.World
	BeforeEach(func() { w = testenv.New(GinkgoTB(), testenv.Config{}) })

	refused := func(obj client.Object) bool {
		GinkgoHelper()
		obj.SetNamespace(w.Namespace)
		return w.Client.Create(w.Context(), obj, client.DryRunAll) != nil
	}

	for _, kind := range slices.Sorted(maps.Keys(named)) {
		for _, field := range slices.Sorted(maps.Keys(named[kind])) {
			It("is accepted only if an object can have it: "+kind+", "+field, func() {
				for _, name := range names {
					impossible := refused(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}})
					Expect(refused(object(kind, with(plain[kind], named[kind][field](name))))).To(Equal(impossible), "%q", name)
				}
			})
		}
	}

	It("that was stored under an older CRD stays, and does not block other changes", func() {
		definition := &unstructured.Unstructured{}
		definition.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
		definition.SetName("smileusers.smile-operator.io")
		w.Get(definition)
		secretName := func() values {
			GinkgoHelper()
			schema := definition.Object["spec"].(values)["versions"].([]any)[0]
			for _, name := range []string{"schema", "openAPIV3Schema", "properties", "spec", "properties", "linkToken", "properties", "secretName"} {
				schema = schema.(values)[name]
			}
			return schema.(values)
		}
		now := secretName()["pattern"]
		define := func(ctx context.Context, pattern any) {
			GinkgoHelper()
			Expect(w.Client.Get(ctx, client.ObjectKeyFromObject(definition), definition)).To(Succeed())
			secretName()["pattern"] = pattern
			Expect(w.Client.Update(ctx, definition)).To(Succeed())
		}
		DeferCleanup(func(ctx context.Context) { define(ctx, now) })
		user := func() *unstructured.Unstructured {
			return object("SmileUser", with(plain["SmileUser"], named["SmileUser"]["linkToken"]("a..b")))
		}
		define(w.Context(), "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
		Eventually(func() bool { return refused(user()) }, time.Minute, 20*time.Millisecond).Should(BeFalse())
		stored := user()
		w.Create(stored)
		define(w.Context(), now)
		Eventually(func() bool { return refused(user()) }, time.Minute, 20*time.Millisecond).Should(BeTrue())

		w.Change(stored, func() { stored.Object["spec"].(values)["suspend"] = true })
		w.Annotate(stored, "note", "changed")
		w.ChangeStatus(stored, func() { stored.Object["status"] = values{"observedGeneration": int64(1)} })
		Expect(stored.Object["spec"]).To(HaveKeyWithValue("suspend", true))

		stored.Object["spec"].(values)["linkToken"] = values{"secretName": "c..d"}
		Expect(w.Client.Update(w.Context(), stored)).To(MatchError(ContainSubstring("spec.linkToken.secretName")))
		stored.Object["spec"].(values)["linkToken"] = values{"secretName": "c.d"}
		Expect(w.Client.Update(w.Context(), stored)).To(Succeed())
	})
})
