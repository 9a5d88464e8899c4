package controlplane

import (
	"context"
	"net"
	"strconv"
)

// loopback is the only address that the components listen on.
const loopback = "127.0.0.1"

// freePorts returns n different TCP ports that are free.
func freePorts(ctx context.Context, n int) ([]int, error) {
	ports := make([]int, n)
	for i := range ports {
		var err error
		if ports[i], err = freePort(ctx); err != nil {
			return nil, err
		}
	}
	return ports, nil
}

// FreeAddress returns a loopback address, host:port, whose port is free. The kernel gives that port to nobody else for about a
// minute.
func FreeAddress(ctx context.Context) (string, error) {
	port, err := freePort(ctx)
	return hostPort(port), err
}

// freePort returns a port that the kernel gives to nobody else for about a minute. If the listening side of a connection closes
// first, its port stays in TIME_WAIT: it can be requested by number, but is not chosen for others. So two control planes that
// start at the same time do not collide.
func freePort(ctx context.Context) (int, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(loopback, "0"))
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	client, err := new(net.Dialer).DialContext(ctx, "tcp", listener.Addr().String())
	if err != nil {
		return 0, err
	}
	defer client.Close()
	server, err := listener.Accept()
	if err != nil {
		return 0, err
	}
	if err := server.Close(); err != nil {
		return 0, err
	}
	return listener.Addr().(*net.TCPAddr).Port, nil
}

func hostPort(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }
