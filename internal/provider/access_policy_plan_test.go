package provider_test

import (
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

func imports(id string) *tfprotov6.ImportResourceStateRequest {
	return &tfprotov6.ImportResourceStateRequest{TypeName: "hsm_access_policy", ID: id}
}

// A change in one place shows exactly the access that is gained and lost by it, on top
// of what there was.
func TestPlanShowsAccess(t *testing.T) {
	d := newDesk(t)
	before := policyOf(statement("principals", []any{"ada", "bot"}, "actions", []any{"sign", "verify"}))
	c := d.policies(t)
	c.apply(before)
	for name, test := range map[string]struct {
		config values
		want   []string
	}{
		"principal taken out": {policyOf(statement("principals", []any{"bot"}, "actions", []any{"sign", "verify"})), []string{"bot sign orders", "bot verify orders"}},
		"action taken out":    {policyOf(statement("principals", []any{"ada", "bot"})), []string{"ada sign orders", "bot sign orders"}},
		"condition":           {policyOf(condition("max_payload_bytes", 1)), []string{"bot sign orders if"}},
		"another statement": {
			policyOf(statement("principals", []any{"ada", "bot"}, "actions", []any{"sign", "verify"}), statement("actions", []any{"encrypt"}, "keys", []any{"archive"})),
			[]string{"ada sign orders", "ada verify orders", "bot encrypt archive", "bot sign orders", "bot verify orders"},
		},
		"disabled": {with(before, "enabled", false), []string{}},
		"forbidden": {
			policyOf(statement("principals", []any{"ada", "bot"}, "actions", []any{"sign", "verify"}), statement("effect", "forbid", "principals", []any{"ada"}, "actions", []any{"any"}, "keys", []any{"any"})),
			[]string{"bot sign orders", "bot verify orders"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := d.serve(t).plan(t, c.resource, c.state, test.config)
			noErrors(t, p.diagnostics)
			wantGrants(t, "planned", p.values, test.want...)
		})
	}
}

// What other policies permit and this one does not is none of its access; what they
// forbid is not either.
func TestAccessIsWhatPoliciesAllowTogether(t *testing.T) {
	d := newDesk(t)
	d.policies(t).apply(with(policyOf(statement("principals", []any{"any"}, "actions", []any{"verify"})), "name", "readers"))
	d.policies(t).apply(with(policyOf(statement("effect", "forbid", "principals", []any{"ada"}, "actions", []any{"any"})), "name", "not-ada"))
	until := values{"not_after": "2028-01-01T00:00:00Z"}
	d.policies(t).apply(with(policyOf(statement("effect", "forbid", "actions", []any{"any"}, "condition", until)), "name", "not-yet"))
	c := d.policies(t)
	p := c.apply(policyOf(statement("principals", []any{"ada", "bot"})))
	wantGrants(t, "planned", p.values, "bot sign orders if")
	wantGrants(t, "applied", c.state, "bot sign orders if")
}

// A statement that forbids changes access that other policies give. No attribute of
// theirs shows it, so it is told.
func TestPlanTellsWhatItForbidsElsewhere(t *testing.T) {
	const subject = `access policy "rails"`
	d := newDesk(t)
	d.policies(t).apply(policyOf(statement("principals", []any{"ada", "bot"}, "actions", []any{"sign", "verify"})))
	forbid := with(policyOf(statement("effect", "forbid", "principals", []any{"ada"})), "name", "rails")
	both := with(policyOf(statement("effect", "forbid", "principals", []any{"ada", "bot"})), "name", "rails")
	open := with(policyOf(statement("actions", []any{"get_public_key"})), "name", "rails")

	c := d.policies(t)
	p := c.apply(forbid)
	wantDiagnostic(t, p.diagnostics, wholeBlock, "WARNING: Access is taken away", subject, "  - ada: sign with orders")
	one(t, "made", p.diagnostics)

	p = d.apply(c, both)
	wantDiagnostic(t, p.diagnostics, wholeBlock, "WARNING: Access is taken away", subject, "  - bot: sign with orders")
	one(t, "widened", p.diagnostics)

	p = d.apply(c, with(both, "enabled", false))
	wantDiagnostic(t, p.diagnostics, wholeBlock, "WARNING: Access is given", subject, "  + ada: sign with orders\n  + bot: sign with orders")
	one(t, "disabled", p.diagnostics)
	d.apply(c, both)

	p = d.apply(c, with(policyOf(statement("effect", "forbid", "principals", []any{"ada"}, "actions", []any{"verify"}), statement("effect", "forbid", "principals", []any{"bot"})), "name", "rails"))
	wantDiagnostic(t, p.diagnostics, wholeBlock, "WARNING: Access is given and taken away", subject, "  + ada: sign with orders\n  - ada: verify with orders")
	one(t, "changed", p.diagnostics)

	c.server = d.serve(t)
	p = c.plan(t, c.resource, c.state, nil)
	wantDiagnostic(t, p.diagnostics, wholeBlock, "WARNING: Access is given", subject, "  + ada: verify with orders\n  + bot: sign with orders")
	one(t, "removed", p.diagnostics)

	d.apply(c, open)
	c.server = d.serve(t)
	if p = c.plan(t, c.resource, c.state, nil); len(p.diagnostics) > 0 {
		t.Errorf("the removal of a policy that only permits shows in its attribute, and is warned about: %s", showAll(p.diagnostics))
	}
}

// one expects a single diagnostic.
func one(t *testing.T, what string, diagnostics []*tfprotov6.Diagnostic) {
	t.Helper()
	if len(diagnostics) != 1 {
		t.Errorf("%s: %s", what, showAll(diagnostics))
	}
}

// What a policy permits itself and another one permits too shows in its own attribute:
// it is not told once more.
func TestPlanTellsNothingTwice(t *testing.T) {
	d := newDesk(t)
	d.policies(t).apply(with(policyOf(condition("max_payload_bytes", 1)), "name", "small"))
	c := d.policies(t)
	config := policyOf(statement(), statement("effect", "forbid", "principals", []any{"ada"}, "actions", []any{"any"}, "keys", []any{"any"}))
	c.apply(config)
	c.server = d.serve(t)
	p := c.plan(t, c.resource, c.state, policyOf(statement("actions", []any{"verify"}), statement("effect", "forbid", "principals", []any{"ada"}, "actions", []any{"any"}, "keys", []any{"any"})))
	if len(p.diagnostics) > 0 {
		t.Error(showAll(p.diagnostics))
	}
	wantGrants(t, "planned", p.values, "bot verify orders")
}

// Keys and credentials of the same run are there for the policies that name them.
func TestPolicyOverWhatIsNew(t *testing.T) {
	quotes := values{"name": "quotes", "algorithm": "HMAC_SHA256"}
	config := policyOf(statement("actions", []any{"mac", "verify"}, "keys", []any{"quotes"}))
	for name, test := range map[string]struct {
		key  values
		want []string
	}{
		"known":       {quotes, []string{"bot mac quotes", "bot verify quotes"}},
		"disabled":    {with(quotes, "enabled", false), []string{}},
		"for one use": {with(quotes, "operations", []any{"verify"}), []string{"bot verify quotes"}},
		"not wholly":  {with(quotes, "tags", unknown), []string{"unknown"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			s := d.serve(t)
			wantDiagnostic(t, s.plan(t, "hsm_access_policy", nil, config).diagnostics, "keys", "ERROR", `"quotes"`)
			noErrors(t, s.plan(t, "hsm_key", nil, test.key).diagnostics)
			p := s.plan(t, "hsm_access_policy", nil, config)
			noErrors(t, p.diagnostics)
			wantGrants(t, "planned", p.values, test.want...)
			if p.values["cedar"] == any(unknown) {
				t.Error("the text is not known, although nothing is missing for it")
			}
		})
	}
}

// Whom a tag stands for cannot be said before it is known who has it; the rest can.
func TestCautionsBesideWhatIsUnknown(t *testing.T) {
	withdrawals := values{"name": "withdrawals", "algorithm": "EC_P256"}
	config := policyOf(statement("principals", []any{"any"}, "keys", []any{"tag:desk=treasury"}))
	for name, test := range map[string]struct {
		tags any
		want int
	}{
		"nobody has it":      {nil, 2},
		"a new one has it":   {values{"desk": "treasury"}, 1},
		"one to come may":    {unknown, 1},
		"another tag counts": {values{"desk": "spot"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			s := newDesk(t).serve(t)
			noErrors(t, s.plan(t, "hsm_key", nil, with(withdrawals, "tags", test.tags)).diagnostics)
			p := s.plan(t, "hsm_access_policy", nil, config)
			wantDiagnostic(t, p.diagnostics, "principals", "WARNING", "every credential")
			if count := strings.Count(showAll(p.diagnostics), `: Access policy "trading"`); count != test.want {
				t.Errorf("%d warnings, want %d: %s", count, test.want, showAll(p.diagnostics))
			}
		})
	}
}

// Terraform plans everything a second time in the process that applies it, between the
// changes. The access that was planned has to come out the same.
func TestPlannedAccessIsStable(t *testing.T) {
	d := newDesk(t)
	quotes := values{"name": "quotes", "algorithm": "HMAC_SHA256", "tags": values{"desk": "spot"}}
	first := policyOf(statement("principals", []any{"bot", "ada"}, "actions", []any{"any"}, "keys", []any{"quotes", "orders"}))
	rails := with(policyOf(statement("effect", "forbid", "principals", []any{"ada"})), "name", "rails")

	plan := func(s *server) (key, policy, other plan) {
		key = s.plan(t, "hsm_key", nil, quotes)
		policy = s.plan(t, "hsm_access_policy", nil, first)
		other = s.plan(t, "hsm_access_policy", nil, rails)
		noErrors(t, key.diagnostics)
		noErrors(t, policy.diagnostics)
		noErrors(t, other.diagnostics)
		return key, policy, other
	}
	_, planned, _ := plan(d.serve(t))
	want := []string{
		"ada get_public_key orders", "ada mac quotes", "ada sign orders", "ada verify orders", "ada verify quotes",
		"bot get_public_key orders", "bot mac quotes", "bot sign orders", "bot verify orders", "bot verify quotes",
	}
	wantGrants(t, "planned", planned.values, want...)

	// The process that applies: the key first, then the policy that forbids, then ours.
	s := d.serve(t)
	key := &core{server: s, t: t, resource: "hsm_key"}
	p := key.plan(t, key.resource, nil, quotes)
	key.state = key.change(nil, p.values, quotes)
	other := &core{server: s, t: t, resource: "hsm_access_policy"}
	other.state = other.change(nil, other.plan(t, other.resource, nil, rails).values, rails)
	c := &core{server: s, t: t, resource: "hsm_access_policy"}
	again := c.plan(t, c.resource, nil, first)
	wantGrants(t, "planned again", again.values, want...)
	c.state = c.change(nil, again.values, first)
	wantGrants(t, "applied", c.state, want...)

	// The next refresh shows what has become of it all together.
	c.server = d.serve(t)
	c.settled(first)
	wantGrants(t, "refreshed", c.state,
		"ada get_public_key orders", "ada mac quotes", "ada verify orders", "ada verify quotes",
		"bot get_public_key orders", "bot mac quotes", "bot sign orders", "bot verify orders", "bot verify quotes")
}

// A run that was broken off after it had made the key: what a policy that names it will
// give is planned as before.
func TestPlannedAccessSurvivesABrokenRun(t *testing.T) {
	d := newDesk(t)
	quotes := values{"name": "quotes", "algorithm": "HMAC_SHA256"}
	config := policyOf(statement("actions", []any{"any"}, "keys", []any{"quotes"}))
	s := d.serve(t)
	noErrors(t, s.plan(t, "hsm_key", nil, quotes).diagnostics)
	before := s.plan(t, "hsm_access_policy", nil, config)
	(&core{server: d.serve(t), t: t, resource: "hsm_key"}).apply(quotes)
	after := d.serve(t).plan(t, "hsm_access_policy", nil, config)
	wantGrants(t, "before", before.values, "bot mac quotes", "bot verify quotes")
	wantGrants(t, "after", after.values, "bot mac quotes", "bot verify quotes")
}

// An update leaves access as it was refreshed where nothing changes: a credential that
// has expired does not come back into the plan.
func TestPlanKeepsWhatTimeHasTaken(t *testing.T) {
	d := newDesk(t)
	c := d.policies(t)
	c.apply(policyOf(statement("principals", []any{"ada", "bot"})))
	d.credential("ada").Spec.ExpiresAt = newYear
	c.server = d.serve(t)
	c.refresh()
	wantGrants(t, "refreshed", c.state, "bot sign orders")
	p := d.apply(c, policyOf(statement("principals", []any{"ada", "bot"}), statement("actions", []any{"verify"})))
	wantGrants(t, "planned", p.values, "bot sign orders", "bot verify orders")
}

// A key that a policy names stays, whichever way it is to go.
func TestNamedKeyStays(t *testing.T) {
	unprotected := values{"name": "quotes", "algorithm": "HMAC_SHA256", "deletion_protection": false}
	config := policyOf(statement("actions", []any{"mac"}, "keys", []any{"quotes"}))
	made := func(t *testing.T) (*desk, *core, *core) {
		d := newDesk(t)
		s := d.serve(t)
		key := &core{server: s, t: t, resource: "hsm_key"}
		key.apply(unprotected)
		policy := &core{server: s, t: t, resource: "hsm_access_policy"}
		policy.apply(config)
		return d, key, policy
	}
	refused := func(t *testing.T, d *desk, key *core) {
		t.Helper()
		before := d.m.Key("quotes").Clone()
		_, diagnostics := key.try(key.state, nil, nil)
		wantDiagnostic(t, diagnostics, wholeBlock, "Cannot destroy key: protected", `access policy "trading"`, "Take the key out of what names it, apply that")
		if now := d.m.Key("quotes"); now.Tombstone != nil || now.Versions[1].DeactivatedAt != before.Versions[1].DeactivatedAt {
			t.Error("the key was touched")
		}
	}
	t.Run("alone", func(t *testing.T) {
		d, key, _ := made(t)
		refused(t, d, key)
	})
	t.Run("named by Cedar", func(t *testing.T) {
		d, key, policy := made(t)
		d.apply(policy, cedarText(`forbid (principal, action, resource) unless { resource == Key::"quotes" };`))
		refused(t, d, key)
	})
	t.Run("by a disabled policy", func(t *testing.T) {
		d, key, policy := made(t)
		d.apply(policy, with(config, "enabled", false))
		refused(t, d, key)
	})
	t.Run("together, in the order that a reference makes", func(t *testing.T) {
		d, key, policy := made(t)
		policy.change(policy.state, nil, nil)
		key.change(key.state, nil, nil)
		if d.m.Key("quotes").Tombstone == nil {
			t.Error("the key is still there")
		}
	})
	t.Run("first the policy, then the key", func(t *testing.T) {
		d, key, policy := made(t)
		rest := policyOf(statement("actions", []any{"sign"}))
		p := policy.plan(t, policy.resource, policy.state, rest)
		refused(t, d, key)
		policy.state = policy.change(policy.state, p.values, rest)
		key.change(key.state, nil, nil) // once the policy has let go of it
	})
	t.Run("not named one by one", func(t *testing.T) {
		d, key, policy := made(t)
		d.apply(policy, policyOf(statement("actions", []any{"mac"}, "keys", []any{"any"})))
		key.change(key.state, nil, nil)
	})
	if keyring.HMACSHA256.IsPair() {
		t.Error("this test is about a secret key")
	}
}
