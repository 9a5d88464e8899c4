package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/identity"
	"github.com/smile-operator/smile-operator/internal/problem"
)

const (
	// MaxBytes is how many bytes an object may hold. etcd refuses objects above 1.5 MiB, and a Secret is stored with its
	// managed fields and metadata.
	MaxBytes = 900 << 10
	// MaxParts is how many objects an output may have.
	MaxParts = 16
	// PartKey is the key under which a further part names what it belongs to.
	PartKey = "part.json"

	// partBytes is what a part may hold of data; the rest is for index.json or part.json.
	partBytes = MaxBytes - 128<<10
)

// Part names the nth object of an output, the first of which is the target itself.
func (t Target) Part(n int) Target {
	if n > 1 {
		t.Name = fmt.Sprintf("%s-part-%d", t.Name, n)
	}
	return t
}

// indexPart names a further part with data that does not fit into the object with the index.
type indexPart struct {
	Name string   `json:"name"`
	Keys []string `json:"keys"`
}

// partDocument names the index that a part belongs to, by its fingerprint.
type partDocument struct {
	Of          string  `json:"of"`
	Part        int     `json:"part"`
	Fingerprint *string `json:"fingerprint"`
}

// split distributes the documents over as many objects as necessary. An object is filled before the next one is begun. A list
// that does not fit continues under the same key in the next object.
func split(index indexDocument, documents []document, target Target, key identity.Key) (Set, error) {
	pieces, err := pack(documents)
	if err != nil {
		return nil, err
	}
	set := make(Set, len(pieces))
	for i, piece := range pieces {
		set[i] = Content{}
		for _, d := range piece {
			set[i][d.key] = joined(d.items)
		}
		if i > 0 {
			index.Parts = append(index.Parts, indexPart{target.Part(i + 1).Name, slices.Sorted(maps.Keys(set[i]))})
		}
	}
	set, err = sealed(set, index, target, key)
	if err == nil && set[0].size() > MaxBytes {
		return nil, tooLarge()
	}
	return set, err
}

func pack(documents []document) ([][]document, error) {
	const around = len(",\n  ")
	pieces, size := [][]document{nil}, 0
	for _, d := range documents {
		size += len(d.key) + len("[\n  \n]\n")
		piece := document{key: d.key}
		for _, item := range d.items {
			if len(item)+around > partBytes {
				return nil, tooLarge()
			}
			if size+len(item)+around > partBytes {
				pieces[len(pieces)-1] = append(pieces[len(pieces)-1], piece)
				pieces, piece, size = append(pieces, nil), document{key: d.key}, 0
			}
			piece.items = append(piece.items, item)
			size += len(item) + around
		}
		pieces[len(pieces)-1] = append(pieces[len(pieces)-1], piece)
	}
	if len(pieces) > MaxParts {
		return nil, tooLarge()
	}
	return pieces, nil
}

func tooLarge() error {
	return problem.NewInvalid(v1alpha1.ReasonOutputTooLarge, fmt.Sprintf(
		"the data exceeds %d objects of 900 KiB, or an item exceeds one object: select fewer datapoints, or fields of them", MaxParts))
}

// sealed adds index.json, and part.json to further parts, with the fingerprint of everything. Parts belong together if they
// name the same fingerprint.
func sealed(set Set, index indexDocument, target Target, key identity.Key) (Set, error) {
	if len(index.Accounts) > 0 {
		index.Fingerprint = new(string)
	}
	text, err := canonical(index, "")
	if err != nil {
		return nil, err
	}
	set[0][IndexKey] = text
	for i := 1; i < len(set); i++ {
		if set[i][PartKey], err = canonical(partDocument{target.Name, i + 1, new(string)}, ""); err != nil {
			return nil, err
		}
	}
	fingerprint := set.Fingerprint(key)
	for i, content := range set {
		name := sealKey(i)
		content[name] = bytes.Replace(content[name], unsealed(""), unsealed(fingerprint), 1)
	}
	return set, nil
}

// sealKey is the key that holds the fingerprint in the object at an index.
func sealKey(i int) string {
	if i == 0 {
		return IndexKey
	}
	return PartKey
}

func unsealed(fingerprint string) []byte { return []byte(`"fingerprint": "` + fingerprint + `"`) }

// Fingerprint is a keyed digest of the content. It leaves out the places where the content contains the fingerprint itself.
func (s Set) Fingerprint(key identity.Key) string {
	var parts [][]byte
	for i, content := range s {
		for _, name := range slices.Sorted(maps.Keys(content)) {
			value := content[name]
			if name == sealKey(i) {
				value = withoutSeal(value)
			}
			parts = append(parts, []byte(name), value)
		}
	}
	return key.Fingerprint("output", parts...)
}

func withoutSeal(text []byte) []byte {
	var seal struct {
		Fingerprint string `json:"fingerprint"`
	}
	if json.Unmarshal(text, &seal) != nil || seal.Fingerprint == "" {
		return text
	}
	return bytes.Replace(text, unsealed(seal.Fingerprint), unsealed(""), 1)
}

// Sealed reports whether the content is complete and unchanged: it has this fingerprint.
func (s Set) Sealed(key identity.Key, fingerprint string) bool {
	if len(s) == 0 || fingerprint == "" || s.Fingerprint(key) != fingerprint {
		return false
	}
	for i, content := range s {
		if i > 0 && !bytes.Contains(content[PartKey], unsealed(fingerprint)) {
			return false
		}
	}
	var index indexDocument
	if json.Unmarshal(s[0][IndexKey], &index) != nil {
		return false
	}
	return len(index.Accounts) == 0 || index.Fingerprint != nil && *index.Fingerprint == fingerprint
}

// PartsOf is how many objects an output has, according to its first object.
func PartsOf(first Content) int {
	var index indexDocument
	if json.Unmarshal(first[IndexKey], &index) != nil {
		return 1
	}
	return min(1+len(index.Parts), MaxParts)
}
