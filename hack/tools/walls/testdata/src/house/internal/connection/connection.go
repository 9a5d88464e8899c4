package connection

import (
	"house/internal/smile"
	"house/internal/smile/transport"
)

type Connection struct {
	Client    *smile.Client
	Mutator   *smile.Mutator
	transport *transport.Transport
}

func New() *Connection {
	return &Connection{Client: &smile.Client{}, Mutator: smile.NewMutator(), transport: transport.New()}
}

func (c *Connection) RevokeAccount(id string) error { return c.Mutator.RevokeAccount(id) }
