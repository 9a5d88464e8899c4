package mirror

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/smile-operator/smile-operator/internal/schedule"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// cost is how many pages a listing of everything has, or how many at least. The zero cost is not known.
type cost struct{ pages int }

// limit is how many pages a listing may have so that it needs no more calls than reading so many users one by one; 0 if it
// certainly has more.
func (c cost) limit(users int) int {
	if users < 2 || c.pages > users {
		return 0
	}
	return users
}

const pageSize = 150

func pages(items int) int { return max(1, (items+pageSize-1)/pageSize) }

// readUpTo passes on the items of a listing until it has more pages than its limit, and learns its cost. It reports whether those
// were all items.
func readUpTo[T any](listing iter.Seq2[T, error], learned *cost, limit int, take func(T)) (all bool, err error) {
	items := 0
	for item, err := range listing {
		if err != nil {
			return false, err
		}
		items++
		if learned.pages = pages(items); learned.pages > limit {
			return false, nil
		}
		take(item)
	}
	return true, nil
}

// refresher is what polls of an API account remember for the next one. It has no lock: only the running poll uses it.
type refresher struct {
	account  string
	memory   *Memory
	listings *listings
	backlog  *backlog
	// usersAt is when the last poll began that refreshed all users themselves.
	usersAt time.Time
	costs   struct{ users, accounts, tasks cost }
}

// poll is a poll that is running.
type poll struct {
	*refresher
	fetcher fetcher
	// inUse are the users that it is about.
	inUse population
	// stake are the accounts at stake.
	stake atStake
	began time.Time
}

func newPoll(of *refresher, usable usable, inUse population, began time.Time) *poll {
	stake, _ := inUse.staked()
	return &poll{
		refresher: of, fetcher: fetcher{usable.client, of.memory}, inUse: inUse, stake: atStake{stake, usable.confirmed}, began: began,
	}
}

// all refreshes the accounts and the tasks that were last read before a time of the grid.
func (p *poll) all(ctx context.Context, grid time.Time) error {
	if err := p.accounts(ctx, p.olderThan(grid, accountsOf)); err != nil {
		return err
	}
	if err := p.tasks(ctx, p.olderThan(grid, tasksOf)); err != nil {
		return err
	}
	p.memory.trim(p.inUse)
	return nil
}

// requested refreshes the accounts of users for which that was requested, and reads their markers if they are not known.
func (p *poll) requested(ctx context.Context, userIDs map[string]bool) error {
	ctx = smile.WithLane(ctx, smile.LaneHint)
	if err := p.accounts(ctx, func(userID string) bool { return userIDs[userID] }); err != nil {
		return err
	}
	unproven := p.inUse.due(false, func(userID string) bool { return userIDs[userID] && !p.memory.Proven(userID) })
	if len(unproven) < 2 {
		return nil // its object reads it
	}
	return p.markers(ctx, unproven, time.Time{})
}

// olderThan returns whether what is known of a user was last read before a time.
func (p *poll) olderThan(at time.Time, what func(*record) moment) func(userID string) bool {
	return func(userID string) bool { return !p.memory.readSince(userID, at, what) }
}

// users checks once a day whether all users are still there and whether any has a duplicate. In between it lists the newest users
// if a duplicate is suspected.
func (p *poll) users(ctx context.Context) error {
	daily := schedule.Grid(p.account, day, p.began).Last
	if !daily.After(p.memory.started) || !p.usersAt.Before(daily) {
		return p.newestUsers(ctx)
	}
	if err := p.markers(ctx, slices.Sorted(maps.Keys(p.inUse)), daily); err != nil {
		return err
	}
	p.usersAt = p.began
	return nil
}

// markers reads the markers of users, by a listing that began at notBefore or later, or one by one if that needs fewer calls.
func (p *poll) markers(ctx context.Context, ids []string, notBefore time.Time) error {
	limit := p.costs.users.limit(len(ids))
	err := errOverLimit
	if limit > 0 {
		err = p.listings.ensureLong(ctx, p.fetcher.client, request{notBefore: notBefore, reads: 1, limit: limit})
	}
	if errors.Is(err, errOverLimit) {
		p.costs.users.pages = max(p.costs.users.pages, limit+1)
		err = p.markersOneByOne(ctx, ids)
	}
	return err
}

func (p *poll) markersOneByOne(ctx context.Context, ids []string) error {
	for _, id := range ids {
		remote, err := p.fetcher.client.User(ctx, id)
		switch {
		case refused(err):
			p.memory.doubt(id)
		case err != nil:
			return err
		default:
			p.memory.Add(remote)
		}
	}
	return nil
}

