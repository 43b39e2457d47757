package policy_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/policy"
)

// lines is grants as people read them; a question mark is a condition.
func lines(grants []policy.Grant) []string {
	var all []string
	for _, g := range grants {
		line := fmt.Sprintf("%s %s %s %v", g.Principal, g.Action, g.Key, g.Policies)
		if g.Conditional {
			line += "?"
		}
		all = append(all, line)
	}
	return all
}

func TestGrants(t *testing.T) {
	small := policy.Condition{MaxPayloadBytes: new(int64(32))}
	bot := permit(one("bot"), one("sign"), one("orders"))
	for name, tc := range map[string]struct {
		policies []*policy.Policy
		change   func(*policy.World)
		want     []string
	}{
		"none": {},
		"in order": {
			policies: []*policy.Policy{enabled("p", permit([]string{"web", "bot"}, []string{"verify", "sign"}, []string{"wallet", "orders"}))},
			want: []string{
				"bot sign orders [p]", "bot verify orders [p]", "bot sign wallet [p]", "bot verify wallet [p]",
				"web sign orders [p]", "web verify orders [p]", "web sign wallet [p]", "web verify wallet [p]",
			},
		},
		"only what keys do": {
			policies: []*policy.Policy{enabled("p", permit(one("alice"), one("any"), one("tag:desk=custody")))},
			want: []string{
				"alice decrypt vault [p]", "alice encrypt vault [p]", "alice mac vault [p]", "alice unwrap vault [p]", "alice verify vault [p]", "alice wrap vault [p]",
				"alice derive wallet [p]", "alice get_public_key wallet [p]", "alice sign wallet [p]", "alice verify wallet [p]",
			},
		},
		"under a condition": {
			policies: []*policy.Policy{enabled("p", under(small, bot))},
			want:     []string{"bot sign orders [p]?"},
		},
		"with and without": {
			policies: []*policy.Policy{enabled("q", under(small, bot)), enabled("p", bot, bot)},
			want:     []string{"bot sign orders [p q]"},
		},
		"forbidden": {
			policies: []*policy.Policy{enabled("p", bot, permit(one("bot"), one("verify"), one("orders"))), enabled("q", forbid(one("owner:trading"), one("sign"), one("any")))},
			want:     []string{"bot verify orders [p]"},
		},
		"forbidden under a condition": {
			policies: []*policy.Policy{enabled("p", bot), enabled("q", under(small, forbid(one("any"), one("any"), one("any"))))},
			want:     []string{"bot sign orders [p]?"},
		},
		"by attributes": {
			policies: []*policy.Policy{written("p", `permit (principal, action == Action::"sign", resource) when { principal.owner == "trading" } unless { resource.algorithm == "EC_P256" };`)},
			want:     []string{"bot sign wallet [p]", "web sign wallet [p]"},
		},
		"by attributes and the context": {
			policies: []*policy.Policy{written("p", `permit (principal, action == Action::"sign", resource) when { principal.owner == "alice" && (resource.algorithm == "EC_P256" || context has payload_bytes) };`)},
			want:     []string{"alice sign orders [p]", "alice sign wallet [p]?"},
		},
		"never, by attributes and the context": {
			policies: []*policy.Policy{written("p", `permit (principal, action == Action::"sign", resource) when { context has payload_bytes && resource.algorithm == "RSA_2048" };`)},
		},
		"forbidden by attributes": {
			policies: []*policy.Policy{enabled("p", permit(one("owner:trading"), one("sign"), one("orders"))), written("q", `forbid (principal, action, resource) unless { principal.hasTag("desk") && resource.hasTag("desk") && principal.getTag("desk") == resource.getTag("desk") };`)},
			want:     []string{"bot sign orders [p]"},
		},
		"a forbid that fails": {
			policies: []*policy.Policy{enabled("p", bot), written("q", `forbid (principal, action, resource) when { Key::"gone".extractable };`)},
		},
		"a forbid that may fail": {
			policies: []*policy.Policy{enabled("p", bot), written("q", `forbid (principal, action, resource) when { context has mechanism && Key::"gone".extractable };`)},
			want:     []string{"bot sign orders [p]?"},
		},
		"a permit that may fail": {
			policies: []*policy.Policy{enabled("p", bot), written("q", `permit (principal, action == Action::"sign", resource) when { context has payload_bytes && context.payload_bytes * 2 > 0 };`)},
			want: []string{
				"alice sign orders [q]?", "alice sign wallet [q]?", "bot sign orders [p q]?", "bot sign wallet [q]?", "web sign orders [q]?", "web sign wallet [q]?",
			},
		},
		"a permit that cannot fail": {
			policies: []*policy.Policy{enabled("p", bot), written("q", `permit (principal == Credential::"bot", action == Action::"sign", resource) when { context has payload_bytes && context.payload_bytes > 0 };`)},
			want:     []string{"bot sign orders [p q]", "bot sign wallet [q]?"},
		},
		"digests": {
			policies: []*policy.Policy{enabled("p", permit(one("bot"), one("any"), one("orders"))), written("q", `permit (principal == Credential::"bot", action, resource == Key::"orders");`)},
			want:     []string{"bot derive orders [p q]", "bot get_public_key orders [p q]", "bot sign orders [p q]", "bot verify orders [p q]"},
		},
		"a credential with an old version": {
			policies: []*policy.Policy{enabled("p", bot)},
			change: func(w *policy.World) {
				w.Principals[0].Versions = []policy.Standing{{Number: 1, Until: noon.Add(1), Ending: "superseded"}, {Number: 2, Barred: "revoked"}}
			},
			want: []string{"bot sign orders [p]"},
		},
		"a credential without a version": {
			policies: []*policy.Policy{enabled("p", bot)},
			change: func(w *policy.World) {
				w.Principals[0].Versions = []policy.Standing{{Number: 1, Until: noon, Ending: "superseded"}, {Number: 2, Barred: "revoked"}}
			},
		},
		"a key with an old version": {
			policies: []*policy.Policy{enabled("p", permit(one("bot"), one("any"), one("orders")))},
			change: func(w *policy.World) {
				v := w.Keys[0].Versions[1]
				v.DeactivatedAt, v.ProcessUntil = noon, noon.Add(1)
			},
			want: []string{"bot derive orders [p]", "bot get_public_key orders [p]", "bot verify orders [p]"},
		},
		"a suspended key": {
			policies: []*policy.Policy{enabled("p", permit(one("bot"), one("any"), one("orders")))},
			change:   func(w *policy.World) { w.Keys[0].Spec.Enabled = false },
			want:     []string{"bot get_public_key orders [p]"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			world := tradingDesk()
			if tc.change != nil {
				tc.change(&world)
			}
			if got := lines(engine(t, world, tc.policies...).Grants(noon)); !slices.Equal(got, tc.want) {
				t.Errorf("%q\nexpected\n%q", got, tc.want)
			}
		})
	}
}

