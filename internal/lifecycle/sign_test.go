package lifecycle_test

import (
	"context"
	"sync"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle/lifecycletest"
)

// TestAuditKey: the key that signs the log is made once, may only sign, is nobody's to
// manage, and gets a successor.
func TestAuditKey(t *testing.T) {
	ctx := context.Background()
	m := lifecycletest.New(noon)
	s := m.Run()
	if keys, err := s.AuditKeys(ctx); err != nil || keys != nil {
		t.Errorf("%+v, %v", keys, err)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if err := s.PrepareAuditKey(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	k := m.Key(keyring.AuditKeyName)
	if bad := m.Violations(keyring.AuditKeyName); bad != nil || k.Counter != 1 || k.Spec.Operations != keyring.Sign || k.Spec.Algorithm != keyring.ECP256 {
		t.Errorf("%q, %+v", bad, k.Spec)
	}
	if list, err := s.List(ctx); err != nil || len(list) > 0 {
		t.Errorf("listed: %+v, %v", list, err)
	}
	_, err := s.Import(ctx, keyring.AuditKeyName)
	wantFault(t, err, fault.Invalid, "not a usable key name")
	wantFault(t, s.Destroy(ctx, keyring.AuditKeyName), fault.Protected, "deletion")

	first, _, err := s.SignAudit(ctx, []byte("m"))
	if err != nil || first.Number != 1 {
		t.Errorf("%+v, %v", first, err)
	}
	next, err := s.RotateAuditKey(ctx)
	if err != nil || next.Number != 2 {
		t.Fatalf("%+v, %v", next, err)
	}
	if v, _, err := s.SignAudit(ctx, []byte("m")); err != nil || v.Number != 2 {
		t.Errorf("%+v, %v", v, err)
	}
	if keys, err := m.Run().AuditKeys(ctx); err != nil || len(keys) != 2 {
		t.Errorf("%+v, %v", keys, err)
	}
}

// TestAuditKeyLost: a key that was taken away is not replaced, which would silence the log.
func TestAuditKeyLost(t *testing.T) {
	ctx := context.Background()
	for name, take := range map[string]func(o *lifecycletest.Objects){
		"lost":     func(o *lifecycletest.Objects) { o.Secrets = 0 },
		"replaced": func(o *lifecycletest.Objects) { o.Material = "another" },
	} {
		t.Run(name, func(t *testing.T) {
			m := lifecycletest.New(noon)
			if err := m.Run().PrepareAuditKey(ctx); err != nil {
				t.Fatal(err)
			}
			take(m.ObjectsOf(keyring.AuditKeyName, 1))
			wantFault(t, m.Run().PrepareAuditKey(ctx), fault.Inconsistent, "audit settle")
			_, _, err := m.Run().SignAudit(ctx, []byte("m"))
			wantFault(t, err, fault.Inconsistent, "audit settle")
			for range 2 { // the second time there is nothing to do
				if err := m.Run().RenewAuditKey(ctx); err != nil {
					t.Fatal(err)
				}
			}
			if v, _, err := m.Run().SignAudit(ctx, []byte("m")); err != nil || v.Number != 2 {
				t.Errorf("signed by %+v, %v", v, err)
			}
			if k := m.Key(keyring.AuditKeyName); k.Versions[1].RevokedAt.IsZero() || k.Counter != 2 {
				t.Errorf("%+v", k)
			}
		})
	}
}
