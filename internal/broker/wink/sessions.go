package wink

import (
	"crypto/sha256"
	"errors"
	"regexp"
	"sync"
	"time"
)

const (
	// resumable is how long after it was opened a link can be opened again in the same tab: a person switches to an app for a
	// one-time password and comes back.
	resumable = 15 * time.Minute
	// maxOpenings is how often a link can be opened in its tab.
	maxOpenings = 20
	// maxSessions is how many opened links are remembered.
	maxSessions = 100_000
	// sweepInterval is how often expired ones are removed.
	sweepInterval = time.Minute
)

// Why a link is not opened.
var (
	// ErrUsed is the error for a link that another tab has opened.
	ErrUsed = errors.New("the link was opened in another browser")
	// ErrBusy means that too many links were opened in the last day.
	ErrBusy = errors.New("too many links were opened")
)

// tabForm is the form of the name that a tab gives itself: 32 random bytes.
var tabForm = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// ValidTab reports whether a text can be the name of a tab.
func ValidTab(name string) bool { return tabForm.MatchString(name) }

// tab is the hash of the name that a tab gave itself.
type tab [sha256.Size]byte

func tabOf(name string) tab { return sha256.Sum256([]byte(name)) }

// session is a link that was opened.
type session struct {
	link     Link
	tab      tab
	openedAt time.Time
	openings int
}

// Sessions remembers which links were opened, and by which tab. A link is bound to the tab that opens it first.
type Sessions struct {
	now func() time.Time

	mu    sync.Mutex
	links map[string]*session
	tabs  map[tab]*session
	swept time.Time
}

// NewSessions makes an empty memory.
func NewSessions(now func() time.Time) *Sessions {
	return &Sessions{now: now, links: map[string]*session{}, tabs: map[tab]*session{}}
}

// Open binds a link to a tab, or opens it again in that tab. It fails with ErrUsed, ErrExpired or ErrBusy.
func (s *Sessions) Open(link Link, tabName string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep()
	by := tabOf(tabName)
	if held := s.links[link.ID]; held != nil {
		if held.tab != by {
			return ErrUsed
		}
		return s.again(held)
	}
	if len(s.links) >= maxSessions {
		return ErrBusy
	}
	opened := &session{link: link, tab: by, openedAt: s.now(), openings: 1}
	s.links[link.ID], s.tabs[by] = opened, opened
	return nil
}

// Resume returns the link that a tab of a page has opened. It fails with ErrExpired or ErrSuperseded: another process may know
// the tab.
func (s *Sessions) Resume(namespace, widget, tabName string) (Link, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := s.tabs[tabOf(tabName)]
	if held == nil || held.link.Namespace != namespace || held.link.Widget != widget {
		return Link{}, ErrSuperseded
	}
	return held.link, s.again(held)
}

func (s *Sessions) again(held *session) error {
	if s.over(held) || held.openings >= maxOpenings {
		return ErrExpired
	}
	held.openings++
	return nil
}

func (s *Sessions) over(held *session) bool { return !s.now().Before(held.openedAt.Add(resumable)) }

// sweep forgets links that can no longer be opened.
func (s *Sessions) sweep() {
	now := s.now()
	if now.Sub(s.swept) < sweepInterval {
		return
	}
	s.swept = now
	for id, held := range s.links {
		if !s.over(held) {
			continue
		}
		if s.tabs[held.tab] == held {
			delete(s.tabs, held.tab)
		}
		if now.After(held.link.ExpiresAt) {
			delete(s.links, id)
		}
	}
}
