package wink_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/smile-operator/smile-operator/internal/broker/wink"
)

func tabOf(n int) string { return fmt.Sprintf("%s%02d", strings.Repeat("t", 41), n) }

func linkOf(id string) wink.Link {
	return wink.Link{Namespace: "shop", Widget: "wink", User: "uid-1", ID: id, ExpiresAt: noon.Add(time.Hour)}
}

func TestALinkIsOpenedInOneTab(t *testing.T) {
	t.Parallel()
	now := noon
	sessions := wink.NewSessions(at(&now))
	check := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	resume := func(widget string, tab int) error {
		_, err := sessions.Resume("shop", widget, tabOf(tab))
		return err
	}
	check("a tab that has opened nothing", resume("wink", 1), wink.ErrSuperseded)
	check("opened", sessions.Open(linkOf("a"), tabOf(1)), nil)
	check("sent again", sessions.Open(linkOf("a"), tabOf(1)), nil)
	check("another tab", sessions.Open(linkOf("a"), tabOf(2)), wink.ErrUsed)
	check("the other tab, resumed", resume("wink", 2), wink.ErrSuperseded)
	check("reloaded", resume("wink", 1), nil)
	check("at another page", resume("other", 1), wink.ErrSuperseded)
	now = noon.Add(14 * time.Minute)
	check("after 14 minutes", resume("wink", 1), nil)
	now = noon.Add(15 * time.Minute)
	check("after 15 minutes", resume("wink", 1), wink.ErrExpired)
	check("another tab, after 15 minutes", sessions.Open(linkOf("a"), tabOf(3)), wink.ErrUsed)
	check("another link in the same tab", sessions.Open(linkOf("b"), tabOf(1)), nil)
	check("reloaded there", resume("wink", 1), nil)
	for range 17 {
		check("again", resume("wink", 1), nil)
	}
	check("too often", resume("wink", 1), nil)
	check("too often", resume("wink", 1), wink.ErrExpired)
}

// However tabs try, while a link is valid no two of them ever open it.
func TestNoTwoTabsOpenALink(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		now := noon
		sessions := wink.NewSessions(at(&now))
		owner := map[string]int{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 300).Draw(t, "seconds")) * time.Second)
			id, tab := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "link"), rapid.IntRange(0, 3).Draw(t, "tab")
			link := linkOf(id)
			link.ExpiresAt = noon.Add(24 * time.Hour)
			if sessions.Open(link, tabOf(tab)) != nil {
				continue
			}
			if first, opened := owner[id]; opened && first != tab {
				t.Fatalf("tabs %d and %d opened link %s", first, tab, id)
			}
			owner[id] = tab
		}
	})
}
