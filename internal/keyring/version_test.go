package keyring_test

import (
	"regexp"
	"slices"
	"testing"
	"time"

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

func TestRecordAppends(t *testing.T) {
	v := version(1, nil)
	v.Record(t0, "generated", "alice@build", "")
	v.Record(t1, "deactivated", "bob@build", "rotation")
	want := []keyring.Transition{
		{At: t0, What: "generated", Actor: "alice@build"},
		{At: t1, What: "deactivated", Actor: "bob@build", Reason: "rotation"},
	}
	if !slices.Equal(v.History, want) {
		t.Errorf("got %+v", v.History)
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
