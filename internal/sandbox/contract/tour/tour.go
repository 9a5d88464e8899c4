// Package tour calls every operation of a sandbox, and checks each call and
// each response against a description.
package tour

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/smile-operator/smile-operator/internal/sandbox/contract"
	"github.com/smile-operator/smile-operator/internal/sandbox/server"
)

const base = "/v1"

// ErrNothingShared is returned if the description has no operation of the
// sandbox, for example because the path of its first server is not /v1.
var ErrNothingShared = errors.New(
	"the description shares no operation with the sandbox; the path of its first server should be " + base)

// tour is the state of a tour.
type tour struct {
	box      *server.Sandbox
	document *contract.Document
	report   *contract.Report
	emulated map[string]server.Operation // by id
	memory   map[string]string           // what steps store for later ones
}

// Run starts a sandbox without a network, and calls every emulated operation of
// the Open API: with success, so that every kind of data occurs, and with every
// kind of error. The report is about the operations that the description also
// has.
func Run(document *contract.Document) (*contract.Report, error) {
	if len(Shared(document)) == 0 {
		return nil, ErrNothingShared
	}
	t, err := newTour(document, server.Options{LinkDelay: linkDelay, DataDelay: dataDelay})
	if err != nil {
		return nil, err
	}
	defer t.box.Close()
	if err := t.drive(); err != nil {
		return nil, err
	}
	t.report.Close()
	return t.report, nil
}

// newTour prepares a tour of a new sandbox. The caller must close the sandbox.
func newTour(document *contract.Document, options server.Options) (*tour, error) {
	box, err := server.New(options)
	if err != nil {
		return nil, err
	}
	t := &tour{
		box: box, document: document, report: contract.NewReport(Shared(document)),
		emulated: map[string]server.Operation{}, memory: map[string]string{},
	}
	for _, o := range server.Emulated() {
		t.emulated[o.ID] = o
	}
	return t, nil
}

func (t *tour) drive() error {
	if err := t.takeAll(story); err != nil {
		return err
	}
	for _, o := range server.Emulated() {
		t.browse(o)
	}
	for _, o := range server.Emulated() {
		if err := t.provoke(o); err != nil {
			return err
		}
	}
	return t.takeAll(cleanup)
}

// Shared lists the operations of the description that the sandbox emulates.
func Shared(document *contract.Document) []contract.Operation {
	emulated := map[string]bool{}
	for _, o := range server.Emulated() {
		emulated[contract.Operation{Method: o.Method, Path: base + o.Path}.Key()] = true
	}
	var shared []contract.Operation
	for _, o := range document.Operations() {
		if emulated[o.Key()] {
			shared = append(shared, o)
		}
	}
	return shared
}

// take does a step. It skips a step that needs an operation which is not
// emulated, or a value that a skipped step would have stored.
func (t *tour) take(s step) error {
	if s.do != nil {
		if err := s.do(t); err != nil {
			return fmt.Errorf("%s: %w", s.op, err)
		}
		return nil
	}
	o, ok := t.emulated[s.op]
	path := pathOf(o, s.id)
	if s.query != "" {
		path += "?" + s.query
	}
	path, body := t.recall(path), t.recall(s.body)
	if !ok || hasGap(path) || hasGap(body) {
		return nil
	}
	a := t.call(o.Method, path, body, s.edit)
	t.expect(a, s.want)
	if s.edit == nil && s.want == 0 {
		t.omitEach(o, path, body, a)
	}
	for name, pointer := range s.keep {
		if value := a.text(pointer); value != "" {
			t.keep(name, value)
		}
	}
	return nil
}

// expect counts a violation if the status is not the wanted one; 0 means any
// success.
func (t *tour) expect(a answer, want int) {
	met := a.status == want
	if want == 0 {
		met = a.status < http.StatusMultipleChoices
	}
	if met || a.operation == (contract.Operation{}) {
		return
	}
	wanted := "success"
	if want != 0 {
		wanted = fmt.Sprint(want)
	}
	t.report.Blame(a.operation, fmt.Sprintf("%s %s: response %d %s, expected %s", a.method, a.path, a.status, a.message(), wanted))
}

func (t *tour) keep(name, value string) { t.memory["<"+name+">"] = value }

// recall inserts the values that earlier steps stored.
func (t *tour) recall(text string) string {
	for name, value := range t.memory {
		text = strings.ReplaceAll(text, name, value)
	}
	return text
}

// hasGap reports whether a value is missing.
func hasGap(text string) bool { return strings.Contains(text, "<") }

// pathOf inserts an id into the path of an operation.
func pathOf(o server.Operation, id string) string {
	segments := strings.Split(o.Path, "/")
	for i, segment := range segments {
		if strings.HasPrefix(segment, "{") {
			segments[i] = id
		}
	}
	return base + strings.Join(segments, "/")
}
