package app

import (
	"strings"
	"testing"
)

func TestTheApplicationAPINeedsACertificate(t *testing.T) {
	t.Parallel()
	const certificate, key = "--application-api-tls-cert-file=x", "--application-api-tls-key-file=y"
	for _, args := range [][]string{
		{},
		{"--application-api-bind-address=0"},
		{"--application-api-bind-address=127.0.0.1:8444"},
		{"--application-api-bind-address=[::1]:8444"},
		{"--application-api-bind-address=:8444", certificate, key},
	} {
		if _, err := parsed(t, args...); err != nil {
			t.Errorf("%v: %v", args, err)
		}
	}
	for _, args := range [][]string{
		{"--application-api-bind-address=:8444"},
		{"--application-api-bind-address=10.0.0.1:8444"},
		{"--application-api-bind-address=:8444", certificate},
		{"--application-api-bind-address=127.0.0.1:8444", "--application-api-audience="},
	} {
		if _, err := parsed(t, args...); err == nil || !strings.Contains(err.Error(), "--application-api-") {
			t.Errorf("%v: %v", args, err)
		}
	}
}

func TestWhereOthersReachTheApplicationAPI(t *testing.T) {
	secure := func(address string) *ApplicationAPIOptions {
		return &ApplicationAPIOptions{BindAddress: address, TLSCertFile: "x", TLSKeyFile: "y"}
	}
	check := func(options *ApplicationAPIOptions, want string, fails bool) {
		t.Helper()
		got, err := options.advertised()
		if got != want || (err != nil) != fails {
			t.Errorf("%s: %q, %v", options.BindAddress, got, err)
		}
	}
	t.Setenv("POD_IP", "")
	check(secure("0"), "", false)
	check(&ApplicationAPIOptions{BindAddress: "127.0.0.1:8444"}, "", false) // calls are passed on by TLS only
	check(secure("127.0.0.1:8444"), "127.0.0.1:8444", false)
	check(secure(":8444"), "", true)
	check(secure("[::]:8444"), "", true)
	check(secure("8444"), "", true)
	t.Setenv("POD_IP", "fd00::7")
	check(secure(":8444"), "[fd00::7]:8444", false)
	check(secure("0.0.0.0:8444"), "[fd00::7]:8444", false)
}
