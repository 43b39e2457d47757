package torture_test

import (
	"context"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
	"github.com/keystead/terraform-provider-hsm/internal/policy"
	"github.com/keystead/terraform-provider-hsm/internal/provider"
	"github.com/keystead/terraform-provider-hsm/internal/rotation"
)

type (
	// act is something that a run does with the services.
	act func(context.Context, *provider.Services) error

	// verb is what is disturbed, and what comes before it.
	verb struct {
		setup []act
		wait  time.Duration
		do    act
		// cold has the run find out what the token can do while it is disturbed.
		cold bool
		// foreign puts a key on the token, before everything else, that the provider is
		// not told of.
		foreign bool
	}
)

// stranger is the id of the foreign key.
const stranger = "beef"

var weekly = rotation.Schedule{Every: 7 * 24 * time.Hour, Overlap: time.Hour, RetireAction: keyring.RetireDisables}

func orders(a keyring.Algorithm) keyring.Spec {
	return keyring.Spec{
		Name: "orders", Algorithm: a, Operations: a.DefaultOperations(), Enabled: true, OnDestroy: keyring.DestroyDisables,
	}
}

// create does what Terraform and its user do: a name that is taken, because a run that
// failed had made it nevertheless, is imported, and applied to.
func create(spec keyring.Spec) act {
	return func(ctx context.Context, s *provider.Services) error {
		_, err := s.Keys.Create(ctx, spec)
		if fault.Is(err, fault.Exists) {
			_, err = s.Keys.Restore(ctx, spec)
		}
		return err
	}
}

func update(spec keyring.Spec) act {
	return func(ctx context.Context, s *provider.Services) error { _, err := s.Keys.Update(ctx, spec); return err }
}

func rotate(schedule rotation.Schedule) act {
	return func(ctx context.Context, s *provider.Services) error {
		_, _, err := s.Keys.Rotate(ctx, "orders", schedule)
		return err
	}
}

func advance(schedule rotation.Schedule, steps ...rotation.Step) act {
	return func(ctx context.Context, s *provider.Services) error {
		_, err := s.Keys.Advance(ctx, "orders", 2, schedule, steps)
		return err
	}
}

// remove destroys, as Terraform does, first the rotation and then the key.
func remove(ctx context.Context, s *provider.Services) error {
	if _, err := s.Keys.Read(ctx, "orders", lifecycle.Known{Refs: []keyring.Ref{{ID: "00"}}}); fault.Is(err, fault.NotFound) {
		return nil
	} else if err != nil {
		return err
	}
	if err := s.Keys.Release(ctx, "orders", 2); err != nil {
		return err
	}
	return s.Keys.Destroy(ctx, "orders")
}

// refresh reads all that a state knows of.
func refresh(ctx context.Context, s *provider.Services) error {
	if _, err := s.Keys.Read(ctx, "orders", lifecycle.Known{Refs: []keyring.Ref{{ID: "00"}}}); err != nil {
		return err
	}
	if _, err := s.Credentials.Read(ctx, "bot", true); err != nil {
		return err
	}
	_, err := s.Policies.Read(ctx, "bot", true)
	return err
}

func bot() credential.Spec {
	return credential.Spec{
		Name: "bot", Owner: "spot-desk", Enabled: true, Type: credential.SharedSecret, Algorithm: credential.HMACSHA512,
		Overlap: time.Hour, RotateWhenChanged: map[string]string{"incident": "none"},
	}
}

func issue(ctx context.Context, s *provider.Services) error {
	_, err := s.Credentials.Create(ctx, bot())
	if fault.Is(err, fault.Exists) {
		_, err = s.Credentials.Update(ctx, bot(), false)
	}
	return err
}

func reissue(ctx context.Context, s *provider.Services) error {
	spec := bot()
	spec.RotateWhenChanged = map[string]string{"incident": "one"}
	_, err := s.Credentials.Update(ctx, spec, true)
	return err
}

func access() policy.Spec {
	return policy.Spec{Name: "bot", Enabled: true, Statements: []policy.Statement{
		{Effect: policy.Permit, Principals: []string{"bot"}, Actions: []string{"sign"}, Keys: []string{"orders"}},
	}}
}

func permit(ctx context.Context, s *provider.Services) error {
	_, err := s.Policies.Create(ctx, access())
	if fault.Is(err, fault.Exists) {
		_, err = s.Policies.Update(ctx, access())
	}
	return err
}

