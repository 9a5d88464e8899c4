// Package disk keeps the sandbox's state in a file that survives a kill.
package disk

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"go.etcd.io/bbolt"

	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// dataFile is the name of the file in the data directory.
const dataFile = "smile-sandbox.db"

// Buckets of the file: the objects of all tenants, and values about the sandbox
// itself.
var (
	stateBucket = []byte("state")
	metaBucket  = []byte("meta")
)

// Disk keeps objects in a file. Changes are collected in memory until Flush writes
// them in one transaction. Calls of Flush during a write share the next one. A nil
// Disk keeps nothing.
type Disk struct {
	db *bbolt.DB

	writing sync.Mutex
	mu      sync.Mutex
	pending map[string][]byte // nil is a deletion
	dirty   atomic.Bool       // something is pending or being written
}

// Open opens the file in a directory, or creates it. Only one process at a time can
// have it open.
func Open(dir string) (*Disk, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, dataFile)
	if err := probe(path); err != nil {
		return nil, err
	}
	db, err := open(path, &bbolt.Options{
		Timeout: lockTimeout, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType,
	})
	if err != nil {
		return nil, err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, first := tx.CreateBucketIfNotExists(stateBucket)
		_, second := tx.CreateBucketIfNotExists(metaBucket)
		return errors.Join(first, second)
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &Disk{db: db, pending: map[string][]byte{}}, nil
}

// Key is the key of an object. The objects of a tenant and a kind are adjacent, in
// the order of their ordinals.
func Key(tenant, kind string, ordinal int) string {
	return prefix(tenant, kind) + string(binary.BigEndian.AppendUint64(nil, uint64(ordinal)))
}

func prefix(tenant, kind string) string { return kind + "\x00" + tenant + "\x00" }

// Put sets the value of an object; nil deletes it. Flush writes it.
func (d *Disk) Put(key string, value []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pending[key] = value
	d.dirty.Store(true)
}

// Flush returns when everything that was put before is in the file.
func (d *Disk) Flush() error {
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

func (d *Disk) write(batch map[string][]byte) error {
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

// Reset deletes all objects. Values about the sandbox stay.
func (d *Disk) Reset() error {
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

// Each calls read with the objects of a tenant and a kind in their order.
func (d *Disk) Each(tenant, kind string, read func(value []byte) error) error {
	start := []byte(prefix(tenant, kind))
	return d.db.View(func(tx *bbolt.Tx) error {
		cursor := tx.Bucket(stateBucket).Cursor()
		for key, value := cursor.Seek(start); bytes.HasPrefix(key, start); key, value = cursor.Next() {
			if err := read(value); err != nil {
				return fmt.Errorf("%s %x: %w", kind, key[len(start):], err)
			}
		}
		return nil
	})
}

// Meta reads a value about the sandbox. If there is none, into stays unchanged.
func (d *Disk) Meta(name string, into any) error {
	return d.db.View(func(tx *bbolt.Tx) error {
		value := tx.Bucket(metaBucket).Get([]byte(name))
		if value == nil {
			return nil
		}
		return json.Unmarshal(value, into)
	})
}

// SetMeta writes a value about the sandbox at once.
func (d *Disk) SetMeta(name string, value any) error {
	if d == nil {
		return nil
	}
	return d.db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket(metaBucket).Put([]byte(name), wire.Encode(value))
	})
}

// Close writes what is pending and closes the file.
func (d *Disk) Close() {
	if d == nil {
		return
	}
	_ = d.Flush()
	_ = d.db.Close()
}

// Abandon closes the file without writing what is pending, as a kill does. Only
// tests use it.
func (d *Disk) Abandon() error {
	d.writing.Lock()
	defer d.writing.Unlock()
	return d.db.Close()
}
