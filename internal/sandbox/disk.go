package sandbox

import (
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// dataFile is the name of the file in the data directory.
const dataFile = "smile-sandbox.db"

// Buckets of the file: the objects of all tenants, and what is about the
// sandbox itself.
var (
	stateBucket = []byte("state")
	metaBucket  = []byte("meta")
)

// Keys of the meta bucket.
const (
	metaSeed    = "seed"
	metaStarts  = "starts"
	metaSkipped = "skipped"
)

// disk keeps the state in a file. Changes gather in memory until somebody is
// about to be answered; then all that have gathered are written at once, and
// calls that come meanwhile share the next write. A nil disk keeps nothing.
type disk struct {
	db *bbolt.DB

	writing sync.Mutex
	mu      sync.Mutex
	pending map[string][]byte // nil is a deletion
	dirty   atomic.Bool       // whether something is pending or being written
}

// openDisk opens or makes the file. Only one process can have it.
func openDisk(dir string) (*disk, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, dataFile)
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, first := tx.CreateBucketIfNotExists(stateBucket)
		_, second := tx.CreateBucketIfNotExists(metaBucket)
		return errors.Join(first, second)
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &disk{db: db, pending: map[string][]byte{}}, nil
}

// placeOnDisk is the key of an object: those of a tenant and a kind lie together, in
// their order.
func placeOnDisk(tenant, kind string, ordinal int) string {
	return prefixOnDisk(tenant, kind) + string(binary.BigEndian.AppendUint64(nil, uint64(ordinal)))
}

func prefixOnDisk(tenant, kind string) string { return kind + "\x00" + tenant + "\x00" }

// put has an object kept; a nil value has it forgotten.
func (d *disk) put(key string, value []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pending[key] = value
	d.dirty.Store(true)
}

// flush returns when everything that was put before is in the file.
func (d *disk) flush() error {
	if d == nil || !d.dirty.Load() {
		return nil
	}
	d.writing.Lock()
	defer d.writing.Unlock()
	d.mu.Lock()
	batch := d.pending
	d.pending = map[string][]byte{}
	d.mu.Unlock()
	if len(batch) == 0 {
		return nil
	}
	err := d.write(batch)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		maps.Copy(batch, d.pending)
		d.pending = batch
	}
	d.dirty.Store(len(d.pending) > 0)
	return err
}

func (d *disk) write(batch map[string][]byte) error {
	return d.db.Update(func(tx *bbolt.Tx) error {
		state := tx.Bucket(stateBucket)
		for _, key := range slices.Sorted(maps.Keys(batch)) {
			if batch[key] == nil {
				if err := state.Delete([]byte(key)); err != nil {
					return err
				}
				continue
			}
			if err := state.Put([]byte(key), batch[key]); err != nil {
				return err
			}
		}
		return nil
	})
}

// reset forgets all objects.
func (d *disk) reset() error {
	if d == nil {
		return nil
	}
	d.writing.Lock()
	defer d.writing.Unlock()
	d.mu.Lock()
	d.pending = map[string][]byte{}
	d.dirty.Store(false)
	d.mu.Unlock()
	return d.db.Update(func(tx *bbolt.Tx) error {
		if err := tx.DeleteBucket(stateBucket); err != nil {
			return err
		}
		_, err := tx.CreateBucket(stateBucket)
		return err
	})
}

// each reads the objects of a tenant and a kind in their order.
func (d *disk) each(tenant, kind string, read func(value []byte) error) error {
	prefix := prefixOnDisk(tenant, kind)
	return d.db.View(func(tx *bbolt.Tx) error {
		cursor := tx.Bucket(stateBucket).Cursor()
		for key, value := cursor.Seek([]byte(prefix)); key != nil && len(key) >= len(prefix) && string(key[:len(prefix)]) == prefix; key, value = cursor.Next() {
			if err := read(value); err != nil {
				return fmt.Errorf("%s %x: %w", kind, key[len(prefix):], err)
			}
		}
		return nil
	})
}

// meta reads a value about the sandbox; one that is not there stays as it is.
func (d *disk) meta(name string, into any) error {
	return d.db.View(func(tx *bbolt.Tx) error {
		value := tx.Bucket(metaBucket).Get([]byte(name))
		if value == nil {
			return nil
		}
		return json.Unmarshal(value, into)
	})
}

// setMeta writes a value about the sandbox at once.
func (d *disk) setMeta(name string, value any) error {
	if d == nil {
		return nil
	}
	return d.db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket(metaBucket).Put([]byte(name), wire.Encode(value))
	})
}

func (d *disk) close() {
	if d == nil {
		return
	}
	_ = d.flush()
	_ = d.db.Close()
}

// begin counts a start of the sandbox and settles on the seed.
func (d *disk) begin(options *Options) (start string, err error) {
	var seed string
	var starts int
	if err := errors.Join(d.meta(metaSeed, &seed), d.meta(metaStarts, &starts)); err != nil {
		return "", err
	}
	if seed != "" && options.Seed != "" && seed != options.Seed {
		return "", errors.New("the data was made with another seed")
	}
	options.Seed = cmp.Or(seed, options.Seed, rand.Text())
	starts++
	err = errors.Join(d.setMeta(metaSeed, options.Seed), d.setMeta(metaStarts, starts))
	return "#" + strconv.Itoa(starts), err
}
