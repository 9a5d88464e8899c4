// Package hook is what the registration of webhooks and the receiver of their events have in common: the pairs of path and
// secret, how they are stored, the names of webhooks at Smile, where events may be sent, and the hints that events leave.
package hook

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/smile-operator/smile-operator/internal/smile"
)

const (
	// HeadStart is the time between storing a pair and registering it at Smile: by then, the receivers of all replicas must know
	// the path.
	HeadStart = 2 * time.Second

	// Prefix is the start of the paths at which the operator's own receiver accepts events.
	Prefix = "/hooks/v1/"

	// KeySecret is the key of a subscription's Secret that holds the secret with which events are signed, for applications that
	// receive the events themselves.
	KeySecret = "secret"
	// KeyPrevious is the same for the secret before, while events signed with it may still come.
	KeyPrevious = "previousSecret"
	// KeyPairs is the key under which the operator keeps the pairs.
	KeyPairs = "pairs.json"

	// MinSecretLength is the shortest secret with which events are signed. The vendor accepts shorter ones, which prove little.
	MinSecretLength = 32
	// MaxSecretLength is the vendor's limit.
	MaxSecretLength = smile.MaxWebhookSecretLength

	pathBytes   = 32
	secretBytes = 48
)

// SecretName is the name of the Secret that holds the pairs of a subscription: the name of the subscription and a suffix. A name
// that is too long for that is cut, and gets a hash.
func SecretName(subscription string) string {
	const suffix, longest, kept = "-webhook", 253, 200
	if len(subscription)+len(suffix) <= longest {
		return subscription + suffix
	}
	hash := sha256.Sum256([]byte(subscription))
	return strings.TrimRight(subscription[:kept], "-.") + "-" + hex.EncodeToString(hash[:8]) + suffix
}

// Pair is what a webhook was registered with. It never changes.
type Pair struct {
	// ID of the pair; it is part of the webhook's name at Smile.
	ID string
	// Path follows Prefix in the URL of the operator's receiver; empty if events are sent elsewhere.
	Path smile.Sensitive[string]
	// Secret with which events are signed.
	Secret smile.Sensitive[string]
}

type pairDocument struct {
	ID     string `json:"id"`
	Path   string `json:"path,omitempty"`
	Secret string `json:"secret"`
}

var errPairs = errors.New("the document of pairs cannot be read")

// MarshalPairs returns the document of pairs.
func MarshalPairs(pairs []Pair) ([]byte, error) {
	documents := make([]pairDocument, 0, len(pairs))
	for _, p := range pairs {
		documents = append(documents, pairDocument{p.ID, p.Path.Reveal(), p.Secret.Reveal()})
	}
	slices.SortFunc(documents, func(a, b pairDocument) int { return strings.Compare(a.ID, b.ID) })
	return json.Marshal(documents) //nolint:gosec // it goes into a Secret
}

// ParsePairs parses the document of pairs. Its error quotes nothing.
func ParsePairs(document []byte) ([]Pair, error) {
	var documents []pairDocument
	if err := json.Unmarshal(document, &documents); err != nil {
		return nil, errPairs
	}
	pairs := make([]Pair, 0, len(documents))
	for _, d := range documents {
		if d.ID == "" || !UsableSecret(d.Secret) {
			return nil, errPairs
		}
		pairs = append(pairs, Pair{d.ID, smile.NewSensitive(d.Path), smile.NewSensitive(d.Secret)})
	}
	return pairs, nil
}

// NewPath returns a path of 256 random bits.
func NewPath() smile.Sensitive[string] { return smile.NewSensitive(random(pathBytes)) }

// NewSecret returns a secret of 64 characters.
func NewSecret() smile.Sensitive[string] { return smile.NewSensitive(random(secretBytes)) }

func random(bytes int) string {
	raw := make([]byte, bytes)
	_, _ = rand.Read(raw) // never fails
	return base64.RawURLEncoding.EncodeToString(raw)
}

// UsableSecret reports whether events may be signed with a secret: 32 to 64 printable characters without spaces.
func UsableSecret(secret string) bool {
	if len(secret) < MinSecretLength || len(secret) > MaxSecretLength {
		return false
	}
	return !strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' })
}

// HashPath is a hash of a path. It may be shown: the path can be found by it, but not computed from it.
func HashPath(path string) string {
	sum := sha256.Sum256([]byte(path))
	return hex.EncodeToString(sum[:])
}

// Name identifies a webhook at Smile: the object that it was created for, and the pair.
type Name struct {
	UID  types.UID
	Pair string
}

const nameStart = "smile-operator v1."

// String is the name as it is stored at Smile.
func (n Name) String() string { return nameStart + string(n.UID) + "." + n.Pair }

// ParseName parses the name of a webhook; ok is false if no operator has created it.
func ParseName(text string) (n Name, ok bool) {
	rest, ok := strings.CutPrefix(text, nameStart)
	if !ok {
		return Name{}, false
	}
	uid, pair, ok := strings.Cut(rest, ".")
	if !ok || uid == "" || pair == "" || strings.Contains(pair, ".") {
		return Name{}, false
	}
	return Name{types.UID(uid), pair}, true
}
