package controlplane

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	temporaryPrefix = "smile-control-plane-"
	// abandonedAfter protects a directory that is just being created from sweep.
	abandonedAfter = time.Minute
)

// directory is the directory of one control plane. It is locked while its owner runs. The kernel releases the lock when the owner
// ends, for whatever reason.
type directory struct {
	path      string
	lock      *os.File
	temporary bool
}

// openDirectory opens the directory at path, or a new temporary one if path is empty. It fails if another control plane uses it.
func openDirectory(path string) (*directory, error) {
	d := &directory{path: path, temporary: path == ""}
	var err error
	if d.temporary {
		sweep(os.TempDir(), time.Now().Add(-abandonedAfter))
		d.path, err = os.MkdirTemp("", temporaryPrefix)
	} else if d.path, err = filepath.Abs(path); err == nil {
		err = os.MkdirAll(d.path, 0o700)
	}
	if err != nil {
		return nil, err
	}
	if d.lock, err = lock(d.path); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *directory) close() error {
	err := d.lock.Close()
	if d.temporary {
		err = errors.Join(err, os.RemoveAll(d.path))
	}
	return err
}

// lock fails at once if the directory is locked.
func lock(path string) (*os.File, error) {
	dir, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(&os.PathError{Op: "lock", Path: path, Err: err}, dir.Close())
	}
	return dir, nil
}

// sweep removes the temporary directories in temp that have not changed since before and whose owner was killed.
func sweep(temp string, before time.Time) {
	paths, err := filepath.Glob(filepath.Join(temp, temporaryPrefix+"*"))
	if err != nil {
		return
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil || info.ModTime().After(before) {
			continue
		}
		held, err := lock(path)
		if err != nil {
			continue
		}
		_ = os.RemoveAll(path)
		_ = held.Close()
	}
}
