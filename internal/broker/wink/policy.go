package wink

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// addable are the directives of the Content-Security-Policy to which the operator may add sources.
var addable = []string{"connect-src", "font-src", "frame-src", "img-src", "script-src", "style-src", "worker-src"}

// sourceForm is a source: an origin, with a wildcard or a path perhaps, a scheme, or one of a few words.
var sourceForm = regexp.MustCompile(
	`^(https://(\*\.)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?|data:|blob:|'self'|'unsafe-inline'|'wasm-unsafe-eval')$`)

// Sources are additions to the Content-Security-Policy of the page, by directive.
type Sources map[string][]string

// ParseSources reads additions of the form directive=source.
func ParseSources(additions []string) (Sources, error) {
	sources := Sources{}
	for _, addition := range additions {
		directive, source, _ := strings.Cut(addition, "=")
		if !slices.Contains(addable, directive) {
			return nil, fmt.Errorf("%q must have the form directive=source with one of the directives %s",
				addition, strings.Join(addable, ", "))
		}
		if !sourceForm.MatchString(source) {
			return nil, fmt.Errorf("%q: a source is an https origin, data:, blob:, 'self', 'unsafe-inline' or 'wasm-unsafe-eval'", addition)
		}
		if directive == "script-src" && source == "'unsafe-inline'" {
			return nil, fmt.Errorf("%q is not permitted: inline scripts could read the link token", addition)
		}
		sources[directive] = append(sources[directive], source)
	}
	return sources, nil
}

// reportPath is where browsers report violations, below the base URL; reportGroup is its name in the header Reporting-Endpoints.
const (
	reportPath  = "/wink-csp-report"
	reportGroup = "wink"
)

// policy is the Content-Security-Policy of a page: its own files, the vendor's script and the Link API, and no inline script.
func (s Sources) policy(front front) string {
	directives := map[string][]string{
		"default-src": {"'none'"}, "base-uri": {"'none'"}, "form-action": {"'none'"},
		"script-src": {"'self'", front.scriptOrigin}, "style-src": {"'self'"}, "connect-src": {"'self'", front.apiOrigin},
		"img-src": {"'self'"}, "frame-ancestors": {"'none'"}, "report-uri": {"../.." + reportPath}, "report-to": {reportGroup},
	}
	if front.logoOrigin != "" {
		directives["img-src"] = append(directives["img-src"], front.logoOrigin)
	}
	if len(front.AllowedOrigins) > 0 {
		directives["frame-ancestors"] = front.AllowedOrigins
	}
	for directive, sources := range s {
		directives[directive] = append(directives[directive], sources...)
	}
	return join(directives)
}

// enforced is the part of a policy that applies although the rest is only reported: what protects the page from others.
func enforced(front front) string {
	ancestors := []string{"'none'"}
	if len(front.AllowedOrigins) > 0 {
		ancestors = front.AllowedOrigins
	}
	return join(map[string][]string{
		"base-uri": {"'none'"}, "form-action": {"'none'"}, "object-src": {"'none'"}, "frame-ancestors": ancestors,
	})
}

func join(directives map[string][]string) string {
	var policy []string
	for _, name := range slices.Sorted(maps.Keys(directives)) {
		sources := slices.DeleteFunc(slices.Clone(directives[name]), func(source string) bool { return source == "" })
		policy = append(policy, name+" "+strings.Join(sources, " "))
	}
	return strings.Join(policy, "; ")
}

// front is the configuration of a page that the browser gets. It holds no secret.
type front struct {
	ScriptURL      string                       `json:"scriptURL,omitempty"`
	AllowedOrigins []string                     `json:"allowedOrigins"`
	ReturnURL      string                       `json:"returnURL,omitempty"`
	LogoURL        string                       `json:"logoURL,omitempty"`
	CompanyName    string                       `json:"companyName,omitempty"`
	Primary        string                       `json:"primary,omitempty"`
	Background     string                       `json:"background,omitempty"`
	Texts          map[string]map[string]string `json:"texts"`
	// Missing is true if there is no page here.
	Missing bool `json:"missing,omitempty"`

	scriptOrigin, apiOrigin, logoOrigin string
}

// Values of a spec are validated again before they are used in headers and scripts: an object may have been stored under
// an older definition.
var (
	originForm = regexp.MustCompile(
		`^https://[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[0-9]{1,5})?$|^http://(localhost|127\.0\.0\.1)(:[0-9]{1,5})?$`)
	hostForm  = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[0-9]{1,5})?$|^\[[0-9a-f:.]+\](:[0-9]{1,5})?$`)
	colorForm = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)
	appForm   = regexp.MustCompile(`^[a-z][a-z0-9+.-]*$`)
	notAnApp  = regexp.MustCompile(`^(http|javascript|data|vbscript|file|blob|about|filesystem|content|intent|view-source|ws|wss|ftp|` +
		`chrome|chrome-extension|moz-extension|resource|jar)([+.-][a-z]*)?$`)
)

// frontOf is the page of a widget; ok is false if the widget has none, or is not ready.
func frontOf(widget *v1alpha1.SmileWinkWidget) (front, bool) {
	page := widget.Spec.Page
	if page == nil || widget.Spec.Suspend || widget.Status.ScriptURL == "" || widget.Status.APIHost == "" {
		return front{}, false
	}
	shown := front{
		ScriptURL: widget.Status.ScriptURL, Texts: texts(page.Messages),
		scriptOrigin: originOf(widget.Status.ScriptURL), apiOrigin: originOf(widget.Status.APIHost),
	}
	if shown.scriptOrigin == "" || shown.apiOrigin == "" {
		return front{}, false
	}
	shown.AllowedOrigins = permitted(page.AllowedOrigins)
	if returnable(page.ReturnURL) {
		shown.ReturnURL = page.ReturnURL
	}
	if origin := originOf(page.LogoURL); strings.HasPrefix(origin, "https://") {
		shown.LogoURL, shown.logoOrigin = page.LogoURL, origin
	}
	if options := widget.Spec.Options; options != nil {
		shown.CompanyName = options.CompanyName
	}
	if colors := page.Colors; colors != nil {
		shown.Primary, shown.Background = colorOf(colors.Primary), colorOf(colors.Background)
	}
	return shown, true
}

func permitted(origins []v1alpha1.Origin) []string {
	valid := []string{}
	for _, origin := range origins {
		if originForm.MatchString(string(origin)) {
			valid = append(valid, string(origin))
		}
	}
	return valid
}

// originOf is the origin of a URL; "" if it has none that may stand in a policy.
func originOf(text string) string {
	parsed, err := url.Parse(text)
	if err != nil || parsed.User != nil || !hostForm.MatchString(parsed.Host) {
		return ""
	}
	if parsed.Scheme != "https" && parsed.Scheme != "http" {
		return ""
	}
	return parsed.Scheme + "://" + parsed.Host
}

// returnable reports whether the page may send a browser to a URL.
func returnable(text string) bool {
	parsed, err := url.Parse(text)
	return err == nil && text != "" && parsed.Scheme+"://" == text[:min(len(text), len(parsed.Scheme)+3)] &&
		parsed.User == nil && parsed.Host != "" && appForm.MatchString(parsed.Scheme) && !notAnApp.MatchString(parsed.Scheme)
}

func colorOf(color v1alpha1.Color) string {
	if !colorForm.MatchString(string(color)) {
		return ""
	}
	return string(color)
}
