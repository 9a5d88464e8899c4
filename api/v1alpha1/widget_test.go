package v1alpha1_test

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/smile-operator/smile-operator/internal/testenv"
)

// fullWidget uses every field.
var fullWidget = values{
	"connectionRef": values{"name": "smile", "kind": "SmileConnection"}, "templateID": "wtpl-123", "sdkVersion": "v1", "suspend": true,
	"options": values{
		"companyName": "Niceloan", "providers": []any{"sss_ph", "upwork"}, "topProviders": []any{"sss_ph"},
		"providerTypes": []any{"GOVERNMENT"}, "enableConsentPage": false, "enableSearchBar": true, "enableTypeBar": false, "enableUpload": true,
	},
	"page": values{
		"allowedOrigins": []any{"https://app.example.com", "https://app.example.com:8443", "http://127.0.0.1:8000", "http://localhost"},
		"returnURL":      "com.example.app://linked", "logoURL": "https://cdn.example.com/logo.png",
		"colors":   values{"primary": "#0a5c36", "background": "#FFFFFF"},
		"messages": []any{values{"language": "id", "texts": values{"title": "Hubungkan akun Anda"}}},
	},
	"output": values{"configMap": values{"name": "wink"}},
}

// page is the change that gives a widget a page.
func page(field string, value any) values { return values{"page": values{field: value}} }

func option(field string, value any) values { return values{"options": values{field: value}} }

var _ = Describe("A SmileWinkWidget", func() {
	var w *testenv.World
	BeforeEach(func() { w = testenv.New(GinkgoTB(), testenv.Config{}) })

	try := func(changes values) error {
		GinkgoHelper()
		obj := object("SmileWinkWidget", with(plain["SmileWinkWidget"], changes))
		obj.SetNamespace(w.Namespace)
		return w.Client.Create(w.Context(), obj)
	}

	DescribeTable("is refused with", func(changes values, message string) {
		Expect(try(changes)).To(MatchError(ContainSubstring(message)))
	},
		Entry("a template that is none", values{"templateID": "1"}, "templateID must have the form wtpl-..."),
		Entry("a version that does not exist", values{"sdkVersion": "v3"}, `supported values: "v1", "v2"`),
		Entry("too many top providers", option("topProviders", repeated(11, func(i int) any { return fmt.Sprint("p", i) })),
			"spec.options.topProviders"),
		Entry("a provider that is none", option("providers", []any{"a b"}), "spec.options.providers"),
		Entry("an origin with a path", page("allowedOrigins", []any{"https://app.example.com/"}), "an allowed origin has the form https://host[:port]"),
		Entry("every origin", page("allowedOrigins", []any{"*"}), "an allowed origin has the form"),
		Entry("an origin by http", page("allowedOrigins", []any{"http://app.example.com"}), "http is permitted for localhost and 127.0.0.1 only"),
		Entry("an origin that smuggles a directive", page("allowedOrigins", []any{"https://a.example;script-src *"}), "an allowed origin has the form"),
		Entry("too many origins", page("allowedOrigins", repeated(11, func(i int) any { return fmt.Sprintf("https://a%d.example", i) })),
			"spec.page.allowedOrigins"),
		Entry("a logo by http", page("logoURL", "http://cdn.example.com/a.png"), "logoURL must be a URL like https://"),
		Entry("a logo that smuggles a directive", page("logoURL", "https://cdn.example.com/a;script-src *"), "logoURL must be a URL like https://"),
		Entry("a color that is none", page("colors", values{"primary": "red"}), "a color has the form #rrggbb"),
		Entry("a text that does not exist", page("messages", []any{values{"language": "id", "texts": values{"other": "x"}}}), "the keys of texts are title"),
		Entry("a text that is too long", page("messages", []any{values{"language": "id", "texts": values{"title": strings.Repeat("x", 301)}}}), "texts.title"),
		Entry("a language that is none", page("messages", []any{values{"language": "!", "texts": values{"title": "x"}}}), "language"),
		Entry("too many languages", page("messages", repeated(9, func(i int) any {
			return values{"language": fmt.Sprintf("a%c", 'a'+i), "texts": values{"title": "x"}}
		})), "spec.page.messages"),
	)

	DescribeTable("has a returnURL with the scheme https, or of an app", func(url string, taken bool) {
		err := try(page("returnURL", url))
		if taken {
			Expect(err).NotTo(HaveOccurred())
		} else {
			Expect(err).To(MatchError(ContainSubstring("returnURL")))
		}
	},
		Entry(nil, "https://app.example.com", true),
		Entry(nil, "https://app.example.com/linked?from=wink&x=1", true),
		Entry(nil, "https://app.example.com/linked#top", true),
		Entry(nil, "niceloan://linked", true),
		Entry(nil, "com.example.app://linked/now", true),
		Entry(nil, "http://app.example.com/", false),
		Entry(nil, "javascript:alert(1)", false),
		Entry(nil, "javascript://x/%0aalert(1)", false),
		Entry(nil, "JavaScript://x/%0aalert(1)", false),
		Entry(nil, " javascript://x", false),
		Entry(nil, "java\tscript://x", false),
		Entry(nil, "data:text/html,x", false),
		Entry(nil, "data://text/html,x", false),
		Entry(nil, "vbscript://x", false),
		Entry(nil, "file:///etc/passwd", false),
		Entry(nil, "blob:https://a.example/1", false),
		Entry(nil, "blob://a.example/1", false),
		Entry(nil, "intent://scan/#Intent;scheme=zxing;end", false),
		Entry(nil, "intent-other://scan", false),
		Entry(nil, "about://blank", false),
		Entry(nil, "view-source://a.example", false),
		Entry(nil, "content://a", false),
		Entry(nil, "https://user:pass@app.example.com/", false),
		Entry(nil, "//app.example.com", false),
		Entry(nil, "/linked", false),
		Entry(nil, "https:/app.example.com", false),
		Entry(nil, "", false),
	)
})
