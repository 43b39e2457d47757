package lifecycle_test

import (
	"context"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle/lifecycletest"
)

// scanned is a catalog that answers from an earlier scan, until it is told to look.
type scanned struct {
	lifecycle.Catalog
	remembered map[string]lifecycle.Record
}

func (s *scanned) Load(ctx context.Context, name string) (lifecycle.Record, error) {
	if rec, ok := s.remembered[name]; ok {
		rec.Body = rec.Body.Clone()
		return rec, nil
	}
	return s.Catalog.Load(ctx, name)
}

func (s *scanned) Look(ctx context.Context, name string) (lifecycle.Record, error) {
	delete(s.remembered, name)
	return s.Catalog.Look(ctx, name)
}

// intents is a catalog whose new records somebody else scans at once.
type intents struct {
	lifecycle.Catalog
	seen map[string]lifecycle.Record
}

func (i intents) Create(ctx context.Context, k *keyring.Key) (lifecycle.Record, error) {
	rec, err := i.Catalog.Create(ctx, k)
	if err == nil {
		i.seen[k.Spec.Name] = lifecycle.Record{Body: rec.Body.Clone(), Generation: rec.Generation, ID: rec.ID}
	}
	return rec, err
}

// TestFinishedSinceTheScan: an intent that was seen in a scan, of a run that has ended
// since, is no reason to destroy what that run has made.
func TestFinishedSinceTheScan(t *testing.T) {
	ctx := context.Background()
	m := lifecycletest.New(noon)
	seen := map[string]lifecycle.Record{}
	first := m.Run()
	first.Catalog = intents{first.Catalog, seen}
	must[*keyring.Key](t)(first.Create(ctx, orders()))
	if len(seen) != 1 {
		t.Fatal("there was no intent to see")
	}
	second := m.Run()
	second.Catalog = &scanned{second.Catalog, seen}
	if _, err := second.Create(ctx, orders()); !fault.Is(err, fault.Exists) {
		t.Errorf("%v", err)
	}
	if bad := m.Violations("orders"); bad != nil {
		t.Errorf("%q", bad)
	}
}

// TestDerivationKeyOfARival: whoever needs the derivation key while another run makes it
// waits for that one.
func TestDerivationKeyOfARival(t *testing.T) {
	ctx := context.Background()
	m := lifecycletest.New(noon)
	if _, err := m.Doomed(3, lifecycletest.Before).DerivationKey(ctx, nobody); !fault.Is(err, fault.Unavailable) {
		t.Fatal(err)
	}
	asked := 0
	s := m.Run()
	s.Alive = func(keyring.Work) bool { asked++; return asked < 3 }
	if n := must[int](t)(s.DerivationKey(ctx, nobody)); n == 0 || asked != 3 {
		t.Errorf("version %d after %d looks at the rival", n, asked)
	}
	if bad := m.Violations(keyring.DerivationKeyName); bad != nil {
		t.Errorf("%q", bad)
	}
}
