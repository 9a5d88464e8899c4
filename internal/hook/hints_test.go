package hook_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/smile"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func after(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }

// hinted is a status in which events about accounts were stored one second apart.
func hinted(ids ...string) v1alpha1.SmileUserStatus {
	var status v1alpha1.SmileUserStatus
	for i, id := range ids {
		store(&status, after(i), hook.News{AccountID: id, About: v1alpha1.HintData})
	}
	return status
}

func store(status *v1alpha1.SmileUserStatus, at time.Time, news ...hook.News) {
	status.Hints = hook.Merge(*status, news, at, at)
	status.HintedAt = &metav1.MicroTime{Time: at}
}

// shown is what the hints of a status are about, and when each was stored, in seconds after noon.
func shown(status v1alpha1.SmileUserStatus) map[string]int {
	all := map[string]int{}
	if status.Hints.AllAt != nil {
		all["everything"] = int(status.Hints.AllAt.Sub(noon).Seconds())
	}
	for _, hint := range status.Hints.Accounts {
		all[hint.AccountID] = int(hint.At.Sub(noon).Seconds())
	}
	return all
}

func TestOnlyEventsOfCertainMeaningNameAnAccount(t *testing.T) {
	t.Parallel()
	everything := hook.News{}
	data := hook.News{AccountID: "a", About: v1alpha1.HintData, At: noon}
	account := hook.News{AccountID: "a", About: v1alpha1.HintAccount, At: noon}
	for kind, want := range map[smile.EventType]hook.News{
		smile.EventTaskFinished: data, smile.EventAccountSyncTaskFinished: data,
		smile.EventAccountConnected: account, smile.EventAccountDisconnected: account, smile.EventAccountFailed: account,
		"IDENTITY_ADDED": everything, "SOMETHING_NEW": everything,
	} {
		if got := hook.NewsOf(smile.Event{Type: kind, UserID: "u", AccountID: "a", CreatedAt: noon}); got != want {
			t.Errorf("%s: %+v", kind, got)
		}
	}
	for _, event := range []smile.Event{
		{Type: smile.EventTaskFinished, UserID: "u"}, {Type: smile.EventTaskFinished, UserID: "u", AccountID: "a", Troubled: true},
	} {
		if got := hook.NewsOf(event); got != everything {
			t.Errorf("%+v: %+v", event, got)
		}
	}
}

func TestHintsAreMergedByUnion(t *testing.T) {
	t.Parallel()
	status := hinted("a", "b", "a")
	if diff := cmp.Diff(map[string]int{"a": 2, "b": 1}, shown(status)); diff != "" {
		t.Error(diff)
	}
	store(&status, after(3), hook.News{})
	if diff := cmp.Diff(map[string]int{"a": 2, "b": 1, "everything": 3}, shown(status)); diff != "" || !hook.AboutAll(status) {
		t.Error(diff)
	}
	store(&status, after(4), hook.News{AccountID: "b", About: v1alpha1.HintData})
	if diff := cmp.Diff(map[string]int{"a": 2, "b": 4, "everything": 3}, shown(status)); diff != "" || hook.AboutAll(status) {
		t.Error(diff)
	}
}

func TestTooManyHintsBecomeOneAboutEverything(t *testing.T) {
	t.Parallel()
	var ids []string
	for i := range hook.MostHints {
		ids = append(ids, fmt.Sprint(i))
	}
	status := hinted(ids...)
	if len(status.Hints.Accounts) != hook.MostHints || hook.AboutAll(status) {
		t.Errorf("%v", shown(status))
	}
	store(&status, after(60), hook.News{AccountID: "one more", About: v1alpha1.HintData})
	if diff := cmp.Diff(map[string]int{"everything": 60}, shown(status)); diff != "" || !hook.AboutAll(status) {
		t.Error(diff)
	}
	var news []hook.News
	for i := range 3 * hook.MostHints {
		news = hook.AddNews(news, hook.News{AccountID: fmt.Sprint(i)})
	}
	if news = hook.AddNews(news, hook.News{AccountID: "0"}); len(news) > hook.MostHints || news[0] != (hook.News{}) {
		t.Errorf("%d pieces of news are kept", len(news))
	}
}

func TestOldHintsAreDroppedAtTheNext(t *testing.T) {
	t.Parallel()
	status := hinted("a", "b")
	store(&status, after(15*60+1), hook.News{AccountID: "c", About: v1alpha1.HintData})
	if diff := cmp.Diff(map[string]int{"b": 1, "c": 901}, shown(status)); diff != "" {
		t.Error(diff)
	}
}

func TestAnUrgentEventBringsOtherHintsForward(t *testing.T) {
	t.Parallel()
	status := hinted("a")
	store(&status, after(5), hook.News{AccountID: "b", About: v1alpha1.HintAccount})
	store(&status, after(2), hook.News{AccountID: "c", About: v1alpha1.HintData})
	if diff := cmp.Diff(map[string]int{"a": 0, "b": 2, "c": 2}, shown(status)); diff != "" {
		t.Error(diff)
	}
}

// A receiver of an older version stores only hintedAt. Its request remains when another receiver stores a hint.
func TestAHintOfAnOlderReceiverIsAboutEverything(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]v1alpha1.SmileUserStatus{"first": {}, "later": hinted("a")} {
		status.HintedAt = &metav1.MicroTime{Time: after(7)}
		if !hook.AboutAll(status) || !hook.Covered(status, []hook.News{{AccountID: "b", About: v1alpha1.HintData}}) {
			t.Errorf("%s: the hint is not about everything", name)
		}
		store(&status, after(8), hook.News{AccountID: "b", About: v1alpha1.HintData})
		if got := shown(status); got["everything"] != 7 || got["b"] != 8 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestAComingReadCoversItsSubjects(t *testing.T) {
	t.Parallel()
	status := hinted("a", "b")
	for id, want := range map[string]bool{"a": false, "b": true, "c": false} {
		if got := hook.Covered(status, []hook.News{{AccountID: id, About: v1alpha1.HintData}}); got != want {
			t.Errorf("%s: %v", id, got)
		}
	}
	if hook.Covered(status, []hook.News{{AccountID: "b", About: v1alpha1.HintAccount}}) || hook.Covered(status, []hook.News{{}}) {
		t.Error("a hint about data covers something else")
	}
}
