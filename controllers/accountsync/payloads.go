package accountsync

import (
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/smile-operator/smile-operator/internal/smile"
)

const (
	// payloadLife is how long a payload is held for the other syncs of its user, which the same event wakes.
	payloadLife = 10 * time.Second
	// mostPayloads and largestPayload, in bytes, limit what is held. A payload that does not fit is fetched again.
	mostPayloads   = 16
	largestPayload = 1 << 20
)

// payloads lets one fetch serve all syncs of a user. It holds personal data, in memory and for seconds only.
type payloads struct {
	reads singleflight.Group
	mu    sync.Mutex
	held  map[payloadKey]*heldPayload
}

type payloadKey struct{ apiAccount, userID, accountID string }

func (k payloadKey) String() string { return k.apiAccount + "/" + k.userID + "/" + k.accountID }

type heldPayload struct {
	content content
	began   time.Time
}

// get returns a payload whose read began at notBefore or later. It reads one if none is held or under way.
func (p *payloads) get(key payloadKey, notBefore time.Time, now func() time.Time, read func() (content, error)) (content, error) {
	for {
		if held := p.holds(key); held.isFresh(notBefore) && now().Sub(held.began) < payloadLife {
			return held.content, nil
		}
		own := false
		result, err, _ := p.reads.Do(key.String(), func() (any, error) {
			own = true
			return p.read(key, now(), read)
		})
		if err != nil && !own && smile.KeepsPlace(err) { // the caller that read it waits for its turn in the call budget
			continue
		}
		if err != nil {
			return content{}, err
		}
		if one := result.(*heldPayload); own || one.isFresh(notBefore) {
			return one.content, nil
		}
	}
}

func (p *payloads) read(key payloadKey, began time.Time, read func() (content, error)) (*heldPayload, error) {
	content, err := read()
	if err != nil {
		return nil, err
	}
	one := &heldPayload{began: began, content: content}
	p.hold(key, one)
	return one, nil
}

func (h *heldPayload) isFresh(notBefore time.Time) bool {
	return h != nil && !h.began.Before(notBefore)
}

func (p *payloads) holds(key payloadKey) *heldPayload {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held[key]
}

func (p *payloads) hold(key payloadKey, one *heldPayload) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if one.content.size() > largestPayload || len(p.held) >= mostPayloads {
		return
	}
	if p.held == nil {
		p.held = map[payloadKey]*heldPayload{}
	}
	p.held[key] = one
	time.AfterFunc(payloadLife, func() { p.drop(key, one) })
}

func (p *payloads) drop(key payloadKey, one *heldPayload) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held[key] == one {
		delete(p.held, key)
	}
}
