package lifecycle_test

import (
	"context"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle/lifecycletest"
)

// impatient is a catalog whose caller gives up as soon as the first record is
// written, as on an interrupt, and that refuses to work for a caller who has.
type impatient struct {
	lifecycle.Catalog
	giveUp context.CancelFunc
}

func (c impatient) Create(ctx context.Context, k *keyring.Key) (lifecycle.Record, error) {
	c.giveUp()
	return c.Catalog.Create(ctx, k)
}

func (c impatient) Replace(ctx context.Context, old lifecycle.Record, k *keyring.Key) (lifecycle.Record, error) {
	c.giveUp()
	if ctx.Err() != nil {
		return lifecycle.Record{}, &fault.Error{Kind: fault.Unavailable, Op: "replace", Cause: ctx.Err()}
	}
	return c.Catalog.Replace(ctx, old, k)
}

// TestCancelled: a verb that has begun is carried through and tells what it did; one
// that has not does nothing.
func TestCancelled(t *testing.T) {
	for name, tc := range map[string]struct {
		setup func(t *testing.T, m *lifecycletest.Memory)
		verb  func(ctx context.Context, s *lifecycle.Service) error
	}{
		"create": {func(*testing.T, *lifecycletest.Memory) {}, func(ctx context.Context, s *lifecycle.Service) error {
			_, err := s.Create(ctx, orders())
			return err
		}},
		"update": {created, func(ctx context.Context, s *lifecycle.Service) error {
			spec := orders()
			spec.Enabled = false
			_, err := s.Update(ctx, spec)
			return err
		}},
		"rotate": {func(t *testing.T, m *lifecycletest.Memory) { created(t, m); claimed(t, m.Run()) }, func(ctx context.Context, s *lifecycle.Service) error {
			_, instance, err := s.Rotate(ctx, "orders", weekly)
			if err == nil && instance != 2 {
				t.Errorf("Rotate made instance %d", instance)
			}
			return err
		}},
		"destroy": {created, func(ctx context.Context, s *lifecycle.Service) error { return s.Destroy(ctx, "orders") }},
	} {
		t.Run(name, func(t *testing.T) {
			m := lifecycletest.New(noon)
			tc.setup(t, m)
			s := m.Run()
			ctx, cancel := context.WithCancel(context.Background())
			s.Catalog = impatient{s.Catalog, cancel}
			if err := tc.verb(ctx, s); err != nil {
				t.Errorf("cancelled after its first write: %v", err)
			}
			if bad := m.Violations("orders"); bad != nil {
				t.Error(bad)
			}

			m = lifecycletest.New(noon)
			tc.setup(t, m)
			s = m.Run()
			if err := tc.verb(ctx, s); !fault.Is(err, fault.Unavailable) || m.Writes() != 0 {
				t.Errorf("cancelled before it began: %v, and %d writes", err, m.Writes())
			}
		})
	}
}
