package server

import (
	"cmp"
	"crypto/rand"
	"errors"
	"strconv"

	"github.com/smile-operator/smile-operator/internal/sandbox/disk"
)

// Keys of the meta bucket.
const (
	metaSeed    = "seed"
	metaStarts  = "starts"
	metaSkipped = "skipped"
)

// countStart counts the starts of the sandbox, and sets the seed in the options
// to the stored one. It fails if they differ.
func countStart(d *disk.Disk, options *Options) (start string, err error) {
	var seed string
	var starts int
	if err := errors.Join(d.Meta(metaSeed, &seed), d.Meta(metaStarts, &starts)); err != nil {
		return "", err
	}
	if seed != "" && options.Seed != "" && seed != options.Seed {
		return "", errors.New("the data was created with another seed")
	}
	options.Seed = cmp.Or(seed, options.Seed, rand.Text())
	starts++
	err = errors.Join(d.SetMeta(metaSeed, options.Seed), d.SetMeta(metaStarts, starts))
	return "#" + strconv.Itoa(starts), err
}

// openData opens the data directory if the options name one, and sets the seed
// in the options to the stored one. start differs at each start of the process.
func openData(options *Options) (kept *disk.Disk, start string, err error) {
	if options.Data == "" {
		return nil, "", nil
	}
	kept, err = disk.Open(options.Data)
	if err != nil {
		return nil, "", err
	}
	start, err = countStart(kept, options)
	if err != nil {
		kept.Close()
		return nil, "", err
	}
	return kept, start, nil
}
