package revoker

import (
	"house/internal/connection"
	"house/internal/smile"
	"house/internal/smile/transport"
)

func permitted(c *connection.Connection) error {
	return c.RevokeAccount(c.Client.Account("a"))
}

func around(c *connection.Connection) error {
	_ = transport.New()    // want "only internal/connection changes something at Smile"
	transport.OnStandby()  // want "only internal/connection changes something at Smile"
	var m *smile.Mutator   // want "only internal/connection changes something at Smile"
	m = smile.NewMutator() // want "only internal/connection changes something at Smile"
	_ = m.Account("a")
	_ = c.Mutator.RevokeAccount("a") // want "only internal/connection changes something at Smile"
	revoke := m.RevokeAccount        // want "only internal/connection changes something at Smile"
	return revoke("a")
}
