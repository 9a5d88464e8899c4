package mirror

import "github.com/smile-operator/smile-operator/internal/connection"

// Remote is the remote side of one object: its connection, and the mirror of the connection's API account. An object that has
// nothing to call does not need a connection, so a missing one is an error only where it is used.
type Remote struct {
	mirrors *Set
	conn    *connection.Connection
	err     error
}

// Remote returns the remote side of an object from the connection that it names, or from the error of the lookup.
func (s *Set) Remote(conn *connection.Connection, err error) Remote {
	return Remote{mirrors: s, conn: conn, err: err}
}

// Usable reports whether a connection can be used.
func (r Remote) Usable() bool { return r.err == nil }

// Connection returns the connection, or why none can be used.
func (r Remote) Connection() (*connection.Connection, error) { return r.conn, r.err }

// Use returns the connection and its mirror, or why no connection can be used. From then on the users of the connection are
// polled.
func (r Remote) Use() (*connection.Connection, *Mirror, error) {
	if r.err != nil {
		return nil, nil, r.err
	}
	return r.conn, r.mirrors.For(r.conn), nil
}
