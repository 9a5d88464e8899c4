package output

import (
	"crypto/hmac"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/identity"
)

// sealVersion is the version of the seal that this file writes and reads. Version 1 is the fingerprint in index.json alone.
const sealVersion = 2

// Facts are what a seal proves about an output, besides its content: the user of the data, and what the status said about it
// when it was written. If the status is lost, only they remain.
type Facts struct {
	// UserID is the id of the remote user.
	UserID string `json:"user"`
	// Accounts of which the output holds data, or whose data a ttl has ended.
	Accounts []AccountFacts `json:"accounts,omitempty"`
}

// AccountFacts are the facts of one account. Times count in seconds.
type AccountFacts struct {
	ID         string `json:"id"`
	ProviderID string `json:"provider"`
	// FetchedAt of each datapoint that is held; empty when the output holds no data of the account.
	FetchedAt map[v1alpha1.DatapointType]time.Time `json:"fetchedAt,omitempty"`
	// DataAsOf and FinishedTasks are by which newer data at Smile is recognized.
	DataAsOf      time.Time `json:"dataAsOf,omitzero"`
	FinishedTasks int32     `json:"finishedTasks,omitempty"`
	// RevokeAcknowledgedAt is when Smile acknowledged that this operator revoked the account; zero when it never did.
	RevokeAcknowledgedAt time.Time `json:"revokeAcknowledgedAt,omitzero"`
	// ErasedAt is when a ttl ended the data; zero while data is held.
	ErasedAt time.Time `json:"erasedAt,omitzero"`
}

// sealDocument is the annotation's value. The code covers the bytes of the facts, so that facts which a later version adds are
// covered too.
type sealDocument struct {
	Version int             `json:"version"`
	Facts   json.RawMessage `json:"facts"`
	Code    string          `json:"code"`
}

// Seal makes the seal of an output for the annotation AnnotationSeal of its first object. The same facts and content give
// the same text.
func (s Set) Seal(key identity.Key, namespace string, target Target, facts Facts) string {
	facts.Accounts = slices.Clone(facts.Accounts)
	for i := range facts.Accounts {
		facts.Accounts[i] = facts.Accounts[i].inSeconds()
	}
	raw, _ := json.Marshal(facts) // strings and times always can be
	text, _ := json.Marshal(sealDocument{sealVersion, raw, s.sealCode(key, namespace, target, raw)})
	return string(text)
}

// Unseal returns the facts of a seal. It reports false unless the seal was made for exactly this target and content.
func (s Set) Unseal(key identity.Key, namespace string, target Target, text string) (Facts, bool) {
	var read sealDocument
	var facts Facts
	if len(s) == 0 || json.Unmarshal([]byte(text), &read) != nil || read.Version != sealVersion {
		return Facts{}, false
	}
	if !hmac.Equal([]byte(read.Code), []byte(s.sealCode(key, namespace, target, read.Facts))) ||
		json.Unmarshal(read.Facts, &facts) != nil {
		return Facts{}, false
	}
	return facts, true
}

func (s Set) sealCode(key identity.Key, namespace string, target Target, facts []byte) string {
	return key.Fingerprint("seal", []byte(namespace), []byte(target.Kind), []byte(target.Name), facts, []byte(s.Fingerprint(key)))
}

func (a AccountFacts) inSeconds() AccountFacts {
	second := func(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }
	a.FetchedAt = maps.Clone(a.FetchedAt)
	for datapoint, at := range a.FetchedAt {
		a.FetchedAt[datapoint] = second(at)
	}
	a.DataAsOf, a.RevokeAcknowledgedAt, a.ErasedAt = second(a.DataAsOf), second(a.RevokeAcknowledgedAt), second(a.ErasedAt)
	return a
}

// Own is the content without keys that the index does not name. Keys that others have added do not affect the operator's own.
func (s Set) Own() Set {
	if len(s) == 0 {
		return nil
	}
	var index indexDocument
	if json.Unmarshal(s[0][IndexKey], &index) != nil {
		return s
	}
	ours := map[string]bool{IndexKey: true, PartKey: true}
	for _, account := range index.Accounts {
		for datapoint := range account.Items {
			ours[documentKey(v1alpha1.DatapointType(datapoint))] = true
		}
	}
	own := make(Set, len(s))
	for i, content := range s {
		own[i] = maps.Clone(content)
		maps.DeleteFunc(own[i], func(key string, _ []byte) bool { return !ours[key] })
	}
	return own
}

// IsOwn reports whether the content has no keys but those that the index names.
func (s Set) IsOwn() bool { return slices.EqualFunc(s, s.Own(), Content.Equal) }

// Consistent reports whether this installation wrote exactly this content at some time, because it contains its own
// fingerprint. It does not prove the user or the time.
func (s Set) Consistent(key identity.Key) bool {
	var index indexDocument
	if len(s) == 0 || json.Unmarshal(s[0][IndexKey], &index) != nil || index.Fingerprint == nil {
		return false
	}
	return s.Sealed(key, *index.Fingerprint)
}

// Seal is the seal of the object as it was last read or written; "" if it has none.
func (s *Stored) Seal() string {
	if s == nil || s.obj == nil {
		return ""
	}
	return s.obj.GetAnnotations()[v1alpha1.AnnotationSeal]
}

// SetSeal lets the next write set the seal of the object, or remove it if the text is "". Without SetSeal, a write keeps the
// seal.
func (s *Stored) SetSeal(text string) { s.seal = &text }

func (s *Stored) stamp(obj client.Object) {
	if s.seal == nil {
		return
	}
	annotations := maps.Clone(obj.GetAnnotations())
	delete(annotations, v1alpha1.AnnotationSeal)
	obj.SetAnnotations(annotations)
	if *s.seal != "" {
		set(obj, map[string]string{v1alpha1.AnnotationSeal: *s.seal}, client.Object.GetAnnotations, client.Object.SetAnnotations)
	}
}
