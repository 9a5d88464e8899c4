// Package identity has the marker that a remote user carries, the digest of a person's business key, by which a re-created object
// finds its user again, and fingerprints of values that must not be shown.
//
// Digests and fingerprints are keyed with the installation's identity key: without that key, they reveal nothing.
package identity

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// KeySize is the length of an identity key in bytes.
const KeySize = 32

// Key is an installation's identity key. Clusters that must recognize the same users share one.
type Key struct {
	// A function, because fmt prints unexported fields without calling their methods: of a function it prints only a pointer.
	secret func() [KeySize]byte
}

// NewKey returns a random key, and its bytes to be stored.
func NewKey() (Key, []byte) {
	var secret [KeySize]byte
	_, _ = rand.Read(secret[:]) // crypto/rand.Read never fails
	return keyOf(secret), secret[:]
}

// ParseKey parses a stored key.
func ParseKey(stored []byte) (Key, error) {
	if len(stored) != KeySize {
		return Key{}, fmt.Errorf("identity key has %d bytes, want %d", len(stored), KeySize)
	}
	return keyOf([KeySize]byte(stored)), nil
}

func keyOf(secret [KeySize]byte) Key {
	return Key{secret: func() [KeySize]byte { return secret }}
}

// Format keeps the key out of logs, for every verb and flag.
func (Key) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, "[REDACTED]") }

// MarshalText keeps the key out of documents and structured logs.
func (Key) MarshalText() ([]byte, error) { return []byte("[REDACTED]"), nil }

// Subject is a person as a company knows it: a business key within the scope of a connection.
type Subject struct {
	// Mode of the connection: a person in the sandbox is not the person in production.
	Mode v1alpha1.Mode
	// Scope is the namespace of the connection. Several namespaces often share one key pair, so Smile does not isolate them. With
	// the scope, nobody can reach a user of another namespace by guessing its business key.
	Scope string
	// Name is the business key.
	Name string
}

// Digest is what Smile sees of a subject.
type Digest string

// Digest returns the digest of a subject. It depends neither on the key pair nor on the name of the host, so that users are still
// recognized after a rotation of keys.
func (k Key) Digest(s Subject) Digest {
	return Digest(k.mac("subject", []byte(s.Mode), []byte(s.Scope), []byte(s.Name)))
}

// Fingerprint is a keyed hash of some values: it changes when they do, and reveals nothing of them.
func (k Key) Fingerprint(purpose string, parts ...[]byte) string {
	return k.mac("fingerprint/"+purpose, parts...)[:22]
}

// Account is the digest of an account's id for the audit log.
func (k Key) Account(id string) string { return k.Fingerprint("account", []byte(id)) }

// Erased is the digest of an account's id for the erasure ledger. It cannot be matched with that of the audit log.
func (k Key) Erased(id string) string { return k.Fingerprint("erased account", []byte(id)) }

// LinkCodes is the key that signs the codes of links to the hosted page.
func (k Key) LinkCodes() []byte { return []byte(k.mac("link codes")) }

// mac hashes a list of parts. Each is preceded by its length, so that no other list gives the same input.
func (k Key) mac(purpose string, parts ...[]byte) string {
	var secret [KeySize]byte
	if k.secret != nil {
		secret = k.secret()
	}
	h := hmac.New(sha256.New, secret[:])
	for _, part := range append([][]byte{[]byte(purpose)}, parts...) {
		fmt.Fprintf(h, "%d:", len(part))
		h.Write(part)
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// Marker is the ownership marker of a remote user: the UID of the object that it was created for, and the digest of the person.
type Marker struct {
	UID    types.UID
	Digest Digest
}

const markerVersion = "v1"

// ErrMarker is an ownership marker in a form that this version does not know.
var ErrMarker = errors.New("ownership marker of an unknown form")

// String is the marker as it is stored in externalMetadata.
func (m Marker) String() string {
	return strings.Join([]string{markerVersion, string(m.UID), string(m.Digest)}, ".")
}

// ParseMarker parses the marker in externalMetadata; ok is false if there is none.
func ParseMarker(metadata map[string]string) (m Marker, ok bool, err error) {
	text, ok := metadata[v1alpha1.MetadataOwner]
	if !ok {
		return Marker{}, false, nil
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 || parts[0] != markerVersion || parts[1] == "" || parts[2] == "" {
		return Marker{}, false, ErrMarker
	}
	return Marker{UID: types.UID(parts[1]), Digest: Digest(parts[2])}, true, nil
}
