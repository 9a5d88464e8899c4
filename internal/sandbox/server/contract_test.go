package server

import (
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
)

var (
	uuid      = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	timestamp = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`)
	objectID  = regexp.MustCompile(`^[a-z]+-[0-9a-f]{32}$`)
)

const sourceFields = "accountId createdAt itemCreatedAt providerId sourceId sourceType userId"

// shapes are the status and the keys of the data of every operation. Values in
// braces are taken from a linked account.
var shapes = []struct {
	method, path string
	status       int
	fields       string // of data, or of each of its items
	listed       bool
}{
	{"GET", "/v1/providers", 200, "accountConnection active enabled id logoUrl longName mfa monitorSupported name subType subTypeLabel supported type typeLabel", true},
	{"GET", "/v1/providers/sss_ph", 200, "accountConnection active enabled id logoUrl longName mfa monitorSupported name subType subTypeLabel supported type typeLabel", false},
	{"POST", "/v1/users", 201, "token user", false},
	{"GET", "/v1/users", 200, "createdAt externalMetadata id providers session", true},
	{"GET", "/v1/users/{user}", 200, "createdAt externalMetadata id providers session", false},
	{"POST", "/v1/tokens?userId={user}", 201, "accessToken expiresAt id mode", false},
	{"GET", "/v1/accounts", 200, "connection connectionStatus createdAt id monitor monitorStatus providerId userId", true},
	{"GET", "/v1/accounts/{account}", 200, "connection connectionStatus createdAt id monitor monitorStatus providerId userId", false},
	{"GET", "/v1/accounts/{account}/payload", 200, "contributions documents eincomes employments identity incomes insight liabilities links metadata rating transactions", false},
	{"GET", "/v1/tasks", 200, "datapoints finishedAt id metadata startedAt status type", true},
	{"GET", "/v1/tasks/{task}", 200, "datapoints finishedAt id metadata startedAt status type", false},
	{"GET", "/v1/archives", 200, "analysis classification createdAt id providerId rawFiles state type userId", true},
	{"GET", "/v1/archives/{archive}", 200, "analysis classification createdAt id providerId rawFiles state type userId", false},
	{"DELETE", "/v1/archives/{archive}", 200, "", false},
	{"DELETE", "/v1/accounts/{account}", 200, "", false},
}

// itemFields are the keys of the items of each data point, without id and
// metadata.
var itemFields = map[string]string{
	"identities":    "addresses citizenship countryResidence dob emails firstName fullName gender lastName latestEmployerName maritalStatus middleName phones photoUrl profileUrl referenceId socialProfiles suffix",
	"ratings":       "calculatedPercentage currentRating jobsCompleted likesReceived maxRating reviewsReceived",
	"documents":     "docId documentType expiryDate fileUrl issueDate name remarks status",
	"employments":   "department description employeeNumber employer employerNumber endDate jobTitle name reportedDate startDate status",
	"incomes":       "baseAmount currency employer endDate frequency grossAmount netAmount startDate workItem",
	"contributions": "amount currency date referenceId",
	"liabilities":   "amortizationAmount amortizationFrequency currency endDate firstAmortizationDate loanAmount nextPaymentAmount outstandingBalance overduePaymentAmount referenceId startDate type",
	"transactions":  "amount currency date description referenceId",
	"eincomes":      "amount baseAmount currency month",
	"insights":      "cutoffTime features",
	"links":         "endDate records startDate",
}

// inhabited is a box with George linked at every provider, and one archive.
func inhabited(t *testing.T) (*box, *strings.Replacer) {
	b := newBox(t, Options{})
	userID := b.newUser()
	var accountID string
	for _, p := range fixtures.Linkable() {
		accountID = b.george(userID, p.ID).ID
	}
	tenant := b.tenants["sandbox-key"]
	tenant.archives.add("archive-1", &archive{id: "archive-1", owner: tenant.users.byID[userID], fileType: "PAYSLIP", provider: tenantProvided, createdAt: b.Now(), status: analyzed})
	return b, strings.NewReplacer("{user}", userID, "{account}", accountID, "{task}", tenant.tasks.order[0].id, "{archive}", "archive-1")
}

func keysOf(t *testing.T, object json.RawMessage) string {
	t.Helper()
	return strings.Join(slices.Sorted(maps.Keys(decode[map[string]json.RawMessage](t, object))), " ")
}

func TestShapes(t *testing.T) {
	b, ids := inhabited(t)
	for _, shape := range shapes {
		t.Run(shape.method+" "+shape.path, func(t *testing.T) {
			got := b.call(shape.method, ids.Replace(shape.path), "").must(t, shape.status)
			if got.Code != "OK" || got.Message != "Success" || !uuid.MatchString(got.ID) {
				t.Errorf("envelope: %s", got.text)
			}
			if got.header.Get("Content-Type") != "application/json" {
				t.Errorf("content type %q", got.header.Get("Content-Type"))
			}
			if shape.fields == "" {
				if got.Data != nil {
					t.Errorf("data after a deletion: %s", got.text)
				}
				return
			}
			for _, object := range objects(t, got.Data, shape.listed) {
				if diff := cmp.Diff(shape.fields, keysOf(t, object)); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func objects(t *testing.T, data json.RawMessage, listed bool) []json.RawMessage {
	t.Helper()
	if !listed {
		return []json.RawMessage{data}
	}
	if diff := cmp.Diff("items nextCursor", keysOf(t, data)); diff != "" {
		t.Fatal(diff)
	}
	items := decode[rows](t, data).Items
	if len(items) == 0 {
		t.Fatal("nothing to compare")
	}
	return items
}

func TestItemShapes(t *testing.T) {
	b, _ := inhabited(t)
	for _, d := range fixtures.Datapoints {
		t.Run(d.Path, func(t *testing.T) {
			for _, text := range objects(t, b.get("/v1/"+d.Path+"?size=150").must(t, 200).Data, true) {
				item := decode[struct {
					ID       string          `json:"id"`
					Metadata json.RawMessage `json:"metadata"`
				}](t, text)
				want := strings.Fields(itemFields[d.Path] + " id metadata")
				slices.Sort(want)
				if diff := cmp.Diff(strings.Join(want, " "), keysOf(t, text)); diff != "" {
					t.Error(diff)
				}
				if diff := cmp.Diff(sourceFields, keysOf(t, item.Metadata)); diff != "" {
					t.Error(diff)
				}
				if !strings.HasPrefix(item.ID, d.Prefix) || !objectID.MatchString(item.ID) {
					t.Errorf("id %q", item.ID)
				}
				single := b.get("/v1/"+d.Path+"/"+item.ID).must(t, 200)
				if string(single.Data) != string(text) {
					t.Errorf("GET by id gives %s, the list %s", single.Data, text)
				}
			}
		})
	}
}

func TestAmountsKeepTheirDigits(t *testing.T) {
	b, _ := inhabited(t)
	for path, literals := range map[string][]string{
		"incomes":      {`"netAmount":7820.25`, `"baseAmount":8500,`},
		"transactions": {`"amount":222.0000,`, `"amount":-25.5000,`, `"amount":250,`},
		"liabilities":  {`"amortizationAmount":738.32`, `"outstandingBalance":14599.76`},
	} {
		text := b.get("/v1/" + path + "?size=150").text
		for _, literal := range literals {
			if !strings.Contains(text, literal) {
				t.Errorf("%s does not contain %s: %s", path, literal, text)
			}
		}
	}
}

func TestIDsAndTimes(t *testing.T) {
	b := newBox(t, Options{Keys: []KeyPair{{Key: "live", Secret: "s", Mode: ModeProduction}}})
	live := as("live", "s")
	made := decode[CreatedUser](t, b.call("POST", "/v1/users", `{}`, live).must(t, 201).Data)
	if !objectID.MatchString(made.User.ID) || !strings.HasPrefix(made.User.ID, "tenant-") || !strings.HasPrefix(made.Token.ID, "tk-") {
		t.Errorf("ids %q %q", made.User.ID, made.Token.ID)
	}
	if made.Token.Mode != ModeProduction || strings.Count(made.Token.AccessToken, ".") != 2 {
		t.Errorf("token %+v", made.Token)
	}
	if got := made.Token.ExpiresAt.Sub(made.User.CreatedAt.Time); got != tokenLife {
		t.Errorf("the token lives %s", got)
	}
	raw := decode[struct{ User struct{ CreatedAt string } }](t, b.call("POST", "/v1/users", "", live).Data)
	if !timestamp.MatchString(raw.User.CreatedAt) {
		t.Errorf("createdAt %q", raw.User.CreatedAt)
	}
}

// TestEveryOperationIsKnown: every operation of the API is answered, and one
// that is not emulated says so.
func TestEveryOperationIsKnown(t *testing.T) {
	b := newBox(t, Options{})
	if len(operations) != 103 {
		t.Errorf("%d operations, the API has 103", len(operations))
	}
	seen := map[string]bool{}
	for _, o := range operations {
		if seen[o.id] {
			t.Errorf("%s occurs twice", o.id)
		}
		seen[o.id] = true
		path := "/v1" + strings.NewReplacer("{id}", "x", "{accountId}", "x", "{inviteId}", "x").Replace(o.path)
		got := b.call(o.method, path, "")
		if emulated := got.status != http.StatusNotImplemented; emulated != (o.handle != nil) {
			t.Errorf("%s %s: %s", o.method, path, got.text)
		}
		if last := b.Journal(0); last[len(last)-1].Operation != o.id {
			t.Errorf("%s %s went to %q", o.method, path, last[len(last)-1].Operation)
		}
	}
}
