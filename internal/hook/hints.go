package hook

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/smile"
)

const (
	// MostHints is how many accounts the hints of a user name at most. Further events become a hint about everything of the user.
	MostHints = 16
	// HintAge is how long a hint is kept. The listings of the mirror find what is older.
	HintAge = 15 * time.Minute
)

// News is what an event asks the leader to read.
type News struct {
	// AccountID is the account; empty for everything of the user.
	AccountID string
	About     v1alpha1.HintSubject
	// At is when Smile created the event, by its own clock; zero when the event does not say.
	At time.Time
}

// NewsOf is what an event asks the leader to read. Only an event whose meaning is certain limits it to one account.
func NewsOf(event smile.Event) News {
	news := News{AccountID: event.AccountID, At: event.CreatedAt}
	switch {
	case event.AccountID == "" || event.Troubled:
		return News{}
	case event.Type.OfData():
		news.About = v1alpha1.HintData
	case event.Type.OfAccount():
		news.About = v1alpha1.HintAccount
	default:
		return News{}
	}
	return news
}

// AddNews adds one piece of news to others that are stored together. If there is one of the same account and subject, the newer
// stays.
func AddNews(all []News, one News) []News {
	i := slices.IndexFunc(all, func(other News) bool { return other.AccountID == one.AccountID && other.About == one.About })
	switch {
	case i < 0 && len(all) >= MostHints:
		return []News{{}}
	case i < 0:
		return append(all, one)
	case one.At.After(all[i].At):
		all[i] = one
	}
	return all
}

// AboutAll reports whether the hintedAt of a status is about everything of the user: an event said so, or it was stored by a
// receiver that knows no hints.
func AboutAll(status v1alpha1.SmileUserStatus) bool {
	if status.HintedAt == nil || status.Hints == nil {
		return status.HintedAt != nil
	}
	if same(status.Hints.AllAt, *status.HintedAt) {
		return true
	}
	return !slices.ContainsFunc(status.Hints.Accounts, func(hint v1alpha1.AccountHint) bool { return same(&hint.At, *status.HintedAt) })
}

// Covered reports whether the hints of a status request all of this news in the read that hintedAt announces.
func Covered(status v1alpha1.SmileUserStatus, news []News) bool {
	if AboutAll(status) {
		return true
	}
	if status.HintedAt == nil {
		return len(news) == 0
	}
	return !slices.ContainsFunc(news, func(one News) bool {
		return !slices.ContainsFunc(status.Hints.Accounts, func(hint v1alpha1.AccountHint) bool {
			return hint.AccountID == one.AccountID && hint.About == one.About && same(&hint.At, *status.HintedAt)
		})
	})
}

// Merge adds news to the hints of a status. at is the hintedAt that is stored with them, and now the time by the clock that
// made it. Nothing that was stored within HintAge is lost: what does not fit becomes a hint about everything.
func Merge(status v1alpha1.SmileUserStatus, news []News, at, now time.Time) *v1alpha1.UserHints {
	stamp, oldest := metav1.NewMicroTime(at), now.Add(-HintAge)
	merged := &v1alpha1.UserHints{}
	if status.Hints != nil {
		merged.AllAt = status.Hints.AllAt.DeepCopy()
		for _, hint := range status.Hints.Accounts {
			if !hint.At.Time.Before(oldest) {
				merged.Accounts = append(merged.Accounts, *hint.DeepCopy())
			}
		}
	}
	if AboutAll(status) {
		merged.AllAt = status.HintedAt.DeepCopy()
	}
	if merged.AllAt != nil && merged.AllAt.Time.Before(oldest) {
		merged.AllAt = nil
	}
	for _, one := range news {
		if one.AccountID == "" {
			merged.AllAt = stamp.DeepCopy()
			continue
		}
		merged.Accounts = put(merged.Accounts, accountHint(one, stamp))
	}
	bringForward(merged, stamp)
	if len(merged.Accounts) > MostHints {
		return &v1alpha1.UserHints{AllAt: &stamp}
	}
	return merged
}

func accountHint(news News, at metav1.MicroTime) v1alpha1.AccountHint {
	hint := v1alpha1.AccountHint{AccountID: news.AccountID, About: news.About, At: at}
	if !news.At.IsZero() {
		hint.EventAt = &metav1.Time{Time: news.At}
	}
	return hint
}

func put(hints []v1alpha1.AccountHint, one v1alpha1.AccountHint) []v1alpha1.AccountHint {
	i := slices.IndexFunc(hints, func(h v1alpha1.AccountHint) bool { return h.AccountID == one.AccountID && h.About == one.About })
	if i < 0 {
		return append(hints, one)
	}
	hints[i] = one
	return hints
}

// bringForward ensures that no hint waits for a later read than the one that is stored now, which an urgent event may have made
// earlier.
func bringForward(hints *v1alpha1.UserHints, at metav1.MicroTime) {
	if hints.AllAt != nil && hints.AllAt.After(at.Time) {
		hints.AllAt = &at
	}
	for i := range hints.Accounts {
		if hints.Accounts[i].At.After(at.Time) {
			hints.Accounts[i].At = at
		}
	}
}

// same compares times as they are stored, in microseconds.
func same(a *metav1.MicroTime, b metav1.MicroTime) bool {
	return a != nil && a.UnixMicro() == b.UnixMicro()
}
