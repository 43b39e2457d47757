package lifecycle_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle/lifecycletest"
)

// nobody and somebody rely on what was derived.
func nobody(context.Context) (bool, error)   { return false, nil }
func somebody(context.Context) (bool, error) { return true, nil }

// TestDerivationKey: it is made once, and computes the same in every run.
func TestDerivationKey(t *testing.T) {
	m := lifecycletest.New(noon)
	s := m.Run()
	if err := s.CheckDerivation(t.Context(), nobody); err != nil || m.Writes() != 0 {
		t.Fatalf("CheckDerivation: %v, %d writes", err, m.Writes())
	}
	root := must[int](t)(s.DerivationKey(t.Context(), nobody))
	mac := must[[]byte](t)(s.MAC(t.Context(), root, []byte("message")))
	if again := must[int](t)(m.Run().DerivationKey(t.Context(), nobody)); again != root || m.Writes() != 0 {
		t.Errorf("the next run derives with version %d after %d writes, the first one with %d", again, m.Writes(), root)
	}
	if again := must[[]byte](t)(m.Run().MAC(t.Context(), root, []byte("message"))); !bytes.Equal(again, mac) || len(mac) != 32 {
		t.Errorf("%x in one run, %x in the next", mac, again)
	}
	if other := must[[]byte](t)(s.MAC(t.Context(), root, []byte("massage"))); bytes.Equal(other, mac) {
		t.Error("two messages have the same MAC")
	}
	if bad := m.Violations(keyring.DerivationKeyName); bad != nil {
		t.Error(bad)
	}
	made := m.ObjectsOf(keyring.DerivationKeyName, root)
	if made.Allowed != keyring.Sign || made.Order.Extractable || !made.Birth.NeverExtractable {
		t.Errorf("the object is %+v", made)
	}
}

