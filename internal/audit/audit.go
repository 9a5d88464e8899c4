// Package audit reads the audit log of a kube-apiserver. Tests and the bench use it to count the requests of the operator
// without asking the operator.
package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// policy records every request once, when its response is complete, without bodies.
const policy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata}]
`

// maxMegabytes is more than any test writes. A log that is rotated would lose requests.
const maxMegabytes = 4096

// Log is the audit log of one kube-apiserver: one JSON object per line.
type Log struct {
	// Path of the log.
	Path   string
	policy string
}

// Create prepares a log in a directory, and removes the log of an earlier run there.
func Create(dir string) (Log, error) {
	log := Log{Path: filepath.Join(dir, "audit.log"), policy: filepath.Join(dir, "audit-policy.yaml")}
	if err := os.Remove(log.Path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return log, err
	}
	return log, os.WriteFile(log.policy, []byte(policy), 0o600)
}

// Flags returns the flags that make a kube-apiserver write the log.
func (l Log) Flags() []string {
	return []string{
		"--audit-policy-file=" + l.policy, "--audit-log-path=" + l.Path, fmt.Sprintf("--audit-log-maxsize=%d", maxMegabytes),
	}
}

// End returns the current length of the log in bytes; 0 if it does not exist yet.
func (l Log) End() (int64, error) {
	info, err := os.Stat(l.Path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// After returns the requests that are logged after an offset in bytes, which 0 or End gave. A watch is logged twice: when it
// begins and when it ends. An incomplete last line is omitted.
func (l Log) After(offset int64) ([]Request, error) {
	return l.readFrom(offset, func([]byte) bool { return true })
}

// readFrom reads the lines after an offset that a filter accepts.
func (l Log) readFrom(offset int64, accepts func(line []byte) bool) ([]Request, error) {
	file, err := os.Open(l.Path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if _, err := file.Seek(offset, io.SeekStart); err != nil {
		return nil, err
	}
	return read(file, accepts)
}

// Of is After for the requests of one user in one namespace; "" stands for all requests of the user. It is faster than After: the
// lines of other requests are not decoded.
func (l Log) Of(user, namespace string, offset int64) ([]Request, error) {
	requests, err := l.readFrom(offset, func(line []byte) bool {
		return bytes.Contains(line, []byte(user)) && bytes.Contains(line, []byte(namespace))
	})
	return slices.DeleteFunc(requests, func(r Request) bool {
		return r.User != user || namespace != "" && r.Namespace != namespace
	}), err
}

// Request is one logged request.
type Request struct {
	// User that made it.
	User string
	// Verb in Kubernetes' sense: get, list, watch, create, update, patch, delete, deletecollection.
	Verb string
	// Group of the resource; "" is the core group.
	Group string
	// Resource with its subresource, as in smileusers/status; "" for paths that are not resources.
	Resource string
	// Namespace and Name of the object; "" if there is none.
	Namespace, Name string
	// Code is the HTTP status of the response.
	Code int
	// Forbidden is true if authorization refused the request. A 403 can also have other causes.
	Forbidden bool
	// At is when the request was received, and Done when the response was complete.
	At, Done time.Time
}

// Writes reports whether the request changes something if it succeeds.
func (r Request) Writes() bool {
	return slices.Contains([]string{"create", "update", "patch", "delete", "deletecollection"}, r.Verb)
}

func (r Request) String() string {
	return fmt.Sprintf("%s %s %s %s/%s: %d", r.At.Format(time.TimeOnly), r.Verb, r.Resource, r.Namespace, r.Name, r.Code)
}

type logLine struct {
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

func (l logLine) request() Request {
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

func read(log io.Reader, wanted func(line []byte) bool) ([]Request, error) {
	var requests []Request
	for lines := bufio.NewReader(log); ; {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return requests, nil
		}
		if err != nil {
			return nil, err
		}
		if !wanted(line) {
			continue
		}
		var logged logLine
		if err := json.Unmarshal(bytes.TrimSpace(line), &logged); err != nil {
			return nil, fmt.Errorf("a line of the audit log: %w", err)
		}
		requests = append(requests, logged.request())
	}
}
