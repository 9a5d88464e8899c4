package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

// Request is one request to the API server, as its audit log tells it.
type Request struct {
	// User who made it.
	User string
	// Verb in Kubernetes' sense: get, list, watch, create, update, patch, delete, deletecollection.
	Verb string
	// Group of the resource; "" is the core group.
	Group string
	// Resource with its subresource, as in smileusers/status; "" for paths that are no resources.
	Resource string
	// Namespace and Name of the object; "" where there is none.
	Namespace, Name string
	// Code is the HTTP status of the answer.
	Code int
	// Forbidden tells that authorization refused it, which is not the only reason for a 403.
	Forbidden bool
	// At is when it came, and Done when the answer was complete.
	At, Done time.Time
}

// Writes tells whether the request changes something, if it succeeds.
func (r Request) Writes() bool {
	return slices.Contains([]string{"create", "update", "patch", "delete", "deletecollection"}, r.Verb)
}

func (r Request) String() string {
	return fmt.Sprintf("%s %s %s %s/%s: %d", r.At.Format(time.TimeOnly), r.Verb, r.Resource, r.Namespace, r.Name, r.Code)
}

type auditLine struct {
	Verb string `json:"verb"`
	User struct {
		Username string `json:"username"`
	} `json:"user"`
	ObjectRef struct {
		APIGroup    string `json:"apiGroup"`
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
	} `json:"objectRef"`
	ResponseStatus struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
	RequestReceivedTimestamp time.Time         `json:"requestReceivedTimestamp"`
	StageTimestamp           time.Time         `json:"stageTimestamp"`
	Annotations              map[string]string `json:"annotations"`
}

func (l auditLine) request() Request {
	resource := l.ObjectRef.Resource
	if l.ObjectRef.Subresource != "" {
		resource += "/" + l.ObjectRef.Subresource
	}
	return Request{
		User: l.User.Username, Verb: l.Verb, Group: l.ObjectRef.APIGroup, Resource: resource,
		Namespace: l.ObjectRef.Namespace, Name: l.ObjectRef.Name, Code: l.ResponseStatus.Code,
		Forbidden: l.Annotations["authorization.k8s.io/decision"] == "forbid", At: l.RequestReceivedTimestamp,
		Done: l.StageTimestamp,
	}
}

// Audit is the audit log of an API server: JSON, one event a line.
type Audit struct{ Path string }

// End is the place behind all that the log holds now.
func (a Audit) End() (int64, error) {
	info, err := os.Stat(a.Path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// After reads the requests behind a place; 0 is the start. A watch is told twice, when it begins and when it ends.
// A last line that is still being written is left out.
func (a Audit) After(place int64) ([]Request, error) {
	file, err := os.Open(a.Path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if _, err := file.Seek(place, io.SeekStart); err != nil {
		return nil, err
	}
	return readAudit(file)
}

func readAudit(log io.Reader) ([]Request, error) {
	var requests []Request
	for lines := bufio.NewReader(log); ; {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return requests, nil
		}
		if err != nil {
			return nil, err
		}
		var event auditLine
		if err := json.Unmarshal(bytes.TrimSpace(line), &event); err != nil {
			return nil, fmt.Errorf("a line of the audit log: %w", err)
		}
		requests = append(requests, event.request())
	}
}
