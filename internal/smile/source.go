package smile

import (
	"context"
	"iter"
	"time"
)

// Source is where an object comes from. Fields that the response does not contain
// are zero.
type Source struct {
	// CreatedAt is when the account or archive was created.
	CreatedAt time.Time
	// ItemCreatedAt is when this item was created.
	ItemCreatedAt time.Time
	// SourceID is the id of the account or archive.
	SourceID string
	// SourceType is ACCOUNT, ARCHIVE, UPLOAD or SOCIAL_SECURITY; the set is open.
	SourceType string
	UserID     string
	ProviderID string
}

type sourceWire struct {
	CreatedAt     timestamp `json:"createdAt"`
	ItemCreatedAt timestamp `json:"itemCreatedAt"`
	SourceID      string    `json:"sourceId"`
	SourceType    enum      `json:"sourceType"`
	UserID        string    `json:"userId"`
	ProviderID    string    `json:"providerId"`
}

func (w sourceWire) domain() (Source, error) {
	source := Source{
		CreatedAt:     w.CreatedAt.Time,
		ItemCreatedAt: w.ItemCreatedAt.Time,
		SourceID:      w.SourceID,
		SourceType:    string(w.SourceType),
		UserID:        w.UserID,
		ProviderID:    w.ProviderID,
	}
	for _, id := range []string{w.SourceID, w.UserID, w.ProviderID} {
		if id != "" && !validID(id) {
			return source, ProblemBadID
		}
	}
	return source, nil
}

// owner is whose objects were requested; empty ids match those of all owners.
type owner struct{ userID, sourceID string }

func (o owner) check() error {
	if o.userID != "" && !validID(o.userID) {
		return invalidArgument("userID", ProblemBadID)
	}
	if o.sourceID != "" && !validID(o.sourceID) {
		return invalidArgument("sourceID", ProblemBadID)
	}
	return nil
}

// owns reports whether nothing in source contradicts it.
func (o owner) owns(source Source) bool {
	return agree(o.userID, source.UserID) && agree(o.sourceID, source.SourceID)
}

func agree(asked, got string) bool { return asked == "" || got == "" || asked == got }

// listOf is list for objects of an owner. An object of another owner ends it with an
// error: if the API ignores a filter, the data of people must not be mixed up.
func listOf[W wire[T], T any](
	ctx context.Context, c *Client, what call, whose owner, sourceOf func(T) Source,
) iter.Seq2[T, error] {
	if err := whose.check(); err != nil {
		return failing[T](err)
	}
	return func(yield func(T, error) bool) {
		for object, err := range list[W](ctx, c, what) {
			if err == nil && !whose.owns(sourceOf(object)) {
				var zero T
				yield(zero, unusable(what.operation, ProblemWrongObject))
				return
			}
			if !yield(object, err) {
				return
			}
		}
	}
}
