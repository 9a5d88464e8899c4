package server

import (
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
	"github.com/smile-operator/smile-operator/internal/sandbox/validate"
	"github.com/smile-operator/smile-operator/internal/sandbox/web"
)

// operation is one operation of the Open API or the Link API. If handle is nil,
// the operation is not emulated, and the response says so.
type operation struct {
	method, path, id string
	handle           func(*call) reply
	paged            bool
	filters          []validate.Parameter
	maxBody          int64  // bytes; 0 is the usual limit
	link             bool   // part of the Link API: has a link token, no rate limit
	refusal          *reply // for what is not an operation
}

// success is the status of a successful response.
func (o *operation) success() int {
	if createdWith201[o.id] {
		return http.StatusCreated
	}
	return http.StatusOK
}

// createdWith201 are the operations that answer with 201. Others answer with
// 200.
var createdWith201 = map[string]bool{
	"create-user": true, "create-token": true, "create-consent-template": true, "create-invite": true,
	"create-invite-template": true, "create-social-security": true,
}

// Not operations, but answered in the same way.
var (
	unknownPath = &operation{refusal: new(refuse(http.StatusNotFound, "There is no such path."))}
	wrongMethod = &operation{refusal: new(refuse(http.StatusNotImplemented, "The path does not support this method."))}
)

// operations are all operations of the Open API, emulated or not. It is set in
// init, because handlers refer to it.
var operations []*operation

func init() {
	operations = slices.Concat(userOperations(), setupOperations(), archiveOperations(), dataOperations())
	for _, o := range notEmulated {
		operations = append(operations, &o)
	}
}

func userOperations() []*operation {
	created := []validate.Parameter{validate.Param("startDate", validate.Date), validate.Param("endDate", validate.Date)}
	ofUser := append([]validate.Parameter{validate.Param("userId", validate.Any)}, created...)
	return []*operation{
		{method: "GET", path: "/providers", id: "list-providers", handle: listProviders, paged: true, filters: []validate.Parameter{
			validate.Param("type", validate.Any),
			validate.Param("subType", validate.Any),
			validate.Param("active", validate.Boolean),
			validate.Param("enabled", validate.Boolean),
			validate.Param("accountConnection", validate.Boolean),
			validate.Param("name", validate.Any),
			validate.Param("ids", validate.Any),
			validate.Param("topIds", validate.AtMost(10)),
		}},
		{method: "GET", path: "/providers/{id}", id: "get-provider", handle: getProvider},
		{method: "GET", path: "/users", id: "list-users", handle: listUsers, paged: true, filters: created},
		{method: "POST", path: "/users", id: "create-user", handle: createUser},
		{method: "GET", path: "/users/{id}", id: "get-user", handle: getUser},
		{method: "GET", path: "/users/{id}/payload", id: "get-user-session-payload", handle: getUserPayload},
		{method: "POST", path: "/users/{id}/resetSession", id: "reset-user-session", handle: resetSession},
		{
			method: "POST", path: "/tokens", id: "create-token", handle: createToken,
			filters: []validate.Parameter{validate.Param("userId", validate.ID)},
		},
		{
			method: "GET", path: "/tasks", id: "list-tasks", handle: listTasks, paged: true,
			filters: append(ofUser, validate.Param("sourceId", validate.Any)),
		},
		{method: "GET", path: "/tasks/{id}", id: "get-task", handle: getTask},
		{method: "GET", path: "/accounts", id: "list-accounts", handle: listAccounts, paged: true, filters: ofUser},
		{method: "GET", path: "/accounts/{id}", id: "get-account", handle: getAccount},
		{method: "DELETE", path: "/accounts/{id}", id: "delete-account", handle: deleteAccount},
		{method: "GET", path: "/accounts/{id}/payload", id: "get-account-payload", handle: getAccountPayload},
		{method: "POST", path: "/accounts/{id}/exports/generate", id: "generate-account-export", handle: generateExport},
		{method: "POST", path: "/accounts/{id}/disableMonitor", id: "disable-account-monitor", handle: disableMonitor},
	}
}

// setupOperations are the operations on what a tenant sets up.
func setupOperations() []*operation {
	return []*operation{
		{method: "POST", path: "/webhooks", id: "create-webhook", handle: createWebhook},
		{method: "GET", path: "/webhooks", id: "list-webhooks", handle: webhooks.list, paged: true},
		{method: "GET", path: "/webhooks/{id}", id: "get-webhook", handle: webhooks.get},
		{method: "DELETE", path: "/webhooks/{id}", id: "delete-webhook", handle: webhooks.delete},
		{method: "POST", path: "/consentTemplates", id: "create-consent-template", handle: createConsentTemplate},
		{method: "GET", path: "/consentTemplates", id: "list-consent-templates", handle: consentTemplates.list, paged: true},
		{method: "DELETE", path: "/consentTemplates/{id}", id: "delete-consent-template", handle: consentTemplates.delete},
		{method: "POST", path: "/inviteTemplates", id: "create-invite-template", handle: createInviteTemplate},
		{method: "GET", path: "/inviteTemplates", id: "list-invite-templates", handle: inviteTemplates.list, paged: true},
		{method: "GET", path: "/inviteTemplates/{id}", id: "get-invite-template", handle: inviteTemplates.get},
		{method: "PUT", path: "/inviteTemplates/{id}", id: "update-invite-template", handle: updateInviteTemplate},
		{method: "DELETE", path: "/inviteTemplates/{id}", id: "delete-invite-template", handle: inviteTemplates.delete},
		{method: "POST", path: "/invites", id: "create-invite", handle: createInvite},
		{method: "GET", path: "/invites", id: "list-invites", handle: listInvites, paged: true},
		{method: "GET", path: "/invites/{id}", id: "get-invite", handle: getInvite},
		{method: "GET", path: "/invites/{id}/logs", id: "list-invite-log", handle: listInviteLog, paged: true},
	}
}

