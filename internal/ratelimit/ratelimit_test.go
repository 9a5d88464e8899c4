package ratelimit

import "testing"

func TestSources(t *testing.T) {
	t.Parallel()
	for remote, source := range map[string]string{
		"192.0.2.1:80": "192.0.2.1/32", "[::ffff:192.0.2.1]:80": "192.0.2.1/32", "[2001:db8:1:2:3::4]:80": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:80": "fe80::/64",
	} {
		if got := SourceOf(remote).String(); got != source {
			t.Errorf("%s is of %s, want %s", remote, got, source)
		}
	}
	for _, odd := range []string{"", "x", "@", "pipe:1"} {
		if SourceOf(odd).IsValid() {
			t.Errorf("%q gives a source, want none", odd)
		}
	}
}