// verbs are all that a provider does to a token.
func verbs() map[string]verb {
	ec := orders(keyring.ECP256)
	destroyed, disabled, narrowed := ec, ec, orders(keyring.AES256)
	destroyed.OnDestroy, disabled.Enabled = keyring.DestroyDestroys, false
	narrowed.Operations &^= keyring.Wrap | keyring.Unwrap
	destroying, revoking, delaying, pinning := weekly, weekly, weekly, weekly
	destroying.RetireAction = keyring.RetireDestroys
	revoking.Revoke = map[int]keyring.Reason{1: keyring.KeyCompromise}
	delaying.ActivationDelay = 30 * time.Minute
	pinning.Pinned = 1
	twice := func(s rotation.Schedule) []act { return []act{create(ec), rotate(s), rotate(s)} }
	whole := []act{create(ec), rotate(weekly), issue, permit}
	return map[string]verb{
		"find out what the token can do":   {cold: true, do: func(ctx context.Context, s *provider.Services) error { _, err := s.Keys.Capabilities(ctx); return err }},
		"create a pair, on an empty token": {do: create(ec)},
		"create a secret key":              {setup: []act{issue}, do: create(orders(keyring.AES256))},
		"create again after a removal":     {setup: []act{create(destroyed), rotate(weekly), rotate(weekly), remove}, do: create(destroyed)},
		"rotate":                           {setup: []act{create(ec), rotate(weekly)}, do: rotate(weekly)},
		"rotate, with activation delayed":  {setup: []act{create(ec), rotate(weekly)}, do: rotate(delaying)},
		"rotate, revoking":                 {setup: []act{create(ec), rotate(weekly)}, do: rotate(revoking)},
		"activate":                         {setup: twice(delaying), wait: 40 * time.Minute, do: advance(delaying, rotation.Step{Verb: rotation.Activate, Version: 2}, rotation.Step{Verb: rotation.Demote, Version: 1})},
		"retire":                           {setup: twice(weekly), wait: 2 * time.Hour, do: advance(weekly, rotation.Step{Verb: rotation.Retire, Version: 1})},
		"retire, destroying":               {setup: twice(weekly), wait: 2 * time.Hour, do: advance(destroying, rotation.Step{Verb: rotation.Retire, Version: 1})},
		"revoke":                           {setup: twice(weekly), do: advance(revoking)},
		"pin":                              {setup: twice(weekly), do: advance(pinning)},
		"suspend":                          {setup: twice(weekly), do: update(disabled)},
		"allow less":                       {setup: []act{create(orders(keyring.AES256)), rotate(weekly), rotate(weekly)}, do: update(narrowed)},
		"remove, disabling":                {setup: twice(weekly), do: remove},
		"remove, destroying":               {setup: []act{create(destroyed), rotate(weekly), rotate(weekly)}, do: remove},
		"adopt":                            {foreign: true, do: adopt},
		"refresh":                          {setup: whole, do: refresh},
		"issue a credential":               {setup: []act{create(ec)}, do: issue},
		"issue a new version of one":       {setup: whole, do: reissue},
		"reveal a secret": {setup: whole, do: func(ctx context.Context, s *provider.Services) error {
			_, _, err := s.Credentials.Secret(ctx, "bot", 0)
			return err
		}},
		"remove a credential": {setup: whole, do: func(ctx context.Context, s *provider.Services) error { return s.Credentials.Destroy(ctx, "bot") }},
		"make a policy":       {setup: []act{create(ec), issue}, do: permit},
		"change a policy": {setup: whole, do: func(ctx context.Context, s *provider.Services) error {
			_, err := s.Policies.Update(ctx, access())
			return err
		}},
		"remove a policy": {setup: whole, do: func(ctx context.Context, s *provider.Services) error { return s.Policies.Destroy(ctx, "bot") }},
	}
}

func adopt(ctx context.Context, s *provider.Services) error {
	_, err := s.Keys.Adopt(ctx, lifecycle.Locator{ID: stranger}, "orders")
	return err
}

// prepare brings the token to where a verb begins, and the clock too.
func (b *bench) prepare(v verb) *snapshot {
	b.t.Helper()
	b.clock = start
	if v.foreign {
		b.token.Tool(b.t, "--keypairgen", "--key-type", "EC:prime256v1", "--id", stranger, "--label", "legacy")
	}
	for _, step := range v.setup {
		b.do(step)
	}
	b.clock = b.clock.Add(v.wait)
	return take(b.t, b.token.Store.TokenDir())
}

// TestUndisturbed: without any trouble, each verb leaves everything as it must be.
func TestUndisturbed(t *testing.T) {
	for name, v := range verbs() {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.prepare(v)
			before := b.inventory()
			b.module.Count()
			b.do(v.do)
			calls := b.module.Counted()
			after := b.inventory()
			if bad := append(after.Violations(), after.Lost(before)...); bad != nil {
				t.Errorf("%q", bad)
			}
			t.Logf("%d calls", calls)
		})
	}
}
