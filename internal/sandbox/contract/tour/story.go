package tour

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/server"
)

// How long linking and fetching take on the sandbox clock, so that the tour
// sees accounts and tasks in progress.
const (
	linkDelay = time.Minute
	dataDelay = time.Minute
)

// step is one call of the tour, or an action between calls. A word in angle
// brackets is a value that an earlier step stored.
type step struct {
	op    string // operation id
	id    string // path variable
	query string
	body  string
	edit  edit
	want  int               // status; 0 is any success
	keep  map[string]string // name by path inside the data
	do    func(*tour) error // instead of a call; op then says what it does
}

// story calls every operation once with success, in an order that works, and
// also in ways that must fail.
var story = join(users, accounts, webhooks, templates, invites, archives, sessions)

var users = []step{
	{op: "create-user", keep: map[string]string{"user": "user.id"}},
	{op: "create-user", body: `{}`, keep: map[string]string{"other": "user.id"}},
	{op: "create-user", body: `{"externalMetadata":{"customerRef":"alice","channel":"web"}}`},
	{op: "create-user", body: `{"externalMetadata":{"a":1}}`, want: http.StatusBadRequest},
	{op: "create-user", body: `{"externalMetadata":{"a":"1","b":"2","c":"3","d":"4","e":"5","f":"6"}}`, want: http.StatusBadRequest},
	{op: "create-user", body: `{"externalMetadata":{"` + strings.Repeat("k", 51) + `":"v"}}`, want: http.StatusBadRequest},
	{op: "create-user", body: `{"externalMetadata":{"k":"` + strings.Repeat("v", 501) + `"}}`, want: http.StatusBadRequest},
	{op: "create-user", body: `[]`, want: http.StatusBadRequest},
	{op: "create-user", body: `{`, want: http.StatusBadRequest},
	{op: "get-user", id: "<user>"},
	{op: "list-users", query: "startDate=2020-01-01&endDate=2099-12-31"},
	{op: "list-users", query: "startDate=yesterday", want: http.StatusBadRequest},
	{op: "create-token", query: "userId=<user>"},
	{op: "create-token", query: "userId=" + unknownID, want: http.StatusNotFound},
	{op: "create-token", query: "userId=", want: http.StatusBadRequest},
}

// The test people, with what they enter.
var (
	george    = person{"<user>", "George", "123456", "1234"}
	ryan      = person{"<other>", "Ryan", "654321", "1234"}
	stranger  = person{"<other>", "Nobody", "123456", "1234"}
	forgetful = person{"<user>", "Ryan", "wrong", "1234"}
	hesitant  = person{"<other>", "Christina", "YGUS1", ""}
)

var accounts = []step{
	{op: "list providers with filters", do: providersByFilter},
	{op: "link one account and wait", do: linkSlowly},
	{op: "link everywhere", do: func(t *tour) error { return t.linkEverywhere(george) }},
	{op: "link everywhere", do: func(t *tour) error { return t.linkEverywhere(ryan) }},
	{op: "fail to link", do: func(t *tour) error { return t.link(forgetful, "freelancer", "failed") }},
	{op: "fail to link", do: func(t *tour) error { return t.link(stranger, "grab", "stranger") }},
	{op: "stop at the second factor", do: func(t *tour) error { return t.link(hesitant, "upwork", "waiting") }},
	{op: "let it happen", do: settle},
	{op: "get-account", id: "<account>"},
	{op: "get-account", id: "<failed>"},
	{op: "get-account", id: "<waiting>"},
	{op: "list-accounts", query: "userId=<user>&startDate=2020-01-01&endDate=2099-12-31"},
	{op: "list-tasks", query: "userId=<user>&sourceId=<account>"},
	{op: "list-identities", query: "userId=<user>&sourceId=<account>"},
	{op: "list-contributions", query: "sourceId=<account>&startDate=2000-01-01&endDate=2099-12-31"},
	{op: "list-contributions", query: "endDate=2021-02-30", want: http.StatusBadRequest},
	{op: "list-eincomes", query: "sourceId=<account>&startMonth=2000-01&endMonth=2099-12"},
	{op: "list-eincomes", query: "startMonth=2021-13", want: http.StatusBadRequest},
	{op: "get every payload", do: payloads},
	{op: "generate-account-export", id: "<account>", body: `{"exportExtensionType":"PDF"}`},
	{op: "generate-account-export", id: "<account>", body: `{"exportExtensionType":"CSV"}`},
	{op: "generate-account-export", id: "<account>", body: `{"exportExtensionType":"DOC"}`, want: http.StatusBadRequest},
	{op: "generate-account-export", id: unknownID, body: `{"exportExtensionType":"PDF"}`, want: http.StatusNotFound},
	{op: "generate-account-export", id: "<account>", want: http.StatusBadRequest},
	{op: "resync", do: func(t *tour) error { _, err := t.box.Resync(t.memory["<account>"]); return err }},
	{op: "let it happen", do: settle},
	{op: "disable-account-monitor", id: "<account>"},
	{op: "disable-account-monitor", id: unknownID, want: http.StatusNotFound},
	{op: "get-account", id: "<account>"},
}