// TestDerivationKeyMadeAtOnce: calls that need it at the same time get one key.
func TestDerivationKeyMadeAtOnce(t *testing.T) {
	m := lifecycletest.New(noon)
	s := m.Run()
	var group sync.WaitGroup
	versions := make([]int, 20)
	for i := range versions {
		group.Go(func() {
			var err error
			if versions[i], err = s.DerivationKey(t.Context(), nobody); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if slices.ContainsFunc(versions, func(n int) bool { return n != 1 }) || len(m.Objects) != 1 {
		t.Errorf("versions %v, %d objects", versions, len(m.Objects))
	}
}

func TestDerivationKeyKilled(t *testing.T) {
	clean := lifecycletest.New(noon)
	must[int](t)(clean.Run().DerivationKey(t.Context(), nobody))
	total := clean.Writes()
	if total < 3 {
		t.Fatalf("only %d writes", total)
	}
	for n := 1; n <= total; n++ {
		for _, when := range []lifecycletest.When{lifecycletest.Before, lifecycletest.After} {
			t.Run(fmt.Sprintf("%s write %d of %d", when, n, total), func(t *testing.T) {
				m := lifecycletest.New(noon)
				if _, err := m.Doomed(n, when).DerivationKey(t.Context(), nobody); !fault.Is(err, fault.Unavailable) {
					t.Fatalf("the killed run says %v", err)
				}
				s := m.Run()
				root := must[int](t)(s.DerivationKey(t.Context(), nobody))
				must[[]byte](t)(s.MAC(t.Context(), root, nil))
				if bad := m.Violations(keyring.DerivationKeyName); bad != nil {
					t.Error(bad)
				}
			})
		}
	}
}

// TestDerivationKeyIsNobodys: no verb that owners have gets at it.
func TestDerivationKeyIsNobodys(t *testing.T) {
	m := withKey(t)
	s := m.Run()
	must[int](t)(s.DerivationKey(t.Context(), nobody))
	for _, k := range must[[]*keyring.Key](t)(s.List(t.Context())) {
		if k.Spec.Name != "orders" {
			t.Errorf("%s is listed", k.Spec.Name)
		}
	}
	_, err := s.Import(t.Context(), keyring.DerivationKeyName)
	wantFault(t, err, fault.Invalid, "not a usable key name")
	id := m.Key(keyring.DerivationKeyName).Versions[1].Ref.ID
	_, err = s.Adopt(t.Context(), lifecycle.Locator{ID: id}, "mine")
	wantFault(t, err, fault.Invalid, "not a usable key name")
	_, _, err = s.Claim(t.Context(), keyring.DerivationKeyName)
	wantFault(t, err, fault.Invalid, "not a usable key name")
	wantFault(t, s.Destroy(t.Context(), keyring.DerivationKeyName), fault.Protected, "deletion")
}

// TestDerivationRefuses: a key that is not the recorded one derives nothing.
func TestDerivationRefuses(t *testing.T) {
	objects := func(m *lifecycletest.Memory) *lifecycletest.Objects { return m.ObjectsOf(keyring.DerivationKeyName, 1) }
	for name, tc := range map[string]struct {
		tamper  func(m *lifecycletest.Memory)
		version int
		says    string
	}{
		"object gone":        {func(m *lifecycletest.Memory) { objects(m).Secrets = 0 }, 1, "no longer on the token"},
		"object doubled":     {func(m *lifecycletest.Memory) { objects(m).Secrets = 2 }, 1, "exactly one"},
		"object replaced":    {func(m *lifecycletest.Memory) { objects(m).Material = "another" }, 1, "somebody replaced it"},
		"record gone":        {func(m *lifecycletest.Memory) { delete(m.Records, keyring.DerivationKeyName) }, 1, "no record"},
		"version never made": {func(*lifecycletest.Memory) {}, 2, "no record"},
		"token emptied":      {func(m *lifecycletest.Memory) { clear(m.Records); clear(m.Objects); m.Stamp = "" }, 1, "emptied"},
	} {
		t.Run(name, func(t *testing.T) {
			m := lifecycletest.New(noon)
			must[int](t)(m.Run().DerivationKey(t.Context(), nobody))
			tc.tamper(m)
			mac, err := m.Run().MAC(t.Context(), tc.version, []byte("message"))
			wantFault(t, err, fault.Inconsistent, tc.says)
			if strings.Contains(err.(*fault.Error).Hint, "rotation") {
				t.Errorf("the hint speaks of a rotation, which the key has not: %v", err)
			}
			if mac != nil {
				t.Errorf("and yet: %x", mac)
			}
		})
	}
}

// TestDerivationKeyLost: a key that is relied on is never replaced, whatever was lost of
// it; one that nobody relies on is, by the next version if there is a record of it.
func TestDerivationKeyLost(t *testing.T) {
	for name, tc := range map[string]struct {
		lose func(m *lifecycletest.Memory)
		next int
	}{
		"record": {func(m *lifecycletest.Memory) { delete(m.Records, keyring.DerivationKeyName) }, 1},
		"object": {func(m *lifecycletest.Memory) { m.ObjectsOf(keyring.DerivationKeyName, 1).Secrets = 0 }, 2},
		"both": {func(m *lifecycletest.Memory) {
			delete(m.Objects, m.Key(keyring.DerivationKeyName).Versions[1].Ref.ID)
			delete(m.Records, keyring.DerivationKeyName)
		}, 1},
		"replaced": {func(m *lifecycletest.Memory) { m.ObjectsOf(keyring.DerivationKeyName, 1).Material = "another" }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			m := lifecycletest.New(noon)
			must[int](t)(m.Run().DerivationKey(t.Context(), nobody))
			tc.lose(m)
			s := m.Run()
			_, err := s.DerivationKey(t.Context(), somebody)
			wantFault(t, err, fault.Inconsistent, "")
			wantFault(t, s.CheckDerivation(t.Context(), somebody), fault.Inconsistent, "")
			wantFault(t, s.Derivable(t.Context(), 1), fault.Inconsistent, "")
			if !strings.Contains(err.(*fault.Error).Hint, "declare them anew") || m.Writes() != 0 {
				t.Errorf("%v; %d writes", err, m.Writes())
			}
			if err := s.CheckDerivation(t.Context(), nobody); err != nil {
				t.Error(err)
			}
			root := must[int](t)(s.DerivationKey(t.Context(), nobody))
			if root != tc.next {
				t.Errorf("version %d is made", root)
			}
			must[[]byte](t)(s.MAC(t.Context(), root, nil))
			if again := must[int](t)(m.Run().DerivationKey(t.Context(), somebody)); again != root {
				t.Errorf("the next run derives with version %d", again)
			}
		})
	}
}

// TestDerivationKeyDrifted: flags that somebody changed are put right where new secrets
// are about to be derived.
func TestDerivationKeyDrifted(t *testing.T) {
	m := lifecycletest.New(noon)
	must[int](t)(m.Run().DerivationKey(t.Context(), nobody))
	m.ObjectsOf(keyring.DerivationKeyName, 1).Allowed = keyring.Verify
	must[int](t)(m.Run().DerivationKey(t.Context(), nobody))
	if bad := m.Violations(keyring.DerivationKeyName); bad != nil {
		t.Error(bad)
	}
}

// TestNamedKeysStay: whatever names a key keeps it from being destroyed.
func TestNamedKeysStay(t *testing.T) {
	m := withKey(t)
	s := m.Run()
	trouble := &fault.Error{Kind: fault.Unavailable, Op: "read policies"}
	s.NamedBy = func(context.Context, string) ([]string, error) { return nil, trouble }
	wantFault(t, s.Destroy(t.Context(), "orders"), fault.Unavailable, "")
	s.NamedBy = func(_ context.Context, key string) ([]string, error) {
		return []string{`access policy "` + key + `-desk"`}, nil
	}
	wantFault(t, s.Destroy(t.Context(), "orders"), fault.Protected, `access policy "orders-desk"`)
	if m.Key("orders").Tombstone != nil || m.Writes() != 0 {
		t.Errorf("%d writes", m.Writes())
	}
	s.NamedBy = func(context.Context, string) ([]string, error) { return nil, nil }
	if err := s.Destroy(t.Context(), "orders"); err != nil || m.Key("orders").Tombstone == nil {
		t.Errorf("not removed: %v", err)
	}
	if !strings.Contains(fmt.Sprint(m.Key("orders").Tombstone), "disable") {
		t.Error("the tombstone does not say how")
	}
}
