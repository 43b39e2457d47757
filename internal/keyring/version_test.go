package keyring_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/history"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

func TestNewRef(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		ref := keyring.NewRef("orders", 12, keyring.ECP256)
		if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(ref.ID) || seen[ref.ID] {
			t.Fatalf("the id %q is not 16 fresh octets in hexadecimal", ref.ID)
		}
		seen[ref.ID] = true
		if ref.Label != "orders:12" || !ref.Pair {
			t.Fatalf("got %+v", ref)
		}
	}
	if keyring.NewRef("orders", 1, keyring.AES256).Pair {
		t.Error("a secret key is no pair")
	}
}

// TestNote: a record that an older version of the provider wrote goes on with a chain.
func TestNote(t *testing.T) {
	k := &keyring.Key{Counter: 2, Versions: map[int]*keyring.Version{1: version(1, nil), 2: version(2, nil)}}
	k.Versions[1].Earlier = []keyring.Transition{{At: t0, What: "generated", Actor: "alice@build"}, {At: t1, What: "deactivated", Actor: "bob@build", Reason: "rotated"}}
	k.Versions[2].Earlier = []keyring.Transition{{At: t1, What: "activated", Actor: "bob@build"}}
	before := k.Clone()
	k.Note(history.Entry{At: t1, What: history.Updated, Actor: "carol@build"})
	k.Note(history.Entry{At: t1, What: history.Removed, Actor: "carol@build"})
	var got []string
	for _, e := range k.Chain.All() {
		got = append(got, fmt.Sprint(e.Seq, " ", e.What, " ", e.Version, " ", e.Actor, " ", e.Reason))
	}
	want := []string{"1 generated 1 alice@build ", "2 deactivated 1 bob@build rotated", "3 activated 2 bob@build ", "4 updated 0 carol@build ", "5 removed 0 carol@build "}
	if !slices.Equal(got, want) || k.Flaw() != "" {
		t.Errorf("%s\ngot  %q\nwant %q", k.Flaw(), got, want)
	}
	if len(k.Versions[1].Earlier)+len(k.Versions[2].Earlier) != 0 || len(before.Versions[1].Earlier) != 2 || !before.Chain.IsZero() {
		t.Errorf("%+v, before %+v", k.Versions[1], before.Versions[1])
	}
	k.Chain.Entries[1].Actor = "eve"
	if flaw := k.Flaw(); !strings.Contains(flaw, "entry 2") {
		t.Errorf("%q", flaw)
	}
}

func TestReasonNames(t *testing.T) {
	want := []string{"key_compromise", "affiliation_changed", "superseded", "cessation_of_operation", "privilege_withdrawn", "unspecified"}
	if got := keyring.ReasonNames(); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestWaiting(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, tc := range map[string]struct {
		version keyring.Version
		want    bool
	}{
		"made, and not used yet": {keyring.Version{CreatedAt: at, ActivateAfter: at}, true},
		"still being made":       {keyring.Version{Pending: true}, false},
		"activated":              {keyring.Version{ActivatedAt: at}, false},
		"revoked before its use": {keyring.Version{DeactivatedAt: at, RevokedAt: at}, false},
		"overtaken":              {keyring.Version{DestroyedAt: at}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.version.Waiting(); got != tc.want {
				t.Errorf("Waiting = %v", got)
			}
		})
	}
}
