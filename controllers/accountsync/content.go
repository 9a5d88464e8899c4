package accountsync

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// content is the data of one account as Smile sent it.
type content struct {
	items map[smile.Datapoint][]smile.Item
	// owner is what the responses say about the owner of the data.
	owner dataOwner
	// at is when it was sent, by Smile's clock; zero if a response has no Date.
	at time.Time
	// cut are the lists that are truncated.
	cut map[smile.Datapoint]bool
}

// size is how many bytes the items have.
func (c content) size() (size int) {
	for _, items := range c.items {
		for _, item := range items {
			size += len(item.Content.Reveal())
		}
	}
	return size
}

// dataOwner is what a response says about the owner of its data.
type dataOwner int

const (
	// ownershipProven: all that was sent names the user and the account that were asked for.
	ownershipProven dataOwner = iota
	// ownershipUnsaid: something does not name them.
	ownershipUnsaid
	// ownershipForeign: something names another user or account.
	ownershipForeign
)

func ownershipOf(source smile.Source, userID, accountID string) dataOwner {
	switch {
	case source.UserID == userID && source.SourceID == accountID:
		return ownershipProven
	case source.UserID != "" && source.UserID != userID, source.SourceID != "" && source.SourceID != accountID:
		return ownershipForeign
	default:
		return ownershipUnsaid
	}
}

// errUnproven means that a hint alone does not permit using the fetched data: account and tasks must be read first.
var errUnproven = errors.New("the response does not prove what the hint says")

// errForeign means that a response about an account of this user contains data of another user.
var errForeign = &smile.ResponseError{Operation: "get-account-payload", Problem: smile.ProblemWrongObject}

// contentOf reads datapoints of an account: the list when only one is wanted, else everything at once, and again the
// list of every datapoint that was truncated.
func (s *scope) contentOf(ctx context.Context, sync *v1alpha1.SmileAccountSync, accountID string) (content, error) {
	wanted, shared := sync.Spec.Datapoints, len(s.r.ofUser(ctx, s.user)) > 1
	if len(wanted) == 1 && !shared {
		return s.readList(ctx, accountID, smile.Datapoint(wanted[0].Type))
	}
	return s.wholeContent(ctx, accountID, wanted, shared)
}

func (s *scope) wholeContent(ctx context.Context, accountID string, wanted []v1alpha1.Datapoint, shared bool) (content, error) {
	payload, err := s.payload(ctx, accountID, shared)
	tooLarge := errors.Is(err, smile.ProblemTooLarge)
	if err != nil && !tooLarge {
		return content{}, err
	}
	var parts []content
	if !tooLarge {
		parts = append(parts, payload)
	}
	all := map[smile.Datapoint][]smile.Item{}
	for _, datapoint := range wanted {
		name := smile.Datapoint(datapoint.Type)
		all[name] = payload.items[name]
		if !tooLarge && !payload.cut[name] {
			continue
		}
		list, err := s.readList(ctx, accountID, name)
		if err != nil {
			return content{}, err
		}
		all[name] = list.items[name]
		parts = append(parts, list)
	}
	return joined(all, parts), nil
}

// joined merges content that was read in parts. It has an owner only if all parts agree, and the time of the earliest part.
func joined(items map[smile.Datapoint][]smile.Item, parts []content) content {
	whole := content{items: items, at: parts[0].at}
	for _, part := range parts {
		whole.owner = max(whole.owner, part.owner)
		if part.at.Before(whole.at) { // zero, not known, is before all
			whole.at = part.at
		}
	}
	return whole
}

func (s *scope) payload(ctx context.Context, accountID string, shared bool) (content, error) {
	read := func() (content, error) { return s.readPayload(ctx, accountID) }
	if !shared {
		return read()
	}
	key := payloadKey{s.conn.Account(), s.user.Status.UserID, accountID}
	return s.r.payloads.get(key, s.fresh(accountID), s.r.Clock.Now, read)
}

// fresh is the earliest time at which a fetch of an account may have begun to contain what this reconcile needs.
func (s *scope) fresh(accountID string) time.Time {
	if of, hinted := s.hinted[accountID]; hinted {
		return of.since
	}
	if read := s.mirror.TasksReadAt(s.user.Status.UserID); !s.plan.refetch && !read.IsZero() {
		return read
	}
	return s.now
}

func (s *scope) readPayload(ctx context.Context, accountID string) (content, error) {
	var dates smile.Dates
	payload, err := s.conn.Client.AccountPayload(smile.WithDates(ctx, &dates), accountID)
	if err != nil {
		return content{}, err
	}
	read := content{
		items: payload.Items, owner: ownershipOf(payload.Source, s.user.Status.UserID, accountID), at: dates.Earliest(),
		cut: payload.Cut,
	}
	for name, items := range payload.Items {
		if len(items) >= fullList {
			read.cut[name] = true
		}
	}
	return read, nil
}

// fullList is how many items of a list Smile sends at once: a list of this length may be truncated.
const fullList = 300

// readList reads one datapoint. A list without items does not name an owner.
func (s *scope) readList(ctx context.Context, accountID string, name smile.Datapoint) (content, error) {
	var dates smile.Dates
	listing := s.conn.Client.Items(smile.WithDates(ctx, &dates), name, smile.ItemFilter{SourceID: accountID})
	items, owner, err := s.collect(listing, accountID)
	if err != nil {
		return content{}, err
	}
	return content{items: map[smile.Datapoint][]smile.Item{name: items}, owner: owner, at: dates.Earliest()}, nil
}

// collect reads a listing to its end.
func (s *scope) collect(listing iter.Seq2[smile.Item, error], accountID string) (items []smile.Item, owner dataOwner, err error) {
	for item, err := range listing {
		if err != nil {
			return nil, owner, err
		}
		owner = max(owner, ownershipOf(item.Source, s.user.Status.UserID, accountID))
		items = append(items, item)
	}
	if len(items) == 0 {
		owner = ownershipUnsaid
	}
	return items, owner, nil
}

// isEmpty reports whether there is no item of any of these datapoints.
func (c content) isEmpty() bool {
	for _, items := range c.items {
		if len(items) > 0 {
			return false
		}
	}
	return true
}
