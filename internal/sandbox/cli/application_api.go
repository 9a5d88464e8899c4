package cli

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/spf13/pflag"

	"github.com/smile-operator/smile-operator/internal/sandbox/applicationapi"
	"github.com/smile-operator/smile-operator/internal/sandbox/server"
)

// defaultApplicationAPI is the address of the application API, if the flag names none.
const defaultApplicationAPI = "127.0.0.1:8485"

func registerApplicationAPI(flags *pflag.FlagSet, address *string) {
	flags.StringVar(address, "application-api", "",
		"address at which to serve the operator's application API too, with fixed tokens; "+defaultApplicationAPI+" without a value")
	flags.Lookup("application-api").NoOptDefVal = defaultApplicationAPI
}

// serveApplicationAPI serves the application API besides the sandbox, which is at a URL, and prints how to call it. The caller
// must close the server that it returns; nil if the flag does not ask for one.
func (s settings) serveApplicationAPI(
	ctx context.Context, box *server.Sandbox, key, url string, secure security, out io.Writer,
) (*http.Server, error) {
	if s.applicationAPI == "" {
		return nil, nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.applicationAPI)
	if err != nil {
		return nil, fmt.Errorf("--application-api: %w", err)
	}
	serving := server.NewHTTPServer(box)
	serving.Handler = applicationapi.NewHandler(applicationapi.Config{
		Sandbox: box, Key: key, URL: url,
		Failed: func(err error) { fmt.Fprintln(out, "the application API:", err) },
	})
	serving.TLSConfig = secure.config
	go func() {
		if secure.config != nil {
			_ = serving.ServeTLS(listener, "", "")
			return
		}
		_ = serving.Serve(listener)
	}()
	fmt.Fprintf(out, "the application API listens on %s://%s\n"+
		"  POST /v1/namespaces/%s/smileusers/%s/token with Authorization: Bearer %s\n",
		secure.scheme(), listener.Addr(), applicationapi.Namespace, applicationapi.Users()[0], applicationapi.Token)
	return serving, nil
}
