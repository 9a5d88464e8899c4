package wink

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"html/template"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

const (
	// maxRequest is how many bytes a request for an exchange may have, and maxReport how many a report of a violation.
	maxRequest, maxReport = 4 << 10, 32 << 10
	// maxAtOnce is how many requests other than those for files are answered at once. Others wait.
	maxAtOnce = 64
	// timeout of an exchange.
	timeout = 12 * time.Second
	// prefix of the pages.
	prefix = "/wink/"
	// The calls, in metrics.
	callFile, callPage, callExchange, callReport, callOther = "file", "page", "open", "report", "none"
)

// nameForm is the form of the names of Kubernetes.
var nameForm = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$`)

// ValidName reports whether a text can be the name of a namespace or a widget.
func ValidName(name string) bool { return nameForm.MatchString(name) }

// Config is what the hosted page needs.
type Config struct {
	// Widgets reads SmileWinkWidgets, from the cache.
	Widgets client.Reader
	// Exchange exchanges codes.
	Exchange Exchange
	// BaseURL is where browsers reach the page.
	BaseURL string
	// Sources are additions to the Content-Security-Policy.
	Sources Sources
	// ReportOnly makes browsers report violations of the policy, but not prevent them. Framing is prevented nevertheless.
	ReportOnly bool
	// Metrics of the page.
	Metrics *Metrics
}

type handler struct {
	Config
	slots chan struct{}
}

// NewHandler makes the handler that serves the page to browsers.
func NewHandler(config Config) (http.Handler, error) {
	h := &handler{Config: config, slots: make(chan struct{}, maxAtOnce)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /wink.js", h.file("wink.js", "text/javascript; charset=utf-8"))
	mux.HandleFunc("GET /wink.css", h.file("wink.css", "text/css; charset=utf-8"))
	mux.HandleFunc("GET "+prefix+"{namespace}/{widget}", h.limited(h.page))
	mux.HandleFunc("POST "+prefix+"{namespace}/{widget}/open", h.limited(h.open))
	mux.HandleFunc("POST "+reportPath, h.limited(h.report))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		h.Metrics.observe(callOther, "refused")
		http.NotFound(w, r)
	})
	guard := http.NewCrossOriginProtection()
	if err := guard.AddTrustedOrigin(originOf(config.BaseURL)); err != nil {
		return nil, err
	}
	guard.AddInsecureBypassPattern("POST " + reportPath) // browsers send reports on their own
	return headers(guard.Handler(mux)), nil
}

// headers are the headers of all responses.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
			"Cache-Control": "no-store", "X-Robots-Tag": "noindex",
			"Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		} {
			w.Header().Set(name, value)
		}
		next.ServeHTTP(w, r)
	})
}

// limited bounds how many requests are handled at once.
func (h *handler) limited(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case h.slots <- struct{}{}:
			defer func() { <-h.slots }()
			next(w, r)
		case <-r.Context().Done():
		}
	}
}

// file serves a file of the page.
func (h *handler) file(name, media string) http.HandlerFunc {
	text := asset(name)
	sum := sha256.Sum256(text)
	tag := `"` + hex.EncodeToString(sum[:8]) + `"`
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", media)
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("ETag", tag)
		h.Metrics.observe(callFile, Succeeded)
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(text)))
	}
}

var pageTemplate = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("page").Parse(string(asset("page.html"))))
})

// page serves the page of a widget. It is the same for everybody, and holds no secret.
func (h *handler) page(w http.ResponseWriter, r *http.Request) {
	shown, status := h.find(r)
	h.setPolicy(w.Header(), shown)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	outcome := Succeeded
	if shown.Missing {
		outcome = "missing"
	}
	h.Metrics.observe(callPage, outcome)
	own := ownTexts()
	_ = pageTemplate().Execute(w, map[string]any{
		"Front": string(encode(shown)), "ScriptURL": shown.ScriptURL, "English": own[english], "Filipino": own[filipino],
	})
}

// find returns the page at the path of a request. If there is none, it is a page that says so.
func (h *handler) find(r *http.Request) (front, int) {
	absent := front{Missing: true, AllowedOrigins: []string{}, Texts: texts(nil)}
	name := types.NamespacedName{Namespace: r.PathValue("namespace"), Name: r.PathValue("widget")}
	if !ValidName(name.Namespace) || !ValidName(name.Name) {
		return absent, http.StatusNotFound
	}
	var widget v1alpha1.SmileWinkWidget
	if err := h.Widgets.Get(r.Context(), name, &widget); err != nil {
		if apierrors.IsNotFound(err) {
			return absent, http.StatusNotFound
		}
		return absent, http.StatusServiceUnavailable
	}
	shown, ok := frontOf(&widget)
	if !ok {
		return absent, http.StatusNotFound
	}
	return shown, http.StatusOK
}

func (h *handler) setPolicy(header http.Header, shown front) {
	if shown.Missing {
		header.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; base-uri 'none'; "+
			"form-action 'none'; frame-ancestors 'none'")
		return
	}
	header.Set("Reporting-Endpoints", reportGroup+`="`+strings.TrimSuffix(h.BaseURL, "/")+reportPath+`"`)
	policy := h.Sources.policy(shown)
	if h.ReportOnly {
		header.Set("Content-Security-Policy", enforced(shown))
		header.Set("Content-Security-Policy-Report-Only", policy)
		return
	}
	header.Set("Content-Security-Policy", policy)
}

// open opens a link.
func (h *handler) open(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	answer := Refused(ReasonInvalid)
	if request, ok := readRequest(r); ok {
		answer = h.Exchange(ctx, request)
	}
	h.Metrics.observe(callExchange, answer.Outcome)
	answer.Write(w)
}

// readRequest reads the body of an exchange.
func readRequest(r *http.Request) (Request, bool) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		return Request{}, false
	}
	text, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxRequest))
	if err != nil {
		return Request{}, false
	}
	return ParseRequest(r.PathValue("namespace"), r.PathValue("widget"), text)
}

// ParseRequest reads a request for an exchange at a page; false if it is not valid.
func ParseRequest(namespace, widget string, text []byte) (Request, bool) {
	var body struct{ Code, Tab string }
	if json.Unmarshal(text, &body) != nil {
		return Request{}, false
	}
	request := Request{namespace, widget, body.Code, body.Tab}
	return request, Valid(request)
}

// Valid reports whether a request has the form of one.
func Valid(r Request) bool {
	return ValidName(r.Namespace) && ValidName(r.Widget) && ValidTab(r.Tab) && len(r.Code) <= maxCode
}
