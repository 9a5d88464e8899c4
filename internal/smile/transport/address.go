package transport

import (
	"errors"
	"fmt"
	"net/netip"
)

// globalUnicast is the part of IPv6 that is assigned to the public Internet. Blocks outside it, such as ::/96, fc00::/7 and
// 5f00::/16, need no entry below.
var globalUnicast = netip.MustParsePrefix("2000::/3")

// nat64 addresses contain an IPv4 address in their last four bytes (RFC 6052).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// block is a block of addresses that are not public, or at which there is no API.
type block struct{ prefix, source, purpose string }

// specialPurpose lists IANA's special-purpose address registries for IPv4, and for IPv6 within 2000::/3.
var specialPurpose = parsed([]block{
	{"0.0.0.0/8", "RFC 791", "this network"},
	{"10.0.0.0/8", "RFC 1918", "private use"},
	{"100.64.0.0/10", "RFC 6598", "shared by carriers, and inside clouds"},
	{"127.0.0.0/8", "RFC 1122", "loopback"},
	{"169.254.0.0/16", "RFC 3927", "link-local, metadata services"},
	{"172.16.0.0/12", "RFC 1918", "private use"},
	{"192.0.0.0/24", "RFC 6890", "protocol assignments"},
	{"192.0.2.0/24", "RFC 5737", "documentation"},
	{"192.31.196.0/24", "RFC 7535", "AS112"},
	{"192.52.193.0/24", "RFC 7450", "automatic multicast tunneling"},
	{"192.88.99.0/24", "RFC 7526", "6to4 relay anycast"},
	{"192.168.0.0/16", "RFC 1918", "private use"},
	{"192.175.48.0/24", "RFC 7534", "AS112"},
	{"198.18.0.0/15", "RFC 2544", "benchmarks"},
	{"198.51.100.0/24", "RFC 5737", "documentation"},
	{"203.0.113.0/24", "RFC 5737", "documentation"},
	{"224.0.0.0/4", "RFC 5771", "multicast"},
	{"240.0.0.0/4", "RFC 1112", "reserved, broadcast"},
	{"2001::/23", "RFC 2928", "protocol assignments: Teredo, ORCHID and others"},
	{"2001:db8::/32", "RFC 3849", "documentation"},
	{"2002::/16", "RFC 3056", "6to4, which embeds an IPv4 address"},
	{"2620:4f:8000::/48", "RFC 7534", "AS112"},
	{"3ffe::/16", "RFC 3701", "the former 6bone"},
	{"3fff::/20", "RFC 9637", "documentation"},
})

func parsed(blocks []block) []netip.Prefix {
	prefixes := make([]netip.Prefix, len(blocks))
	for i, b := range blocks {
		prefixes[i] = netip.MustParsePrefix(b.prefix)
	}
	return prefixes
}

// isPublic reports whether an address is one of the public Internet.
func isPublic(address netip.Addr) bool {
	address = address.Unmap().WithZone("")
	if nat64.Contains(address) {
		bytes := address.As16()
		return isPublic(netip.AddrFrom4([4]byte(bytes[12:])))
	}
	return (address.Is4() || globalUnicast.Contains(address)) && !within(specialPurpose, address)
}

func within(prefixes []netip.Prefix, address netip.Addr) bool {
	for _, prefix := range prefixes {
		if prefix.Contains(address) {
			return true
		}
	}
	return false
}

// neverExempt are addresses that no gateway has: loopback, link-local (which has metadata services) and multicast.
var neverExempt = parsed([]block{
	{"127.0.0.0/8", "RFC 1122", ""},
	{"::1/128", "RFC 4291", ""},
	{"0.0.0.0/8", "RFC 791", ""},
	{"::/128", "RFC 4291", ""},
	{"169.254.0.0/16", "RFC 3927", ""},
	{"fe80::/10", "RFC 4291", ""},
	{"224.0.0.0/4", "RFC 5771", ""},
	{"ff00::/8", "RFC 4291", ""},
	{"fd00:ec2::254/128", "metadata service of a cloud", ""},
})

// parseExemption reads a CIDR of --vendor-address-exemptions.
func parseExemption(text string) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(text)
	if err != nil || prefix != prefix.Masked() || prefix.Addr().Is4In6() {
		return netip.Prefix{}, errors.New("it is not a CIDR such as 10.20.0.0/16 or fd00:20::/64")
	}
	for _, never := range neverExempt {
		if prefix.Overlaps(never) {
			return netip.Prefix{}, fmt.Errorf("it contains addresses of %s, which are never called", never)
		}
	}
	return prefix, nil
}