var webhooks = []step{
	{
		op: "create-webhook", body: webhook("ALL_EVENTS", "https://127.0.0.1:9/hook", "a secret"),
		keep: map[string]string{"webhook": "id"},
	},
	{op: "create-webhook", body: webhook("TASK_FINISHED", "https://127.0.0.1:9/hook", "a secret")},
	{op: "create-webhook", body: webhook("NO_SUCH_EVENT", "https://127.0.0.1:9/hook", "a secret"), want: http.StatusBadRequest},
	{op: "create-webhook", body: webhook("TASK_FINISHED", "http://127.0.0.1:9/hook", "a secret"), want: http.StatusBadRequest},
	{
		op: "create-webhook", body: webhook("TASK_FINISHED", "https://127.0.0.1:9/hook", strings.Repeat("s", 65)),
		want: http.StatusBadRequest,
	},
	{op: "create-webhook", body: `{}`, want: http.StatusBadRequest},
	{op: "get-webhook", id: "<webhook>"},
	{op: "list-webhooks"},
}

// webhook is inactive, so it gets no deliveries.
func webhook(event, url, secret string) string {
	return `{"name":"tour","url":"` + url + `","eventTypes":["` + event + `"],"active":false,"secret":"` + secret + `","includePayload":true}`
}

const templateBody = `{"name":"Tour","company":{"name":"Example Lending","logoUrl":"https://example.com/logo.png"},
"email":{"sendEmail":true,"senderName":"Example","replyAddress":"reply@example.com","subject":"Hello","body":"Dear ${firstName}"},
"landingPage":{"header":"Welcome","description":"Link your account.","button":"Start"},
"successPage":{"header":"Done","description":"Thank you.","button":"Close"}}`

var templates = []step{
	{
		op: "create-consent-template", body: `{"consentType":"credit","version":"1","consentText":"I agree.","title":"Consent","consentMethod":"checkbox"}`,
		keep: map[string]string{"consent": "id"},
	},
	{op: "create-consent-template", body: `{"version":"1"}`, want: http.StatusBadRequest},
	{op: "list-consent-templates"},
	{op: "create-invite-template", body: templateBody, keep: map[string]string{"template": "id"}},
	{op: "create-invite-template", body: `{"name":"x"}`, want: http.StatusBadRequest},
	{op: "get-invite-template", id: "<template>"},
	{op: "update-invite-template", id: "<template>", body: templateBody},
	{op: "update-invite-template", id: "<template>", body: `{}`, want: http.StatusBadRequest},
	{op: "update-invite-template", id: unknownID, body: templateBody, want: http.StatusNotFound},
	{op: "list-invite-templates"},
}