// refused reports whether a call failed because of the user that it was about. Then the other users are read nevertheless.
func refused(err error) bool { return smile.IsNotFound(err) || smile.IsForbidden(err) }

// newestUsers lists the newest users if a second user of a person may have been created, and listings show it by now.
func (p *poll) newestUsers(ctx context.Context) error {
	suspected := p.backlog.suspected()
	if suspected.IsZero() || p.began.Before(suspected.Add(smile.ListingLag)) {
		return nil
	}
	wanted := request{since: dayBefore(suspected), notBefore: suspected, reads: 1}
	if err := p.listings.ensureLong(ctx, p.fetcher.client, wanted); err != nil {
		return err
	}
	p.backlog.cleared(suspected)
	return nil
}

// accounts reads the accounts of the users that are due: by one listing of all, or one by one if that needs fewer calls.
func (p *poll) accounts(ctx context.Context, due func(string) bool) error {
	ids := p.inUse.due(false, due)
	if len(ids) == 0 {
		return nil
	}
	_, total := p.inUse.staked()
	p.memory.guard.setTotal(total)
	if limit := p.costs.accounts.limit(len(ids)); limit > 0 {
		if all, err := p.allAccounts(ctx, limit); all || err != nil {
			return err
		}
	}
	refreshes.WithLabelValues("accounts", "per-user").Inc()
	return p.accountsOneByOne(ctx, ids)
}

// allAccounts lists the accounts of all users. It returns false if the listing has more pages than its limit.
func (p *poll) allAccounts(ctx context.Context, limit int) (all bool, err error) {
	began := p.memory.now()
	read := make(map[string][]smile.Account, len(p.inUse))
	for id := range p.inUse {
		read[id] = nil
	}
	all, err = readUpTo(p.fetcher.client.Accounts(ctx, smile.AccountFilter{}), &p.costs.accounts, limit, func(a smile.Account) {
		if _, used := read[a.UserID]; used {
			read[a.UserID] = append(read[a.UserID], a)
		}
	})
	if all {
		refreshes.WithLabelValues("accounts", "listing").Inc()
		p.memory.notify(p.memory.learnAccounts(began, read, p.stake))
	}
	return all, err
}

// accountsOneByOne reports no disappearance before the accounts of all users were read: otherwise the first data would be erased
// before the number of disappearances is known.
func (p *poll) accountsOneByOne(ctx context.Context, ids []string) error {
	var last []string
	defer func() { p.memory.notify(last) }()
	for _, id := range ids {
		changed, err := p.fetcher.accounts(ctx, id, p.stake)
		switch {
		case refused(err):
			p.memory.doubt(id)
		case err != nil:
			return err
		case p.memory.guard.misses(id, p.stake):
			last = append(last, changed...)
		default:
			p.memory.notify(changed)
		}
	}
	return nil
}

// tasks does the same for the tasks of the users that have a sync and are due. A listing begins with the day from which not all
// tasks are known.
func (p *poll) tasks(ctx context.Context, due func(string) bool) error {
	ids := p.inUse.due(true, due)
	if len(ids) == 0 {
		return nil
	}
	from, unfinished := p.backlog.tasksFrom(), &oldest{at: p.memory.clock.Now()}
	if limit := p.costs.tasks.limit(len(ids)); limit > 0 {
		if all, err := p.allTasks(ctx, ids, from, limit, unfinished); all || err != nil {
			return err
		}
	}
	refreshes.WithLabelValues("tasks", "per-user").Inc()
	for _, id := range ids {
		if err := p.fetcher.tasks(ctx, "", id, unfinished.see); err != nil && !refused(err) {
			return err
		}
	}
	p.tasksRead(from, unfinished)
	return nil
}

// allTasks lists the tasks of all users from a day on. It returns false if the listing has more pages than its limit.
func (p *poll) allTasks(
	ctx context.Context, ids []string, from time.Time, limit int, unfinished *oldest,
) (all bool, err error) {
	began, found := p.memory.now(), finished{}
	tasks := p.fetcher.client.Tasks(ctx, smile.TaskFilter{StartDate: from})
	all, err = readUpTo(tasks, &p.costs.tasks, limit, func(t smile.Task) {
		found.add(t.Source.UserID, t)
		unfinished.see(t)
	})
	if all {
		refreshes.WithLabelValues("tasks", "listing").Inc()
		p.memory.notify(p.memory.learnTasks(began, ids, found, false))
		p.tasksRead(from, unfinished)
	}
	return all, err
}

// tasksRead records that all tasks have been read that had finished. The next listing begins later, so its cost is not known.
func (p *poll) tasksRead(from time.Time, unfinished *oldest) {
	p.backlog.tasksRead(from, *unfinished)
	p.costs.tasks = cost{}
}
