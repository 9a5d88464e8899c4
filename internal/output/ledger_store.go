package output

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/problem"
)

// ErasureLedger is the prefix of the names of the ledger's ConfigMaps: <prefix>-0 is the head, -1 the first shard.
const ErasureLedger = "smile-operator-erasures"

// ledgerRetries is how many write conflicts an append tolerates before failing.
const ledgerRetries = 50

// ledgerRetry is when an incomplete ledger is read again.
const ledgerRetry = time.Minute

// ledgerStore is the ledger as it is in the cluster. Only the last shard is appended to. It is used by one goroutine
// at a time. Each write names the resourceVersion that was read, so that what another process wrote is never lost.
type ledgerStore struct {
	live      client.Client
	namespace string

	loaded bool
	span   span
	head   *corev1.ConfigMap // nil when it does not exist
	tail   *corev1.ConfigMap // the last shard; nil when there is none
	// content of the tail as this process last saw it; an older copy may have been restored meanwhile.
	content shard
	// newest day of each shard.
	newest map[int]day
	// swept is the day on which expired shards were removed last.
	swept day
}

// load reads the whole ledger and reports each entry. A missing shard is an error.
func (s *ledgerStore) load(ctx context.Context, found func(shard)) error {
	if s.loaded {
		return nil
	}
	s.newest, s.content = map[int]day{}, shard{}
	if err := s.readHead(ctx); err != nil {
		return err
	}
	if err := s.readShards(ctx, s.span.first, found); err != nil {
		return err
	}
	s.loaded = true
	return nil
}

// refresh reads what another process may have written. It returns the entries that the last shard has lost because an older
// copy of it was restored.
func (s *ledgerStore) refresh(ctx context.Context, found func(shard)) (lost shard, err error) {
	remembered, number := s.content, s.span.last
	if err := s.readHead(ctx); err != nil {
		return nil, err
	}
	s.content = shard{}
	if err := s.readShards(ctx, max(number, s.span.first), func(content shard) {
		remembered = remembered.without(content)
		found(content)
	}); err != nil {
		s.content = remembered
		return nil, err
	}
	return remembered, nil
}

// readHead reads which shards exist. Without a head, it takes those that this process has seen.
func (s *ledgerStore) readHead(ctx context.Context) error {
	stored, err := s.read(ctx, 0)
	if err != nil {
		return err
	}
	s.head = stored
	if stored == nil {
		s.span.first = max(1, s.span.first)
		return nil
	}
	read, err := parseSpan(stored)
	if err != nil {
		return err
	}
	s.span = span{max(s.span.first, read.first), max(s.span.last, read.last)}
	return nil
}

// readShards reads the shards, starting at a number. One shard beyond the head's range may exist, because a shard is created
// before the head names it.
func (s *ledgerStore) readShards(ctx context.Context, from int, found func(shard)) error {
	s.tail = nil
	for n := from; ; n++ {
		stored, err := s.read(ctx, n)
		switch {
		case err != nil:
			return err
		case stored == nil && (n < s.span.last || n == s.span.last && !s.loaded):
			return incomplete(shardName(n), errMissing)
		case stored == nil:
			return nil
		case s.head == nil && !s.loaded:
			return incomplete(shardName(0), errMissing)
		}
		content, err := parseShard(stored)
		if err != nil {
			return err
		}
		s.tail, s.content, s.newest[n] = stored, content, content.last()
		s.span.last = max(s.span.last, n)
		found(content)
	}
}

// append writes entries and returns once all are stored.
func (s *ledgerStore) append(ctx context.Context, entries shard, limit day, found func(shard)) error {
	rest := entries
	for retries := 0; len(rest) > 0; {
		remaining, err := s.appendOnce(ctx, rest, limit)
		if err == nil {
			rest = remaining
			continue
		}
		retries++
		if !raced(err) || retries == ledgerRetries {
			return fmt.Errorf("writing the erasure ledger: %w", err)
		}
		lost, err := s.refresh(ctx, found)
		if err != nil {
			return fmt.Errorf("reading the erasure ledger: %w", err)
		}
		lost.dropBefore(limit)
		rest = lost.plus(rest)
	}
	return nil
}

