package v1alpha1_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

type values = map[string]any

// plain are the smallest valid specs of each kind.
var plain = map[string]values{
	"SmileConnection":          {"mode": "Sandbox", "credentialsSecretRef": values{"name": "keys"}},
	"SmileUser":                {"connectionRef": values{"name": "smile"}},
	"SmileAccountSync":         {"userRef": values{"name": "george"}, "datapoints": []any{values{"type": "IDENTITIES"}}},
	"SmileWebhookSubscription": {"connectionRef": values{"name": "smile"}, "eventTypes": []any{"TASK_FINISHED"}},
	"SmileWinkWidget":          {"connectionRef": values{"name": "smile"}},
}

// full use every field.
var full = map[string]values{
	"SmileConnection": {
		"mode": "Production", "credentialsSecretRef": values{"name": "keys", "apiKeyKey": "id", "apiSecretKey": "secret"},
		"endpoint": "https://open.smileapi.io/v1", "requestsPerSecond": int64(5), "resyncInterval": "30m0s", "suspend": true,
	},
	"SmileUser": {
		"connectionRef": values{"name": "smile", "kind": "SmileConnection"},
		"subjectFrom":   values{"secretKeyRef": values{"name": "customers", "key": "george"}},
		"externalMetadata": values{
			"a": "", "channel": "web", "campaign/2026": "spring ~ !", strings.Repeat("k", 50): strings.Repeat("v", 500),
		},
		"adoptionPolicy": "Never", "linkToken": values{"secretName": "george-link-token"},
		"deletionPolicy": "RevokeAccounts", "suspend": true,
	},
	"SmileAccountSync": {
		"userRef": values{"name": "george"}, "providers": []any{"sss_ph"}, "accountIDs": []any{"a-1"},
		"datapoints": []any{
			values{"type": "IDENTITIES", "fields": []any{"firstName", "addresses[].fullAddress", "emails[0].address"}, "additional": []any{"a_1.b[999]"}},
			values{"type": "EINCOMES", "fields": []any{"amount"}},
		},
		"output": values{"configMap": values{"name": "george.data"}, "template": values{"metadata": values{
			"labels":      values{"team": "loans", "app.kubernetes.io/name": "george", "example.com/tier": ""},
			"annotations": values{"reloader.example.com/match": "true"},
		}}},
		"refreshInterval": "24h0m0s", "suspend": true,
		"retention": values{"onDisconnect": "Retain", "ttl": "1440h0m0s"}, "revokeAfterFetch": true,
	},
	"SmileWebhookSubscription": {
		"connectionRef": values{"name": "smile", "kind": "SmileConnection"},
		"eventTypes":    []any{"TASK_FINISHED", "ACCOUNT_DISCONNECTED"}, "url": "https://app.example.com:8443/smile",
		"includePayload": true, "secretRef": values{"name": "hook", "key": "secret"}, "deletionPolicy": "Retain", "suspend": true,
	},
	"SmileWinkWidget": fullWidget,
}

func object(kind string, spec values) *unstructured.Unstructured {
	obj := &unstructured.Unstructured{Object: values{"spec": spec}}
	obj.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind))
	obj.SetGenerateName("test-")
	return obj
}

// with returns a spec with changed fields; nil removes one.
func with(spec values, changes values) values {
	changed := maps.Clone(spec)
	for name, value := range changes {
		if value == nil {
			delete(changed, name)
		} else {
			changed[name] = value
		}
	}
	return changed
}

func repeated(n int, one func(int) any) []any {
	var all []any
	for i := range n {
		all = append(all, one(i))
	}
	return all
}

func fields(paths ...any) values {
	return values{"datapoints": []any{values{"type": "IDENTITIES", "fields": paths}}}
}

func labeled(which, key string) values {
	return values{"output": values{"secret": values{"name": "a"}, "template": values{"metadata": values{which: values{key: "1"}}}}}
}

func metadata(n int) values {
	pairs := values{}
	for i := range n {
		pairs[fmt.Sprintf("key-%d", i)] = "value"
	}
	return values{"externalMetadata": pairs}
}

