package identity_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/identity"
	"github.com/smile-operator/smile-operator/internal/smile"
)

func keyOf(t testing.TB, fill byte) identity.Key {
	t.Helper()
	key, err := identity.ParseKey(bytes.Repeat([]byte{fill}, identity.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

var george = identity.Subject{Mode: v1alpha1.ModeSandbox, Scope: "shop", Name: "shop/george"}

func TestAStoredKeyGivesTheSameDigests(t *testing.T) {
	t.Parallel()
	made, stored := identity.NewKey()
	digest := made.Digest(george)
	read, err := identity.ParseKey(stored)
	if err != nil {
		t.Fatal(err)
	}
	clear(stored)
	for name, key := range map[string]identity.Key{"made": made, "read": read} {
		if got := key.Digest(george); got != digest {
			t.Errorf("the key %s gives %q, want %q", name, got, digest)
		}
	}
	if other, _ := identity.NewKey(); other.Digest(george) == digest {
		t.Error("two new keys are the same")
	}
}

func TestAKeyOfAnotherLengthIsRefused(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, identity.KeySize - 1, identity.KeySize + 1, 2 * identity.KeySize} {
		stored := bytes.Repeat([]byte("k"), size)
		if _, err := identity.ParseKey(stored); err == nil {
			t.Errorf("a key of %d bytes was accepted", size)
		} else if size > 1 && strings.Contains(err.Error(), "kk") {
			t.Errorf("the error quotes the key: %v", err)
		}
	}
}

// Digests and fingerprints are stored at Smile and in statuses: if either changed, no user would be recognized.
func TestDigestsNeverChange(t *testing.T) {
	t.Parallel()
	key := keyOf(t, 7)
	got := []string{string(key.Digest(george)), key.Fingerprint("pair", []byte("a"), []byte("b"))}
	want := []string{"hkFGByrdC0fQU1daCZRJxgg_dy-VlII3sh6dv5gCVTs", "RySsy_HrhdFiHxdzC_TaNL"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestADigestIsOfOneKeyAndOneSubject(t *testing.T) {
	t.Parallel()
	cases := map[string]identity.Subject{
		"itself":       george,
		"mode":         {Mode: v1alpha1.ModeProduction, Scope: "shop", Name: "shop/george"},
		"scope":        {Mode: v1alpha1.ModeSandbox, Scope: "shop2", Name: "shop/george"},
		"name":         {Mode: v1alpha1.ModeSandbox, Scope: "shop", Name: "shop/Georg"},
		"shifted":      {Mode: v1alpha1.ModeSandbox, Scope: "shopshop", Name: "/george"},
		"shifted back": {Mode: v1alpha1.ModeSandbox, Scope: "", Name: "shopshop/george"},
		"a length":     {Mode: v1alpha1.ModeSandbox, Scope: "shop11:shop/george", Name: ""},
		"nothing":      {},
	}
	seen := map[identity.Digest]string{}
	for _, fill := range []byte{1, 2} {
		for name, subject := range cases {
			name := fmt.Sprintf("%s under key %d", name, fill)
			digest := keyOf(t, fill).Digest(subject)
			if other, taken := seen[digest]; taken {
				t.Errorf("%s and %s have the same digest", name, other)
			}
			seen[digest] = name
		}
	}
}

// Two lists of parts that differ have different fingerprints, even if their concatenations are equal.
func TestDifferentListsHaveDifferentFingerprints(t *testing.T) {
	t.Parallel()
	key := keyOf(t, 3)
	rapid.Check(t, func(t *rapid.T) {
		whole := rapid.SliceOfN(rapid.SampledFrom([]byte("ab:0123")), 1, 12).Draw(t, "whole")
		cut := func(label string) [][]byte {
			at := rapid.IntRange(0, len(whole)).Draw(t, label)
			return [][]byte{whole[:at], whole[at:]}
		}
		a, b := cut("a"), cut("b")
		same := cmp.Equal(a, b)
		if equal := key.Fingerprint("p", a...) == key.Fingerprint("p", b...); equal != same {
			t.Fatalf("%q and %q: the same fingerprint is %v", a, b, equal)
		}
		if key.Fingerprint("p", whole) == key.Fingerprint("p", whole, nil) {
			t.Fatalf("%q with and without an empty part have the same fingerprint", whole)
		}
		if key.Fingerprint("p", whole) == key.Fingerprint("q", whole) {
			t.Fatal("two purposes have the same fingerprint")
		}
	})
}

func TestAKeyNeverPrints(t *testing.T) {
	t.Parallel()
	secret := []byte("wxyz456789-the-identity-key-abcd") // no start that a time in a log may contain
	key, err := identity.ParseKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	type holder struct {
		Shown  identity.Key
		hidden identity.Key
		within *identity.Key
	}
	values := map[string]any{
		"value": key, "pointer": &key, "list": []identity.Key{key}, "map": map[string]identity.Key{"k": key},
		"struct": holder{key, key, &key}, "pointer to struct": &holder{key, key, &key},
	}
	for name, value := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c", "%U", "%o", "%b", "%t"} {
			assertSecret(t, name+" "+verb, secret, fmt.Sprintf(verb, value))
		}
		text, err := json.Marshal(value)
		if err != nil {
			t.Error(err)
		}
		assertSecret(t, name+" json", secret, string(text))
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("m", "value", value)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "value", value)
		assertSecret(t, name+" slog", secret, log.String())
	}
}

// assertSecret searches for the start of the secret in every form in which it may be printed.
func assertSecret(t *testing.T, how string, secret []byte, printed string) {
	t.Helper()
	start := secret[:4]
	forms := []string{
		string(start), hex.EncodeToString(start), strings.ToUpper(hex.EncodeToString(start)),
		base64.StdEncoding.EncodeToString(secret)[:6], strings.Trim(fmt.Sprintf("%d", start), "[]"),
		strings.Trim(fmt.Sprintf("%c", start), "[]"), strings.Trim(fmt.Sprintf("%U", start), "[]"),
		strings.Trim(fmt.Sprintf("%o", start), "[]"), strings.Trim(fmt.Sprintf("%b", start), "[]"),
		strings.Trim(strings.TrimPrefix(fmt.Sprintf("%#v", start), "[]byte"), "{}"),
	}
	for _, form := range forms {
		if strings.Contains(printed, form) {
			t.Errorf("%s prints the key as %q: %s", how, form, printed)
		}
	}
}

func TestAMarkerIsParsedAsItWasWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		key, _ := identity.NewKey()
		want := identity.Marker{
			UID: types.UID(rapid.StringMatching(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}`).Draw(t, "uid")),
			Digest: key.Digest(identity.Subject{
				Mode: v1alpha1.ModeSandbox, Scope: rapid.String().Draw(t, "scope"), Name: rapid.String().Draw(t, "name"),
			}),
		}
		got, ok, err := identity.ParseMarker(map[string]string{v1alpha1.MetadataOwner: want.String(), "channel": "web"})
		if err != nil || !ok || got != want {
			t.Fatalf("%v became %v, %v, %v", want, got, ok, err)
		}
	})
}

func TestAMarkerFitsIntoMetadata(t *testing.T) {
	t.Parallel()
	marker := identity.Marker{UID: "0b5f7c0e-6f8f-4a57-8a3e-0c2f6f0b1a11", Digest: keyOf(t, 1).Digest(george)}
	if got := len(marker.String()); got > smile.MaxMetadataValueLength {
		t.Errorf("the value has %d characters", got)
	}
	if got := len(v1alpha1.MetadataOwner); got > smile.MaxMetadataKeyLength {
		t.Errorf("the key has %d characters", got)
	}
}

func TestMarkersOfOtherForms(t *testing.T) {
	t.Parallel()
	for text, wantErr := range map[string]error{
		"":            identity.ErrMarker,
		"v1":          identity.ErrMarker,
		"v1.uid":      identity.ErrMarker,
		"v1..digest":  identity.ErrMarker,
		"v1.uid.":     identity.ErrMarker,
		"v1.uid.d.e":  identity.ErrMarker,
		"v2.uid.d":    identity.ErrMarker,
		"V1.uid.d":    identity.ErrMarker,
		"alice":       identity.ErrMarker,
		"v1.uid.dige": nil,
	} {
		_, ok, err := identity.ParseMarker(map[string]string{v1alpha1.MetadataOwner: text})
		if !errors.Is(err, wantErr) || ok != (wantErr == nil) {
			t.Errorf("%q: %v, %v", text, ok, err)
		}
	}
	for _, metadata := range []map[string]string{nil, {}, {"channel": "web"}} {
		if _, ok, err := identity.ParseMarker(metadata); ok || err != nil {
			t.Errorf("%v: %v, %v", metadata, ok, err)
		}
	}
}

// A marker that is accepted is written as it was read: parsing loses and adds nothing.
func FuzzParseMarker(f *testing.F) {
	for _, seed := range []string{"", "v1.uid.digest", "v1..", "v1.a.b.c", "v2.a.b", "v1.\x00.\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		marker, ok, err := identity.ParseMarker(map[string]string{v1alpha1.MetadataOwner: text})
		switch {
		case ok == (err != nil):
			t.Fatalf("%q: ok %v with error %v", text, ok, err)
		case ok && (marker.String() != text || marker.UID == "" || marker.Digest == ""):
			t.Fatalf("%q became %q", text, marker)
		case !ok && marker != identity.Marker{}:
			t.Fatalf("%q is refused, but also returns %q", text, marker)
		}
	})
}