// raced reports whether an error means that the ledger is not as it was read.
func raced(err error) bool {
	return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err)
}

// appendOnce makes one write of entries, to the last shard or to a new one, and returns those that did not fit.
func (s *ledgerStore) appendOnce(ctx context.Context, entries shard, limit day) (rest shard, err error) {
	if s.head == nil {
		if err := s.writeHead(ctx, s.span); err != nil {
			return nil, err
		}
	}
	content := s.content.clone()
	content.dropBefore(limit)
	rest = content.take(entries)
	if s.tail != nil && rest.count() < entries.count() {
		tail := s.tail.DeepCopy()
		tail.Data = content.data()
		if err := s.write(ctx, tail); err != nil {
			return nil, err
		}
		s.tail, s.content, s.newest[s.span.last] = tail, content, content.last()
		return rest, nil
	}
	return s.rotate(ctx, entries)
}

// rotate begins a new shard.
func (s *ledgerStore) rotate(ctx context.Context, entries shard) (rest shard, err error) {
	n, content := s.span.last+1, shard{}
	if s.tail == nil && s.span.last >= s.span.first {
		n, content = s.span.last, s.content // it was deleted
	}
	rest = content.take(entries)
	tail := s.object(n, content.data())
	if err := s.write(ctx, tail); err != nil {
		return nil, err
	}
	s.tail, s.content, s.newest[n] = tail, content, content.last()
	return rest, s.writeHead(ctx, span{s.span.first, n})
}

func (s *ledgerStore) writeHead(ctx context.Context, span span) error {
	head := s.object(0, span.data())
	if s.head != nil {
		head = s.head.DeepCopy()
		head.Data = span.data()
	}
	if err := s.write(ctx, head); err != nil {
		return err
	}
	s.head, s.span = head, span
	return nil
}

// expire removes the shards whose entries are all older than a limit, once a day. The head is written first: a shard
// that it does not name is deleted later.
func (s *ledgerStore) expire(ctx context.Context, limit day) error {
	if s.swept == limit {
		return nil
	}
	for {
		if s.span.first > 1 {
			former := s.object(s.span.first-1, nil)
			if err := client.IgnoreNotFound(s.live.Delete(ctx, former)); err != nil {
				return err
			}
		}
		if s.span.first >= s.span.last || s.newest[s.span.first] >= limit {
			s.swept = limit
			return nil
		}
		delete(s.newest, s.span.first)
		if err := s.writeHead(ctx, span{s.span.first + 1, s.span.last}); err != nil {
			return err
		}
	}
}

func (s *ledgerStore) write(ctx context.Context, obj *corev1.ConfigMap) error {
	if obj.Labels == nil {
		obj.Labels = map[string]string{}
	}
	obj.Labels[v1alpha1.LabelErasureLedger] = "true"
	if obj.ResourceVersion == "" {
		return s.live.Create(ctx, obj)
	}
	return s.live.Update(ctx, obj)
}

// read returns a ConfigMap of the ledger; nil if it does not exist.
func (s *ledgerStore) read(ctx context.Context, n int) (*corev1.ConfigMap, error) {
	stored := s.object(n, nil)
	err := s.live.Get(ctx, client.ObjectKeyFromObject(stored), stored)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("ConfigMap %s/%s of the erasure ledger: %w", s.namespace, stored.Name, err)
	}
	return stored, nil
}

func (s *ledgerStore) object(n int, data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: shardName(n)}, Data: data}
}

func shardName(n int) string { return fmt.Sprintf("%s-%d", ErasureLedger, n) }

var errMissing = errors.New("it does not exist")

// incomplete is the problem of a ledger with a ConfigMap that is missing or cannot be read: only a restore helps.
func incomplete(name string, cause error) error {
	return problem.NewNotReady(v1alpha1.ReasonErasureLedgerIncomplete, fmt.Sprintf(
		"the ConfigMap %q of the erasure ledger, in the operator's namespace, is missing or damaged: restore it from its newest copy; "+
			"until then no data is erased because consent has ended, and none is taken back", name)).After(ledgerRetry).Because(cause)
}
