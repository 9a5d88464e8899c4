package transport

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/smile-operator/smile-operator/internal/smile"
)

func TestWhichAddressesArePublic(t *testing.T) {
	public := []string{
		"1.1.1.1", "18.142.61.230", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0",
		"192.0.1.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "::ffff:1.1.1.1",
		"2606:4700::1111", "2000::1", "2001:200::1", "2400:cb00::1", "2a00:1450::1", "3ffd::1", "3fff:1000::1", "64:ff9b::101:101",
	}
	local := []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.8.8.8", "169.254.169.254",
		"172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.9", "192.0.0.170", "192.0.2.1", "192.31.196.1", "192.52.193.1", "192.88.99.1",
		"192.168.0.1", "192.175.48.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1",
		"224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::127.0.0.1", "::10.0.0.1", "::1.1.1.1", "::ffff:0:127.0.0.1", "::ffff:0:1.1.1.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
		"64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::c058:6301", "64:ff9b:1::1", "64:ff9b:1::101:101", "64:ff9b:0:0:1::",
		"100::1", "100:0:0:1::1", "1fff::1", "2001::1", "2001:2::1", "2001:10::1", "2001:20::1", "2001:1ff::1", "2001:db8::1",
		"2002:7f00:1::", "2002:101:101::1", "2620:4f:8000::1", "3ffe::1", "3fff::1", "3fff:fff::1", "4000::1", "5f00::1", "8000::1",
		"fc00::1", "fd00:ec2::254", "fd12::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "ff0e::1",
	}
	for want, texts := range map[bool][]string{true: public, false: local} {
		for _, text := range texts {
			if got := isPublic(netip.MustParseAddr(text)); got != want {
				t.Errorf("%s is public: %v", text, got)
			}
		}
	}
}

func TestExemptions(t *testing.T) {
	for _, text := range []string{"10.20.0.0/16", "10.20.30.40/32", "fd00:20::/64", "100.64.0.0/10", "172.16.0.0/12"} {
		if _, err := NewHostPolicy("", nil, text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{
		"", "10.20.0.1", "10.20.0.1/16", "10.20.0.0/33", "::ffff:10.0.0.0/104", "0.0.0.0/0", "::/0", "127.0.0.1/32", "127.0.0.0/8",
		"169.254.169.254/32", "::1/128", "fe80::/10", "fd00::/8", "224.0.0.0/4", "internal.corp",
	} {
		if _, err := NewHostPolicy("", nil, "10.0.0.0/8", text); err == nil || !strings.Contains(err.Error(), "--vendor-address-exemptions: entry 2: ") {
			t.Errorf("%q is accepted: %v", text, err)
		}
	}
}

func TestWhatAnExemptionCovers(t *testing.T) {
	exempt := []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16")}
	for address, permitted := range map[string]bool{
		"10.20.1.1:443": true, "[::ffff:10.20.1.1]:443": true, "1.1.1.1:443": true, "10.21.1.1:443": false, "127.0.0.1:443": false, "[::1]:443": false,
	} {
		if err := requirePublicOr(exempt)("tcp", address, nil); (err == nil) != permitted {
			t.Errorf("%s: %v", address, err)
		}
		if err := requirePublicOr(nil)("tcp", address, nil); (err == nil) != (address == "1.1.1.1:443") {
			t.Errorf("%s without exemptions: %v", address, err)
		}
	}
}

// TestOnlyTheVendorsHostsAreExempt dials a local server as one of the vendor's hosts, and as another host that is listed.
func TestOnlyTheVendorsHostsAreExempt(t *testing.T) {
	address := server(t, good).Listener.Addr().String()
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	for name, test := range map[string]struct {
		vendor    bool
		exempt    []netip.Prefix
		permitted bool
	}{
		"the vendor's host, and both agree":          {true, loopback, true},
		"the vendor's host, and the Secret does not": {true, nil, false},
		"another host": {false, loopback, false},
	} {
		policy := vendorHosts()
		policy.vendor[address] = test.vendor
		conn, err := dialer(policy, nil, test.exempt, nil)(t.Context(), "tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		if _, refused := errors.AsType[*smile.HostError](err); refused == test.permitted {
			t.Errorf("%s: %v", name, err)
		}
	}
}
