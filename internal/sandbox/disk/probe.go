package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// lockTimeout is how long another process may take to close the file.
const lockTimeout = time.Second

// ErrDamaged is wrapped by the error about a file that cannot be read.
var ErrDamaged = errors.New("the file is damaged")

// Damaged is the error about the data at a path whose contents are wrong.
func Damaged(path string, err error) error {
	return fmt.Errorf("%s: %w (%w): restore it from a copy, or delete it to start with empty state", path, ErrDamaged, err)
}

// explain says what an error of the database means and what to do.
func explain(path string, err error) error {
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("%s is in use by another process: stop that process, or choose another directory with --data", path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: choose a directory with --data that this user can write to", err)
	default:
		return Damaged(path, err)
	}
}

// probe reads the whole file once. The database panics on a damaged page, and
// partly in goroutines of its own, so the file must not be opened for writing
// before.
func probe(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	db, err := open(path, &bbolt.Options{Timeout: lockTimeout, ReadOnly: true})
	if err != nil {
		return err
	}
	if err := calmly(func() error { return readAll(db) }); err != nil {
		// A panic may have left a lock, so the database is not closed.
		return Damaged(path, err)
	}
	return db.Close()
}

// open opens the database.
func open(path string, options *bbolt.Options) (db *bbolt.DB, err error) {
	err = calmly(func() error {
		db, err = bbolt.Open(path, 0o600, options)
		return err
	})
	if err != nil {
		return nil, explain(path, err)
	}
	return db, nil
}

// calmly turns panics of a function into errors. A page outside of the file is a
// fault of memory, which becomes a panic here.
func calmly(how func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if problem := recover(); problem != nil {
			err = fmt.Errorf("%v", problem)
		}
	}()
	return how()
}

// readAll visits every page in use.
func readAll(db *bbolt.DB) error {
	return db.View(func(tx *bbolt.Tx) error {
		last := byte(0)
		return tx.ForEach(func(_ []byte, bucket *bbolt.Bucket) error {
			return bucket.ForEach(func(_, value []byte) error {
				if len(value) > 0 {
					last ^= value[len(value)-1] // a value may span pages
				}
				return nil
			})
		})
	})
}
