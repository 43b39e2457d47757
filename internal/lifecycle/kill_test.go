package lifecycle_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle/lifecycletest"
	"github.com/keystead/terraform-provider-hsm/internal/rotation"
)

// TestKilledAtEveryWrite kills each verb before and after each of its writes, does
// what Terraform does next (the same verb again, by a new process), and checks
// every invariant.
func TestKilledAtEveryWrite(t *testing.T) {
	ctx := context.Background()
	rotated := func(schedule rotation.Schedule) func(*testing.T, *lifecycletest.Memory) {
		return func(t *testing.T, m *lifecycletest.Memory) {
			created(t, m)
			rotatedOnce(t, m.Run(), schedule)
		}
	}
	change := func(set func(*keyring.Spec)) func(*lifecycle.Service) error {
		return func(s *lifecycle.Service) error {
			spec := orders()
			set(&spec)
			_, err := s.Update(ctx, spec)
			return err
		}
	}
	advance := func(schedule rotation.Schedule, steps ...rotation.Step) func(*lifecycle.Service) error {
		return func(s *lifecycle.Service) error {
			_, err := s.Advance(ctx, "orders", 2, schedule, steps)
			return err
		}
	}
	rotate := func(schedule rotation.Schedule) func(*lifecycle.Service) error {
		return func(s *lifecycle.Service) error {
			_, _, err := s.Rotate(ctx, "orders", schedule)
			return err
		}
	}
	destroying, revoking, pinning, delaying := weekly, weekly, weekly, weekly
	destroying.RetireAction = keyring.RetireDestroys
	revoking.Revoke = map[int]keyring.Reason{1: keyring.KeyCompromise}
	pinning.Pinned = 1
	delaying.ActivationDelay = time.Hour

	for name, tc := range map[string]struct {
		setup  func(*testing.T, *lifecycletest.Memory)
		wait   time.Duration
		verb   func(*lifecycle.Service) error
		newest int  // the highest version number that a clean run ends with
		serves bool // whether some version has to be able to sign at any time
	}{
		"create": {setup: func(*testing.T, *lifecycletest.Memory) {}, verb: func(s *lifecycle.Service) error {
			_, err := s.Create(ctx, orders())
			if fault.Is(err, fault.Exists) { // killed after the commit: Terraform is told to import
				_, err = s.Restore(ctx, orders())
			}
			return err
		}, newest: 1},
		"create disabled": {setup: func(*testing.T, *lifecycletest.Memory) {}, verb: func(s *lifecycle.Service) error {
			spec := orders()
			spec.Enabled = false
			_, err := s.Create(ctx, spec)
			if fault.Is(err, fault.Exists) {
				_, err = s.Restore(ctx, spec)
			}
			return err
		}, newest: 1},
		"create again after removal": {setup: func(t *testing.T, m *lifecycletest.Memory) {
			created(t, m)
			if err := m.Run().Destroy(ctx, "orders"); err != nil {
				t.Fatal(err)
			}
		}, verb: func(s *lifecycle.Service) error {
			_, err := s.Create(ctx, orders())
			if fault.Is(err, fault.Exists) {
				_, err = s.Restore(ctx, orders())
			}
			return err
		}, newest: 2},
		"import": {setup: withWrapping, verb: func(s *lifecycle.Service) error {
			_, err := s.Bring(ctx, brought(1), lifecycletest.WrappedMaterial(keyring.ECP256))
			if fault.Is(err, fault.Exists) {
				_, err = s.Restore(ctx, brought(1))
			}
			return err
		}, newest: 1},
		"import the next version": {setup: func(t *testing.T, m *lifecycletest.Memory) {
			withWrapping(t, m)
			rotated(weekly)(t, m)
		}, verb: func(s *lifecycle.Service) error {
			_, err := s.Renew(ctx, brought(2), lifecycletest.WrappedMaterial(keyring.ECP256))
			return err
		}, newest: 3, serves: true},
		"suspend":                       {setup: rotated(weekly), verb: change(func(s *keyring.Spec) { s.Enabled = false }), newest: 2},
		"fewer operations":              {setup: rotated(weekly), verb: change(func(s *keyring.Spec) { s.Operations = keyring.Verify }), newest: 2},
		"rotate":                        {setup: rotated(weekly), verb: rotate(weekly), newest: 3, serves: true},
		"rotate, revoking":              {setup: rotated(weekly), verb: rotate(revoking), newest: 3},
		"rotate, delayed":               {setup: rotated(weekly), verb: rotate(delaying), newest: 3, serves: true},
		"rotate over a waiting version": {setup: rotated(delaying), verb: rotate(weekly), newest: 3, serves: true},
		"rotate by hand": {setup: rotated(weekly), verb: func(s *lifecycle.Service) error {
			_, err := s.RotateNow(ctx, "orders")
			return err
		}, newest: 3, serves: true},
		"revoke by hand": {setup: rotated(weekly), verb: func(s *lifecycle.Service) error {
			_, err := s.Revoke(ctx, "orders", 1, keyring.KeyCompromise)
			return err
		}, newest: 2, serves: true},
		"activate": {
			setup: rotated(delaying), wait: 2 * time.Hour, newest: 2, serves: true,
			verb: advance(delaying, rotation.Step{Verb: rotation.Activate, Version: 2}, rotation.Step{Verb: rotation.Demote, Version: 1}),
		},
		"retire":             {setup: rotated(weekly), wait: 2 * time.Hour, verb: advance(weekly, rotation.Step{Verb: rotation.Retire, Version: 1}), newest: 2, serves: true},
		"retire, destroying": {setup: rotated(weekly), wait: 2 * time.Hour, verb: advance(destroying, rotation.Step{Verb: rotation.Retire, Version: 1}), newest: 2, serves: true},
		"revoke":             {setup: rotated(weekly), verb: advance(revoking), newest: 2, serves: true},
		"pin":                {setup: rotated(weekly), verb: advance(pinning), newest: 2, serves: true},
		"destroy, disabling": {setup: rotated(weekly), verb: destroy(ctx), newest: 2},
		"destroy, destroying": {setup: func(t *testing.T, m *lifecycletest.Memory) {
			rotated(weekly)(t, m)
			spec := orders()
			spec.OnDestroy = keyring.DestroyDestroys
			must[*keyring.Key](t)(m.Run().Update(ctx, spec))
		}, verb: destroy(ctx), newest: 2},
		"adopt": {setup: func(t *testing.T, m *lifecycletest.Memory) { m.MakeElsewhere(t, "beef", "legacy") }, verb: func(s *lifecycle.Service) error {
			_, err := s.Adopt(ctx, lifecycle.Locator{ID: "beef"}, "orders")
			return err
		}, newest: 1},
	} {
		t.Run(name, func(t *testing.T) {
			clean := lifecycletest.New(noon)
			tc.setup(t, clean)
			clean.Pass(tc.wait)
			if err := tc.verb(clean.Run()); err != nil {
				t.Fatal(err)
			}
			if bad := clean.Violations("orders"); bad != nil {
				t.Fatalf("without any kill: %q", bad)
			}
			if got := clean.Key("orders").Counter; got != tc.newest {
				t.Fatalf("without any kill the counter is %d, want %d", got, tc.newest)
			}
			total := clean.Writes()
			if total == 0 {
				t.Fatal("the verb writes nothing")
			}
			for n := 1; n <= total; n++ {
				for _, when := range []lifecycletest.When{lifecycletest.Before, lifecycletest.After} {
					t.Run(fmt.Sprintf("%s write %d of %d", when, n, total), func(t *testing.T) {
						m := lifecycletest.New(noon)
						tc.setup(t, m)
						m.Pass(tc.wait)
						if err := tc.verb(m.Doomed(n, when)); !fault.Is(err, fault.Unavailable) {
							t.Fatalf("the killed run says %v", err)
						}
						if tc.serves && !m.Signs("orders") {
							t.Errorf("after the kill no version can sign: %+v", m.Key("orders"))
						}
						before := m.Key("orders")
						if err := tc.verb(m.Run()); err != nil {
							t.Fatalf("the next run: %v", err)
						}
						if bad := m.Violations("orders"); bad != nil {
							t.Errorf("%q\nrecord before the next run: %+v", bad, before)
						}
						if got := m.Key("orders").Counter; got > tc.newest+1 {
							t.Errorf("counter %d: more than one number was lost to one kill", got)
						}
						for number, v := range m.Key("orders").Versions {
							wanted := clean.Key("orders").Versions[number]
							isWanted := wanted != nil && !wanted.DestroyedAt.IsZero()
							if !v.DestroyedAt.IsZero() && !v.ActivatedAt.IsZero() && !isWanted {
								t.Errorf("version %d was active, and is destroyed without being asked to", number)
							}
						}
					})
				}
			}
		})
	}
}

// destroy does what Terraform does: it destroys what the refresh before has shown.
func destroy(ctx context.Context) func(*lifecycle.Service) error {
	return func(s *lifecycle.Service) error {
		_, err := s.Read(ctx, "orders", lifecycle.Known{Refs: []keyring.Ref{{ID: "as in the state"}}})
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err == nil {
			err = s.Release(ctx, "orders", 2)
		}
		if err != nil {
			return err
		}
		return s.Destroy(ctx, "orders")
	}
}
