package broker

// Close closes the connections of a forwarder.
func Close(f *Forwarder) { f.close() }
