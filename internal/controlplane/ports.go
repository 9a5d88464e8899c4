package controlplane

import (
	"context"
	"net"
	"strconv"
)

// loopback is the only address anything here listens on.
const loopback = "127.0.0.1"

// freePorts returns n different TCP ports that nobody listens on.
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

// FreeAddress returns an address of this machine, host:port, that nobody listens
// on or is given for about a minute.
func FreeAddress(ctx context.Context) (string, error) {
	port, err := freePort(ctx)
	return hostPort(port), err
}

// freePort returns a port that the kernel gives to nobody else for about a
// minute: a connection that the listening side closes first leaves the port in
// TIME_WAIT, where it can still be asked for by number but is not handed out.
// So two control planes starting at the same time do not collide.
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