// archiveOperations are the operations on uploaded files.
func archiveOperations() []*operation {
	created := []validate.Parameter{validate.Param("startDate", validate.Date), validate.Param("endDate", validate.Date)}
	ofUser := append([]validate.Parameter{validate.Param("userId", validate.Any)}, created...)
	byType := append(slices.Clone(ofUser), validate.Param("fileType", validate.Any))
	const payslips = "/archives/-/payslips"
	return []*operation{
		{
			method: "POST", path: "/archives", id: "create-archive", handle: createArchive(archiveForm, analyzeArchive),
			maxBody: maxArchiveBody,
		},
		{
			method: "POST", path: "/archives/classify", id: "create-and-classify-archive",
			handle: createArchive(classifyForm, classifyArchive), maxBody: maxArchiveBody,
		},
		{method: "GET", path: "/archives", id: "list-archives", handle: listArchives(asArchive), paged: true, filters: byType},
		{method: "GET", path: "/archives/{id}", id: "get-archive", handle: getArchive(asArchive)},
		{method: "DELETE", path: "/archives/{id}", id: "delete-archive", handle: deleteArchive},
		{method: "POST", path: payslips + "/uploadRawFile", id: "upload-payslip-file", handle: uploadPayslip, maxBody: maxArchiveBody},
		{
			method: "GET", path: payslips + "/queryPrediction", id: "get-archive-payslip-data", handle: queryPrediction,
			filters: []validate.Parameter{validate.Param("archiveId", validate.ID)},
		},
		{
			method: "GET", path: payslips + "/listPredictions", id: "list-archive-payslip-predictions", handle: listPredictions,
			paged: true, filters: created,
		},
		{method: "POST", path: payslips + "/sendManualResult", id: "send-payslip-manual-result", handle: sendManualResult},
		{method: "GET", path: "/uploads", id: "list-uploads", handle: listArchives(asUpload), paged: true, filters: ofUser},
		{method: "GET", path: "/uploads/{id}", id: "get-upload", handle: getArchive(asUpload)},
		{method: "GET", path: "/fileTypes", id: "list-file-types", handle: listFileTypes, paged: true, filters: []validate.Parameter{
			validate.Param("type", validate.Any), validate.Param("active", validate.Boolean),
			validate.Param("enabled", validate.Boolean), validate.Param("ocr", validate.Boolean),
		}},
	}
}

func dataOperations() []*operation {
	var made []*operation
	for _, d := range fixtures.Datapoints {
		made = append(made,
			&operation{method: "GET", path: "/" + d.Path, id: d.List, handle: listItems(d), paged: true, filters: d.Filters},
			&operation{method: "GET", path: "/" + d.Path + "/{id}", id: d.Get, handle: getItem(d)})
	}
	return made
}

// routes is the handler of all paths.
func (s *Sandbox) routes() http.Handler {
	root := chi.NewRouter()
	root.Route("/v1", func(api chi.Router) {
		api.Use(allowOrigins)
		for _, o := range operations {
			api.Method(o.method, o.path, s.serve(o))
		}
		for _, o := range linkOperations {
			api.Method(o.method, o.path, s.serve(o))
		}
		api.Get("/smile.v1.js", web.ServeWidget)
		api.NotFound(s.serve(unknownPath))
		api.MethodNotAllowed(s.serve(wrongMethod))
	})
	root.Get("/v2/smile.v2.js", web.ServeWidget)
	root.Get("/", web.ServePage)
	root.Get("/image/provider-logo/{version}/{file}", serveLogo)
	root.Get("/tenants/sandbox/users/{user}/files/{id}", s.serveFile)
	root.Route("/_sandbox", s.controlRoutes)
	root.NotFound(func(w http.ResponseWriter, r *http.Request) {
		s.render(*unknownPath.refusal).send(s, w, r) // not part of the API: not limited, not in the journal
	})
	root.MethodNotAllowed(s.serve(wrongMethod))
	return tidyPath(guardControl(s.controlHosts, root))
}

// tidyPath ignores duplicate and trailing slashes.
func tidyPath(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path := r.URL.EscapedPath(); strings.Contains(path, "//") || len(path) > 1 && strings.HasSuffix(path, "/") {
			tidy := *r.URL
			tidy.Path, tidy.RawPath = collapse(r.URL.Path), collapse(r.URL.RawPath)
			r = r.WithContext(r.Context())
			r.URL = &tidy
		}
		next.ServeHTTP(w, r)
	})
}

// collapse removes empty segments of a path.
func collapse(path string) string {
	if path == "" {
		return ""
	}
	segments := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	return "/" + strings.Join(segments, "/")
}

// allowOrigins allows any web page to call the API, including sandboxed frames,
// and answers the browser's preflight request.
func allowOrigins(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Access-Control-Allow-Origin", "*")
		header.Set("Access-Control-Expose-Headers", "Date") // the widget follows the sandbox clock
		if r.Method == http.MethodOptions {
			header.Set("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE, OPTIONS")
			header.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Accept")
			header.Set("Access-Control-Max-Age", "600")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}
