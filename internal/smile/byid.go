package smile

import "context"

// fetchByID gets the object with an id, and checks that the response is about that object.
func fetchByID[W wire[T], T any](
	ctx context.Context, c *Client, op Operation, collection, id string, idOf func(T) string,
) (T, error) {
	var zero T
	if !validID(id) {
		return zero, invalidArgument("id", ProblemBadID)
	}
	object, err := fetch[W](ctx, c, call{operation: op, path: []string{collection, id}})
	if err != nil {
		return zero, err
	}
	if idOf(object) != id {
		return zero, unusable(op, ProblemWrongObject)
	}
	return object, nil
}

// deleteByID deletes the object with an id.
func (m *Mutator) deleteByID(ctx context.Context, op Operation, collection, id string) error {
	if !validID(id) {
		return invalidArgument("id", ProblemBadID)
	}
	_, err := m.send(ctx, call{operation: op, path: []string{collection, id}})
	return err
}
