package v1alpha1_test

import (
	"maps"
	"os"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"

	"github.com/smile-operator/smile-operator/internal/testenv"
)

// schemas say what the description of the sandbox calls the items of each datapoint.
var schemas = map[string]string{
	"IDENTITIES": "Identity", "EMPLOYMENTS": "Employment", "INCOMES": "Income", "CONTRIBUTIONS": "Contribution", "EINCOMES": "Eincome",
	"TRANSACTIONS": "Transaction", "DOCUMENTS": "Document", "RATINGS": "Rating", "LIABILITIES": "Liability", "LINK": "Link", "INSIGHTS": "Insight",
}

// pathsOf are the paths to all fields that a schema describes. A path through a list selects all of its elements.
func pathsOf(schema values, prefix string) []any {
	var paths []any
	properties, _ := schema["properties"].(values)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if prefix == "" && name == "metadata" {
			continue // is not written
		}
		of := properties[name].(values)
		paths = append(paths, prefix+name)
		if items, list := of["items"].(values); list {
			paths = append(paths, prefix+name+"[]", prefix+name+"[0]")
			paths = append(paths, pathsOf(items, prefix+name+"[].")...)
		}
	}
	return paths
}

var _ = Describe("The fields of datapoints", func() {
	var described struct {
		Components struct{ Schemas map[string]values }
	}
	BeforeEach(func() {
		raw, err := os.ReadFile("../../internal/sandbox/server/openapi.yaml")
		Expect(err).NotTo(HaveOccurred())
		Expect(yaml.Unmarshal(raw, &described)).To(Succeed())
	})

	for _, datapoint := range slices.Sorted(maps.Keys(schemas)) {
		It("are exactly those of the vendor: "+datapoint, func() {
			w := testenv.New(GinkgoTB(), testenv.Config{})
			try := func(fields ...any) string {
				obj := object("SmileAccountSync", with(plain["SmileAccountSync"], values{"datapoints": []any{values{"type": datapoint, "fields": fields}}}))
				obj.SetNamespace(w.Namespace)
				return w.Refused(obj)
			}
			paths := pathsOf(described.Components.Schemas[schemas[datapoint]], "")
			Expect(len(paths)).To(BeNumerically(">=", 3))
			Expect(try(paths...)).To(BeEmpty())
			if datapoint == "INSIGHTS" {
				Expect(try("features.incomes_last3_months_amount_sum")).To(BeEmpty())
			}
			message := try(paths[0], "nonsense")
			Expect(message).To(ContainSubstring("fields of " + datapoint + " are id, "))
			for _, path := range paths {
				told := strings.Split(strings.ReplaceAll(path.(string), "[0]", "[]"), ".")
				Expect(message).To(ContainSubstring(told[len(told)-1]), "the message names it")
				if path != "features" {
					Expect(try(path.(string)+".more")).NotTo(BeEmpty(), path)
				}
			}
			Expect(try("metadata.sourceId")).To(ContainSubstring("fields of " + datapoint))
		})
	}
})