func TestGrantsAtNoTime(t *testing.T) {
	world := tradingDesk()
	world.Principals[0].Versions[0] = policy.Standing{Number: 1, Until: noon, Ending: "expired"}
	world.Keys[0].Versions[1].DeactivatedAt, world.Keys[0].Versions[1].ProcessUntil = noon, noon
	e := engine(t, world, enabled("p", permit(one("bot"), one("verify"), one("orders"))))
	if got := lines(e.Grants(time.Time{})); !slices.Equal(got, []string{"bot verify orders [p]"}) {
		t.Errorf("%q", got)
	}
	if got := lines(e.Grants(noon)); len(got) > 0 {
		t.Errorf("%q", got)
	}
}

func TestGrantsThrough(t *testing.T) {
	e := engine(t, tradingDesk(),
		enabled("p", permit(one("bot"), one("sign"), one("orders"))),
		enabled("q", permit(one("owner:trading"), []string{"sign", "verify"}, one("orders"))),
		enabled("r", forbid(one("web"), one("sign"), one("any"))))
	for name, want := range map[string][]string{
		"p": {"bot sign orders [p q]"},
		"q": {"bot sign orders [p q]", "bot verify orders [q]", "web verify orders [q]"},
		"r": nil,
	} {
		if got := lines(e.GrantsThrough(name, noon)); !slices.Equal(got, want) {
			t.Errorf("through %s: %q, expected %q", name, got, want)
		}
	}
	if all := e.Grants(noon); len(all) != 3 {
		t.Errorf("%q", lines(all))
	}
}

// TestManyRules has more rules than fit into one word of a bit set.
func TestManyRules(t *testing.T) {
	world, policies := policy.World{Environment: "prod", Keys: []*keyring.Key{key("k", keyring.ECP256)}}, []*policy.Policy(nil)
	for i := range 130 {
		name := fmt.Sprintf("c%03d", i)
		world.Principals = append(world.Principals, caller(name, ""))
		policies = append(policies, enabled("p-"+name, permit(one(name), one("sign"), one("k"))))
	}
	policies = append(policies, enabled("f", forbid(one("c129"), one("sign"), one("k"))))
	e := engine(t, world, policies...)
	if got := lines(e.Grants(noon)); len(got) != 129 || got[64] != "c064 sign k [p-c064]" || got[128] != "c128 sign k [p-c128]" {
		t.Errorf("%q", got)
	}
	for i, allowed := range map[int]bool{0: true, 63: true, 64: true, 128: true, 129: false} {
		r := policy.Request{Environment: "prod", Principal: fmt.Sprintf("c%03d", i), Action: policy.Sign, Key: "k", Context: policy.Context{Time: noon}}
		if d := e.Decide(r); d.Allowed != allowed {
			t.Errorf("%d: %+v", i, d)
		}
	}
}