var _ = Describe("The API server", func() {
	var w *testenv.World
	BeforeEach(func() { w = testenv.New(GinkgoTB(), testenv.Config{}) })

	create := func(kind string, spec values) *unstructured.Unstructured {
		GinkgoHelper()
		obj := object(kind, spec)
		w.Create(obj)
		return obj
	}
	refusal := func(kind string, spec values) string {
		GinkgoHelper()
		obj := object(kind, spec)
		obj.SetNamespace(w.Namespace)
		return w.Refused(obj)
	}

	for _, kind := range slices.Sorted(maps.Keys(plain)) {
		It("stores a "+kind+" as Git has it, and shows a new one as not finished", func() {
			for _, spec := range []values{plain[kind], full[kind]} {
				stored := create(kind, spec)
				Expect(stored.Object["spec"]).To(Equal(any(spec)))
				Expect(stored.Object["status"]).To(Equal(any(values{"observedGeneration": int64(-1)})))
			}
		})
	}

	It("lists the kinds in the category smile, and by short names", func() {
		list, err := w.Client.RESTMapper().RESTMappings(v1alpha1.GroupVersion.WithKind("SmileUser").GroupKind())
		Expect(err).NotTo(HaveOccurred())
		Expect(list).To(HaveLen(1))
		Expect(list[0].Scope.Name()).To(BeEquivalentTo("namespace"))
	})

	DescribeTable("refuses",
		func(kind string, changes values, message string) {
			Expect(refusal(kind, with(plain[kind], changes))).To(ContainSubstring(message))
		},
		Entry("an unknown mode", "SmileConnection", values{"mode": "Staging"}, `spec.mode: Unsupported value: "Staging": supported values: "Sandbox", "Production"`),
		Entry("no mode", "SmileConnection", values{"mode": nil}, "spec.mode: Required value"),
		Entry("no credentials", "SmileConnection", values{"credentialsSecretRef": nil}, "spec.credentialsSecretRef: Required value"),
		Entry("credentials without a name", "SmileConnection", values{"credentialsSecretRef": values{"name": ""}},
			"spec.credentialsSecretRef.name in body should be at least 1 chars long"),
		Entry("a Secret key that is none", "SmileConnection", values{"credentialsSecretRef": values{"name": "keys", "apiKeyKey": "a b"}},
			"spec.credentialsSecretRef.apiKeyKey in body should match"),

		Entry("an endpoint that is no URL", "SmileConnection", values{"endpoint": "sandbox.smileapi.io"}, "endpoint must be a URL like https://host[:port]/v1"),
		Entry("an endpoint with another scheme", "SmileConnection", values{"endpoint": "file:///etc/passwd"}, "endpoint must be a URL like https://host[:port]/v1"),
		Entry("an endpoint without a host", "SmileConnection", values{"endpoint": "https:///v1"}, "endpoint must be a URL like https://host[:port]/v1"),
		Entry("an endpoint with user information", "SmileConnection", values{"endpoint": "https://open.smileapi.io@evil.example.com/v1"},
			"endpoint must not contain a user name, query or fragment: put keys into the Secret of credentialsSecretRef"),
		Entry("an endpoint with a query", "SmileConnection", values{"endpoint": "https://open.smileapi.io/v1?key=1"}, "endpoint must not contain a user name, query or fragment"),
		Entry("an endpoint with a fragment", "SmileConnection", values{"endpoint": "https://open.smileapi.io/v1#key"}, "endpoint must not contain a user name, query or fragment"),
		Entry("an endless endpoint", "SmileConnection", values{"endpoint": "https://open.smileapi.io/" + strings.Repeat("v", 300)},
			"spec.endpoint: Too long: may not be more than 300 bytes"),

		Entry("no rate", "SmileConnection", values{"requestsPerSecond": int64(0)}, "spec.requestsPerSecond in body should be greater than or equal to 1"),
		Entry("an absurd rate", "SmileConnection", values{"requestsPerSecond": int64(1001)}, "spec.requestsPerSecond in body should be less than or equal to 1000"),
		Entry("a short resync interval", "SmileConnection", values{"resyncInterval": "59s"}, "resyncInterval must be between 1m and 24h"),
		Entry("a long resync interval", "SmileConnection", values{"resyncInterval": "24h1s"}, "resyncInterval must be between 1m and 24h"),
		Entry("a resync interval that is none", "SmileConnection", values{"resyncInterval": "soon"}, "spec.resyncInterval: Invalid value"),

		Entry("no connection", "SmileUser", values{"connectionRef": nil}, "spec.connectionRef: Required value"),
		Entry("a connection of an unknown kind", "SmileUser", values{"connectionRef": values{"name": "smile", "kind": "Cluster"}},
			`spec.connectionRef.kind: Unsupported value: "Cluster"`),
		Entry("five pairs of metadata", "SmileUser", metadata(5), "spec.externalMetadata: Too many: 5: must have at most 4 items"),
		Entry("metadata beyond ASCII", "SmileUser", values{"externalMetadata": values{"city": "Parañaque"}},
			"spec.externalMetadata.city in body should match '^[\\x20-\\x7E]*$'"),
		Entry("a metadata key beyond ASCII", "SmileUser", values{"externalMetadata": values{"señal": "1"}}, "externalMetadata keys must be printable ASCII"),
		Entry("metadata over two lines", "SmileUser", values{"externalMetadata": values{"note": "a\nb"}}, "spec.externalMetadata.note in body should match"),
		Entry("metadata that is too long", "SmileUser", values{"externalMetadata": values{"note": strings.Repeat("v", 501)}},
			"spec.externalMetadata.note: Too long: may not be more than 500 bytes"),
		Entry("a metadata key that is too long", "SmileUser", values{"externalMetadata": values{strings.Repeat("k", 51): "v"}},
			"externalMetadata keys must have 1 to 50 characters"),
		Entry("an empty metadata key", "SmileUser", values{"externalMetadata": values{"": "v"}}, "externalMetadata keys must have 1 to 50 characters"),
		Entry("the operator's own metadata", "SmileUser", values{"externalMetadata": values{"smile-operator.io/owner": "v1.me.you"}},
			"externalMetadata keys beginning with smile-operator.io/ are reserved"),
		Entry("metadata for a user that exists", "SmileUser", values{"userID": "tenant-1", "externalMetadata": values{"a": "b"}},
			"externalMetadata cannot be set together with userID"),
		Entry("a user id that is none", "SmileUser", values{"userID": "../tokens"}, "spec.userID in body should match"),
		Entry("an endless user id", "SmileUser", values{"userID": strings.Repeat("a", 201)}, "spec.userID: Too long: may not be more than 200 bytes"),
		Entry("an unknown adoption policy", "SmileUser", values{"adoptionPolicy": "Maybe"}, `spec.adoptionPolicy: Unsupported value: "Maybe"`),
		Entry("an unknown deletion policy", "SmileUser", values{"deletionPolicy": "Delete"}, `spec.deletionPolicy: Unsupported value: "Delete"`),
		Entry("a subject without a key", "SmileUser", values{"subjectFrom": values{"secretKeyRef": values{"name": "customers"}}},
			"spec.subjectFrom.secretKeyRef.key: Required value"),
		Entry("two business keys", "SmileUser", values{"subject": "customer-4711", "subjectFrom": full["SmileUser"]["subjectFrom"]},
			"subject and subjectFrom cannot be set together"),
		Entry("an empty business key", "SmileUser", values{"subject": ""}, "spec.subject in body should be at least 1 chars long"),
		Entry("a business key beyond ASCII", "SmileUser", values{"subject": "Parañaque"}, "spec.subject in body should match"),
		Entry("a business key with a space at its end", "SmileUser", values{"subject": "customer-4711 "}, "spec.subject in body should match"),
		Entry("an endless business key", "SmileUser", values{"subject": strings.Repeat("c", 254)}, "spec.subject: Too long: may not be more than 253 bytes"),
		Entry("a token in a Secret with an impossible name", "SmileUser", values{"linkToken": values{"secretName": "Not_A_Name"}},
			"spec.linkToken.secretName in body should match"),

		Entry("no person", "SmileAccountSync", values{"userRef": nil}, "spec.userRef: Required value"),
		Entry("no datapoints", "SmileAccountSync", values{"datapoints": []any{}}, "spec.datapoints in body should have at least 1 items"),
		Entry("an unknown datapoint", "SmileAccountSync", values{"datapoints": []any{values{"type": "SECRETS"}}}, `spec.datapoints[0].type: Unsupported value: "SECRETS"`),
		Entry("a datapoint twice", "SmileAccountSync", values{"datapoints": []any{values{"type": "RATINGS"}, values{"type": "RATINGS"}}},
			"spec.datapoints[1]: Duplicate value"),
		Entry("no field of a datapoint", "SmileAccountSync", fields([]any{}...), "spec.datapoints[0].fields in body should have at least 1 items"),
		Entry("too many fields", "SmileAccountSync", fields(repeated(65, func(i int) any { return fmt.Sprintf("f%d", i) })...),
			"spec.datapoints[0].fields: Too many: 65: must have at most 64 items"),
		Entry("a field twice", "SmileAccountSync", fields("a", "a"), "spec.datapoints[0].fields[1]: Duplicate value"),
		Entry("an empty field", "SmileAccountSync", fields(""), "spec.datapoints[0].fields[0] in body should match"),
		Entry("a field that begins with a digit", "SmileAccountSync", fields("1a"), "spec.datapoints[0].fields[0] in body should match"),
		Entry("a field with an empty part", "SmileAccountSync", fields("a..b"), "spec.datapoints[0].fields[0] in body should match"),
		Entry("a field with a negative index", "SmileAccountSync", fields("a[-1]"), "spec.datapoints[0].fields[0] in body should match"),
		Entry("a field with a wildcard", "SmileAccountSync", fields("a[*].b"), "spec.datapoints[0].fields[0] in body should match"),
		Entry("a field with two indexes", "SmileAccountSync", fields("a[][]"), "spec.datapoints[0].fields[0] in body should match"),
		Entry("a JSONPath", "SmileAccountSync", fields("{.a}"), "spec.datapoints[0].fields[0] in body should match"),
		Entry("an endless field", "SmileAccountSync", fields(strings.Repeat("a", 129)), "spec.datapoints[0].fields[0]: Too long: may not be more than 128 bytes"),
		Entry("a typing error", "SmileAccountSync", fields("firstname"),
			"fields of IDENTITIES are id, fullName, firstName, middleName, lastName"),
		Entry("a list named as an object", "SmileAccountSync", fields("emails.address"), "emails[].address"),
		Entry("a field of another datapoint", "SmileAccountSync",
			values{"datapoints": []any{values{"type": "INSIGHTS", "fields": []any{"amount"}}}}, "fields of INSIGHTS are id, cutoffTime, features.<name>; put other fields into additional"),
		Entry("no additional field", "SmileAccountSync",
			values{"datapoints": []any{values{"type": "RATINGS", "additional": []any{}}}}, "spec.datapoints[0].additional in body should have at least 1 items"),
		Entry("retaining forever", "SmileAccountSync", values{"retention": values{"onDisconnect": "Retain"}},
			"retention.onDisconnect Retain requires retention.ttl"),
		Entry("a disconnect policy that is none", "SmileAccountSync", values{"retention": values{"onDisconnect": "Keep"}}, `Unsupported value: "Keep"`),
		Entry("a short ttl", "SmileAccountSync", values{"retention": values{"ttl": "59m"}}, "retention.ttl must be between 1h and 17520h"),
		Entry("revoking without an output", "SmileAccountSync", values{"revokeAfterFetch": true}, "revokeAfterFetch requires an output"),
		Entry("a label of Argo CD", "SmileAccountSync", labeled("labels", "app.kubernetes.io/instance"), "are reserved, because they identify the owner of an object"),
		Entry("an annotation of Argo CD", "SmileAccountSync", labeled("annotations", "argocd.argoproj.io/tracking-id"), "are reserved, because they identify the owner of an object"),
		Entry("an annotation of Kubernetes", "SmileAccountSync", labeled("annotations", "kubernetes.io/service-account.name"), "are reserved, because they identify the owner of an object"),
		Entry("a label of Flux", "SmileAccountSync", labeled("labels", "kustomize.toolkit.fluxcd.io/name"), "are reserved, because they identify the owner of an object"),
		Entry("an annotation of ours", "SmileAccountSync", labeled("annotations", "smile-operator.io/owner"), "are reserved, because they identify the owner of an object"),
		Entry("a label that is none", "SmileAccountSync", labeled("labels", "a b"), "keys must have the form name or domain/name"),
		Entry("a label with an impossible value", "SmileAccountSync",
			values{"output": values{"secret": values{"name": "a"}, "template": values{"metadata": values{"labels": values{"a": "b c"}}}}}, "in body should match"),
		Entry("an output nowhere", "SmileAccountSync", values{"output": values{}}, "output requires exactly one of secret and configMap"),
		Entry("an output in two places", "SmileAccountSync", values{"output": values{"secret": values{"name": "a"}, "configMap": values{"name": "b"}}},
			"output requires exactly one of secret and configMap"),
		Entry("a ConfigMap of everything", "SmileAccountSync", values{"output": values{"configMap": values{"name": "a"}}},
			"output.configMap requires fields or additional on every datapoint, because only named fields may be written to a ConfigMap"),
		Entry("a ConfigMap of everything of one datapoint", "SmileAccountSync",
			values{
				"output":     values{"configMap": values{"name": "a"}},
				"datapoints": []any{values{"type": "RATINGS", "fields": []any{"currentRating"}}, values{"type": "IDENTITIES"}},
			}, "output.configMap requires fields or additional on every datapoint"),
		Entry("an output with an impossible name", "SmileAccountSync", values{"output": values{"secret": values{"name": "a/b"}}},
			"spec.output.secret.name in body should match"),
		Entry("a short refresh interval", "SmileAccountSync", values{"refreshInterval": "59m"}, "refreshInterval must be between 1h and 8760h"),
		Entry("a long refresh interval", "SmileAccountSync", values{"refreshInterval": "8761h"}, "refreshInterval must be between 1h and 8760h"),
		Entry("a refresh interval that is none", "SmileAccountSync", values{"refreshInterval": "1d"}, "spec.refreshInterval: Invalid value"),
		Entry("a provider twice", "SmileAccountSync", values{"providers": []any{"a", "a"}}, "spec.providers[1]: Duplicate value"),
		Entry("no providers", "SmileAccountSync", values{"providers": []any{}}, "spec.providers in body should have at least 1 items"),
		Entry("too many providers", "SmileAccountSync", values{"providers": repeated(51, func(i int) any { return fmt.Sprintf("p%d", i) })},
			"spec.providers: Too many: 51: must have at most 50 items"),
		Entry("a provider that is a path", "SmileAccountSync", values{"providers": []any{"a/../b"}}, "spec.providers[0] in body should match"),
		Entry("too many accounts", "SmileAccountSync", values{"accountIDs": repeated(51, func(i int) any { return fmt.Sprintf("a%d", i) })},
			"spec.accountIDs: Too many: 51: must have at most 50 items"),
		Entry("no events", "SmileWebhookSubscription", values{"eventTypes": []any{}}, "spec.eventTypes in body should have at least 1 items"),
		Entry("an unknown event", "SmileWebhookSubscription", values{"eventTypes": []any{"RAIN"}}, `spec.eventTypes[0]: Unsupported value: "RAIN"`),
		Entry("an event twice", "SmileWebhookSubscription", values{"eventTypes": []any{"TASK_FINISHED", "TASK_FINISHED"}}, "spec.eventTypes[1]: Duplicate value"),
		Entry("all events and one", "SmileWebhookSubscription", values{"eventTypes": []any{"TASK_FINISHED", "ALL_EVENTS"}},
			"eventTypes must be ALL_EVENTS alone, or a list without it"),
		Entry("contents for the operator's own receiver", "SmileWebhookSubscription", values{"includePayload": true},
			"includePayload requires url: the operator's own receiver does not read the contents of events"),
		Entry("a plain URL for events", "SmileWebhookSubscription", values{"url": "http://app.example.com/"}, "url must be a URL like https://host[:port]/path"),
		Entry("a URL for events without a host", "SmileWebhookSubscription", values{"url": "https:///x"}, "url must be a URL like https://host[:port]/path"),
		Entry("a URL for events with a user", "SmileWebhookSubscription", values{"url": "https://app.example.com@evil.net/"}, "url must not contain a user name, query or fragment"),
		Entry("a URL for events with a query", "SmileWebhookSubscription", values{"url": "https://app.example.com/?a"}, "url must not contain a user name, query or fragment"),
		Entry("a secret without a key", "SmileWebhookSubscription", values{"secretRef": values{"name": "x"}}, "spec.secretRef.key: Required value"),
		Entry("an unknown deletion policy of a webhook", "SmileWebhookSubscription", values{"deletionPolicy": "Orphan"}, `spec.deletionPolicy: Unsupported value: "Orphan"`),
		Entry("an account that is a path", "SmileAccountSync", values{"accountIDs": []any{"a/payload"}}, "spec.accountIDs[0] in body should match"),
	)

	DescribeTable("refuses changes of immutable fields",
		func(kind string, before, change values, message string) {
			obj := create(kind, with(plain[kind], before))
			obj.Object["spec"] = with(obj.Object["spec"].(values), change)
			err := w.Client.Update(w.Context(), obj)
			Expect(err).To(MatchError(ContainSubstring(message)))
			Expect(w.Client.Get(w.Context(), client.ObjectKeyFromObject(obj), obj)).To(Succeed())
			Expect(obj.GetGeneration()).To(BeEquivalentTo(1))
		},
		Entry("mode", "SmileConnection", nil, values{"mode": "Production"}, "mode is immutable: create another SmileConnection for the other mode"),
		Entry("connectionRef", "SmileUser", nil, values{"connectionRef": values{"name": "other"}}, "connectionRef is immutable"),
		Entry("subjectFrom, set", "SmileUser", nil, values{"subjectFrom": full["SmileUser"]["subjectFrom"]}, "subjectFrom is immutable"),
		Entry("subjectFrom, changed", "SmileUser", values{"subjectFrom": full["SmileUser"]["subjectFrom"]},
			values{"subjectFrom": values{"secretKeyRef": values{"name": "customers", "key": "ryan"}}}, "subjectFrom is immutable"),
		Entry("subjectFrom, unset", "SmileUser", values{"subjectFrom": full["SmileUser"]["subjectFrom"]}, values{"subjectFrom": nil}, "subjectFrom is immutable"),
		Entry("subject, set", "SmileUser", nil, values{"subject": "customer-4711"}, "subject is immutable"),
		Entry("subject, changed", "SmileUser", values{"subject": "customer-4711"}, values{"subject": "customer-4712"}, "subject is immutable"),
		Entry("subject, unset", "SmileUser", values{"subject": "customer-4711"}, values{"subject": nil}, "subject is immutable"),
		Entry("externalMetadata, set", "SmileUser", nil, metadata(1), "externalMetadata is immutable"),
		Entry("externalMetadata, changed", "SmileUser", metadata(1), metadata(2), "externalMetadata is immutable"),
		Entry("externalMetadata, unset", "SmileUser", metadata(1), values{"externalMetadata": nil}, "externalMetadata is immutable"),
		Entry("userID, set", "SmileUser", nil, values{"userID": "tenant-1"}, "userID is immutable"),
		Entry("userID, changed", "SmileUser", values{"userID": "tenant-1"}, values{"userID": "tenant-2"}, "userID is immutable"),
		Entry("userID, unset", "SmileUser", values{"userID": "tenant-1"}, values{"userID": nil}, "userID is immutable"),
		Entry("connectionRef of a webhook", "SmileWebhookSubscription", nil, values{"connectionRef": values{"name": "other"}}, "connectionRef is immutable"),
		Entry("connectionRef of a widget", "SmileWinkWidget", nil, values{"connectionRef": values{"name": "other"}}, "connectionRef is immutable"),
		Entry("userRef", "SmileAccountSync", nil, values{"userRef": values{"name": "ryan"}}, "userRef is immutable"),
	)

	DescribeTable("accepts changes of all other fields",
		func(kind string, immutable ...string) {
			changes := with(full[kind], nil)
			for _, name := range immutable {
				changes[name] = nil
			}
			obj := create(kind, with(plain[kind], nil))
			obj.Object["spec"] = with(plain[kind], with(changes, nil))
			for _, name := range immutable {
				if value, kept := plain[kind][name]; kept {
					obj.Object["spec"].(values)[name] = value
				}
			}
			Expect(w.Client.Update(w.Context(), obj)).To(Succeed())
			Expect(obj.GetGeneration()).To(BeEquivalentTo(2))
		},
		Entry(nil, "SmileConnection", "mode"),
		Entry(nil, "SmileUser", "connectionRef", "subjectFrom", "externalMetadata", "userID"),
		Entry(nil, "SmileAccountSync", "userRef"),
		Entry(nil, "SmileWebhookSubscription", "connectionRef"),
		Entry(nil, "SmileWinkWidget", "connectionRef"),
	)

	It("finds objects by the names that they refer to", func() {
		there := w.NewNamespace()
		for i, name := range []string{"one", "one", "two"} {
			user := testenv.User(fmt.Sprintf("user-%d", i), func(u *v1alpha1.SmileUser) { u.Namespace, u.Spec.ConnectionRef.Name = there, name })
			sync := testenv.Sync(fmt.Sprintf("sync-%d", i), name, func(s *v1alpha1.SmileAccountSync) { s.Namespace = there })
			w.Create(user, sync)
		}
		var users v1alpha1.SmileUserList
		Expect(w.Client.List(w.Context(), &users, client.InNamespace(there), client.MatchingFields{"spec.connectionRef.name": "one"})).To(Succeed())
		Expect(users.Items).To(HaveLen(2))
		var syncs v1alpha1.SmileAccountSyncList
		Expect(w.Client.List(w.Context(), &syncs, client.InNamespace(there), client.MatchingFields{"spec.userRef.name": "two"})).To(Succeed())
		Expect(syncs.Items).To(HaveLen(1))
	})
})
