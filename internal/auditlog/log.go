package auditlog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// Stdout is the destination that means standard output instead of a file.
const Stdout = "stdout"

// complaintInterval is the time between two log lines about records that could not be written.
const complaintInterval = time.Minute

var records = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "smile_operator_audit_records_total",
	Help: "Records of the audit log, by whether they were written.",
}, []string{"written"})

func init() {
	metrics.Registry.MustRegister(records)
	for _, written := range []string{"true", "false"} {
		records.WithLabelValues(written)
	}
}

// Log writes records. It is safe for concurrent use.
type Log struct {
	clock  clock.PassiveClock
	logger logr.Logger

	mu  sync.Mutex
	out io.Writer
	// torn is true after a write that may have left part of a line.
	torn       bool
	complained time.Time
}

// New makes a log that writes to out. The logger gets the failures of the log itself.
func New(out io.Writer, clock clock.PassiveClock, logger logr.Logger) *Log {
	return &Log{out: out, clock: clock, logger: logger}
}

// Open opens a destination: Stdout, which is also the default, or the path of a file, which is appended to and created
// with mode 0600.
func Open(destination string) (io.Writer, error) {
	if destination == Stdout || destination == "" {
		return os.Stdout, nil
	}
	return os.OpenFile(destination, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
}

// Write sets the record's time and writes it as one line before it returns. A failure is counted and logged, and not returned,
// because the operation itself must continue.
func (l *Log) Write(record Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	record.Time = l.clock.Now().UTC()
	err := l.append(record)
	records.WithLabelValues(fmt.Sprint(err == nil)).Inc()
	if err != nil && (l.complained.IsZero() || record.Time.Sub(l.complained) >= complaintInterval) {
		l.complained = record.Time
		l.logger.Error(err, "a record of the audit log could not be written; smile_operator_audit_records_total counts all of them")
	}
}

func (l *Log) append(record Record) error {
	var line bytes.Buffer
	if l.torn {
		line.WriteByte('\n')
	}
	encoder := json.NewEncoder(&line) // ends with a newline
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(record); err != nil {
		return err
	}
	n, err := l.out.Write(line.Bytes())
	l.torn = n > 0 && n < line.Len() || l.torn && n == 0
	if err == nil && n < line.Len() {
		return io.ErrShortWrite
	}
	return withoutPath(err)
}

// withoutPath reduces an error of a file to its cause: the flag names the path already.
func withoutPath(err error) error {
	var failed *os.PathError
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}