var invites = []step{
	{
		op: "create-invite", body: `{"fullName":"George Palomero","firstName":"George","lastName":"Palomero","email":"george@example.com","templateId":"<template>"}`,
		keep: map[string]string{"invite": "id"},
	},
	{op: "create-invite", body: `{"fullName":"George","email":"nobody","templateId":"<template>"}`, want: http.StatusBadRequest},
	{op: "create-invite", body: `{}`, want: http.StatusBadRequest},
	{op: "get-invite", id: "<invite>"},
	{op: "list-invite-log", id: "<invite>"},
	{op: "list-invites"},
}

// aFile is one byte in base64, which cannot be read as a document. aSample is
// the payslip that the sandbox can read.
const (
	aFile   = `"fileContent":"AA==","fileExtensionType":"PDF"`
	aSample = `"fileContent":"<sample>","fileExtensionType":"PDF"`
)

var archives = []step{
	{op: "list-file-types"},
	{op: "list-file-types", query: "type=PAYSLIP&active=true&enabled=true&ocr=true"},
	{op: "list-file-types", query: "active=maybe", want: http.StatusBadRequest},
	{op: "get the sample", do: fetchSample},
	{
		op: "create-archive", body: `{"userId":"<user>","fileType":"PAYSLIP","rawFiles":[{` + aFile + `,"fileSubtype":"PAYSLIP","fileName":"a.pdf"}]}`,
		keep: map[string]string{"archive": "id"},
	},
	{
		op: "create-archive", body: `{"userId":"<user>","fileType":"PAYSLIP","rawFiles":[{` + aSample + `}]}`,
		keep: map[string]string{"read": "id"},
	},
	{op: "create-archive", body: `{"fileType":"COMPANY_ID","rawFiles":[{` + aFile + `}]}`},
	{op: "create-archive", body: `{"userId":"<user>","fileType":"PAYSLIP","rawFiles":[]}`, want: http.StatusBadRequest},
	{op: "create-archive", body: `{"userId":"<user>","fileType":"PAYSLIP","rawFiles":[{"fileContent":"AA==","fileExtensionType":"EXE"}]}`, want: http.StatusBadRequest},
	{
		op: "create-archive", body: `{"userId":"` + unknownID + `","fileType":"PAYSLIP","rawFiles":[{` + aFile + `}]}`,
		want: http.StatusNotFound,
	},
	{op: "create-and-classify-archive", body: `{"userId":"<user>","rawFiles":[{` + aFile + `}]}`},
	{op: "create-and-classify-archive", body: `{"userId":"<user>","rawFiles":[{` + aSample + `}]}`},
	{op: "create-and-classify-archive", body: `{}`, want: http.StatusBadRequest},
	{op: "upload-payslip-file", body: `{"userId":"<user>",` + aSample + `}`, keep: map[string]string{"payslip": "id"}},
	{op: "upload-payslip-file", body: `{}`, want: http.StatusBadRequest},
	{op: "get-archive", id: "<archive>"},
	{op: "let it happen", do: settle},
	{op: "get-archive", id: "<archive>"},
	{op: "get-archive", id: "<read>"},
	{op: "list-archives", query: "userId=<user>&fileType=PAYSLIP&startDate=2020-01-01&endDate=2099-12-31"},
	{op: "get-upload", id: "<archive>"},
	{op: "list-uploads", query: "userId=<user>"},
	{op: "get-archive-payslip-data", query: "archiveId=<payslip>"},
	{op: "get-archive-payslip-data", query: "archiveId=" + unknownID, want: http.StatusNotFound},
	{op: "list-archive-payslip-predictions"},
	{op: "send-payslip-manual-result", want: http.StatusBadRequest},
	{op: "send-payslip-manual-result", body: `{"archiveId":"<payslip>","validFile":true,"checkedFields":["netAmount"],
"data":{"startDate":"2022-06-01","endDate":"2022-06-30","currency":"PHP","grossAmount":10000,"netAmount":7820.25}}`},
	{op: "get-archive-payslip-data", query: "archiveId=<payslip>"},
	{op: "send-payslip-manual-result", body: `{}`, want: http.StatusBadRequest},
}

