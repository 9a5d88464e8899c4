// Package hook is what who registers webhooks and who receives their events agree on: the pairs of path and secret, how
// they are stored, how a webhook at Smile says whose it is, and where events may be sent.
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
	// HeadStart is how long who registers a pair waits, once it is stored, before Smile is told of it: who receives events
	// must know by then that their path is one.
	HeadStart = 2 * time.Second

	// Prefix is where the operator's own receiver takes events.
	Prefix = "/hooks/v1/"

	// KeySecret is the key of a subscription's Secret under which applications that receive events themselves find
	// what those are signed with.
	KeySecret = "secret"
	// KeyPrevious is the same for what they were signed with before, while such events may still come.
	KeyPrevious = "previousSecret"
	// KeyPairs is the key under which the operator keeps the pairs.
	KeyPairs = "pairs.json"

	// MinSecretLength is how long the secret is at least that events are signed with: the vendor takes less, but that
	// proves little.
	MinSecretLength = 32
	// MaxSecretLength is the vendor's bound.
	MaxSecretLength = smile.MaxWebhookSecretLength

	pathBytes   = 32
	secretBytes = 48
)

// SecretName is the name of the Secret that holds the pairs of a subscription: the subscription's own and a suffix. One that
// is too long for that is cut, and told apart from others by a hash.
func SecretName(subscription string) string {
	const suffix, longest, kept = "-webhook", 253, 200
	if len(subscription)+len(suffix) <= longest {
		return subscription + suffix
	}
	hash := sha256.Sum256([]byte(subscription))
	return strings.TrimRight(subscription[:kept], "-.") + "-" + hex.EncodeToString(hash[:8]) + suffix
}

// Pair is what a webhook was registered with, once and for all.
type Pair struct {
	// ID of the pair; it stands in the webhook's name at Smile.
	ID string
	// Path is what follows Prefix in the URL that events come to; empty when they go elsewhere.
	Path smile.Sensitive[string]
	// Secret that events are signed with.
	Secret smile.Sensitive[string]
}

type pairDocument struct {
	ID     string `json:"id"`
	Path   string `json:"path,omitempty"`
	Secret string `json:"secret"`
}

var errPairs = errors.New("the document of pairs cannot be read")

// MarshalPairs makes the document of pairs.
func MarshalPairs(pairs []Pair) ([]byte, error) {
	documents := make([]pairDocument, 0, len(pairs))
	for _, p := range pairs {
		documents = append(documents, pairDocument{p.ID, p.Path.Reveal(), p.Secret.Reveal()})
	}
	slices.SortFunc(documents, func(a, b pairDocument) int { return strings.Compare(a.ID, b.ID) })
	return json.Marshal(documents) //nolint:gosec // it goes into a Secret
}

// ParsePairs reads the document of pairs. Its error quotes nothing.
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

// NewPath makes a path of 256 random bits.
func NewPath() smile.Sensitive[string] { return smile.NewSensitive(random(pathBytes)) }

// NewSecret makes a secret of 64 characters.
func NewSecret() smile.Sensitive[string] { return smile.NewSensitive(random(secretBytes)) }

func random(bytes int) string {
	raw := make([]byte, bytes)
	_, _ = rand.Read(raw) // never fails
	return base64.RawURLEncoding.EncodeToString(raw)
}

// UsableSecret tells whether events may be signed with a secret: 32 to 64 printable characters without spaces.
func UsableSecret(secret string) bool {
	if len(secret) < MinSecretLength || len(secret) > MaxSecretLength {
		return false
	}
	return !strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' })
}

// HashPath is what may be told of a path: enough to find it again, nothing to make it from.
func HashPath(path string) string {
	sum := sha256.Sum256([]byte(path))
	return hex.EncodeToString(sum[:])
}

// Name is how a webhook at Smile says whose it is: the object that it was created for, and the pair.
type Name struct {
	UID  types.UID
	Pair string
}

const nameStart = "smile-operator v1."

// String is the name as Smile keeps it.
func (n Name) String() string { return nameStart + string(n.UID) + "." + n.Pair }

// ParseName reads the name of a webhook; ok is false when it is none of an operator's.
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