// fetchSample stores the sample payslip as base64.
func fetchSample(t *tour) error {
	w := t.send(newRequest(http.MethodGet, "/_sandbox/samples/payslip.pdf", ""))
	if w.status != http.StatusOK {
		return fmt.Errorf("status %d", w.status)
	}
	t.keep("sample", base64.StdEncoding.EncodeToString(w.body.Bytes()))
	return nil
}

var sessions = []step{
	{op: "get-user-session-payload", id: "<user>"},
	{op: "get-user-session-payload", id: "<other>"},
	{op: "reset-user-session", id: "<other>"},
	{op: "reset-user-session", id: unknownID, want: http.StatusNotFound},
	{op: "get-user", id: "<other>"},
}

// cleanup deletes what the story has created, twice, and reads what is left.
var cleanup = join(
	twice("delete-webhook", "<webhook>"), twice("delete-consent-template", "<consent>"),
	twice("delete-invite-template", "<template>"),
	twice("delete-archive", "<archive>"), twice("delete-account", "<account>"),
	[]step{
		{op: "get-archive", id: "<archive>"},
		{op: "get-account", id: "<account>"},
		{op: "get-account-payload", id: "<account>", want: http.StatusNotFound},
		{op: "list-identities", query: "sourceId=<account>"},
	})

func twice(op, id string) []step {
	return []step{{op: op, id: id}, {op: op, id: id, want: http.StatusNotFound}}
}

func join(parts ...[]step) []step {
	var all []step
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}

// person is a person who links accounts.
type person struct{ userID, login, password, mfa string }

// link logs a person in and stores the account's id under a name.
func (t *tour) link(who person, provider, name string) error {
	a, err := t.box.Link(server.LinkRequest{
		UserID: t.recall(who.userID), ProviderID: provider, Login: who.login, Password: who.password, MFA: who.mfa,
	})
	if err != nil {
		return err
	}
	t.keep(name, a.ID)
	return nil
}

// everywhere are providers that together have every kind of data.
var everywhere = []string{"upwork", "freelancer", "grab", "abcplatform", "xyzgigcompany", "cdecorp", "nbi_ph"}

func (t *tour) linkEverywhere(who person) error {
	for _, provider := range everywhere {
		if err := t.link(who, provider, provider); err != nil {
			return err
		}
	}
	return nil
}

// linkSlowly reads an account and its task while they are in progress.
func linkSlowly(t *tour) error {
	if err := t.link(george, "sss_ph", "account"); err != nil {
		return err
	}
	read := func() error {
		return t.takeAll([]step{{op: "get-account", id: "<account>"}, {op: "list-tasks"}, {op: "list-accounts"}})
	}
	for range 3 {
		if err := read(); err != nil {
			return err
		}
		if err := t.box.Advance(linkDelay); err != nil {
			return err
		}
	}
	return nil
}

func (t *tour) takeAll(steps []step) error {
	for _, s := range steps {
		if err := t.take(s); err != nil {
			return err
		}
	}
	return nil
}

func settle(t *tour) error { return t.box.Advance(linkDelay + dataDelay) }

func payloads(t *tour) error {
	for _, provider := range append([]string{"account"}, everywhere...) {
		if err := t.take(step{op: "get-account-payload", id: "<" + provider + ">"}); err != nil {
			return err
		}
	}
	return nil
}

// providersByFilter uses every filter, with valid and with invalid values.
func providersByFilter(t *tour) error {
	for _, query := range []string{
		"type=GOVERNMENT", "subType=SERVICES", "active=true", "enabled=true", "accountConnection=true", "name=up",
		"ids=upwork,sss_ph", "ids=upwork&ids=sss_ph", "topIds=grab,sss_ph",
	} {
		if err := t.take(step{op: "list-providers", query: query}); err != nil {
			return err
		}
	}
	return t.take(step{op: "list-providers", query: "active=maybe", want: http.StatusBadRequest})
}
