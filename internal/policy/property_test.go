package policy_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/policy"
)

// TestGrantsAndDecisions holds the engine to what it promises, in many environments:
//
//   - a decision is what the oracle says;
//   - what is granted without conditions is allowed whatever the context is;
//   - what is not granted is denied, whatever the context is.
func TestGrantsAndDecisions(t *testing.T) {
	seeds := []uint64{rand.Uint64()} //nolint:gosec // a test case, no secret
	for seed := range uint64(80) {
		seeds = append(seeds, seed)
	}
	counts := map[string]int{}
	for _, seed := range seeds {
		if !holdsFor(t, seed, counts) {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Log(counts)
	for _, what := range []string{"allowed", "denied", "failed", "granted", "conditional", "not granted"} {
		if counts[what] < 150 {
			t.Errorf("only %d were %s: the property says little", counts[what], what)
		}
	}
}

func holdsFor(t *testing.T, seed uint64, counts map[string]int) bool {
	t.Helper()
	g := generator{rand.New(rand.NewPCG(seed, 1))} //nolint:gosec // the same test case for the same seed
	world, policies := g.world(), g.policies()
	e := engine(t, world, policies...)
	o := oracle{world, policies}
	grants := map[[3]string]policy.Grant{}
	for _, grant := range e.Grants(noon) {
		grants[[3]string{grant.Principal, string(grant.Action), grant.Key}] = grant
	}
	contexts := g.contexts()
	for _, p := range world.Principals {
		for _, k := range world.Keys {
			for _, a := range policy.ActionNames() {
				r := policy.Request{Environment: "prod", Principal: p.Name, Action: policy.Action(a), Key: k.Spec.Name}
				grant, isGranted := grants[[3]string{p.Name, a, k.Spec.Name}]
				if !g.check(t, e, o, r, p, k, contexts, grant, isGranted, counts) {
					return false
				}
			}
		}
	}
	return true
}

// check makes a request with every version of either, in every context.
func (g generator) check(t *testing.T, e *policy.Engine, o oracle, r policy.Request, p policy.Principal, k *keyring.Key, contexts []policy.Context, grant policy.Grant, isGranted bool, counts map[string]int) bool {
	t.Helper()
	always := false // with some versions, in every context
	for i := range len(p.Versions) + 1 {
		for _, n := range append(k.Numbers(), 0, 99) {
			r.PrincipalVersion, r.KeyVersion = i, n
			isAllowed, mayNow := true, o.accepts(&p, i, noon) && o.does(k, n, r.Action, noon)
			for _, c := range contexts {
				r.Context = c
				d := e.Decide(r)
				if d.Allowed != o.allows(r) || len(d.Reasons) == 0 || d.Allowed && len(d.Errors) > 0 {
					t.Errorf("%+v: %+v, the oracle says %v", r, d, !d.Allowed)
					return false
				}
				// At other times other versions are accepted.
				mayThen := o.accepts(&p, i, c.Time) && o.does(k, n, r.Action, c.Time)
				if d.Allowed && !isGranted && mayNow == mayThen {
					t.Errorf("%+v: %+v, and it is not granted", r, d)
					return false
				}
				isAllowed = isAllowed && (d.Allowed || mayNow != mayThen)
				counts[map[bool]string{true: "allowed", false: "denied"}[d.Allowed]]++
				counts["failed"] += len(d.Errors)
			}
			always = always || mayNow && isAllowed
		}
	}
	switch {
	case !isGranted:
		counts["not granted"]++
	case grant.Conditional:
		counts["conditional"]++
	case !always:
		t.Errorf("%+v: granted without conditions, and denied in some context", grant)
		return false
	default:
		counts["granted"]++
	}
	return true
}

// generator makes environments in which much overlaps.
type generator struct{ *rand.Rand }

func (g generator) chance(percent int) bool { return g.IntN(100) < percent }

func pick[T any](g generator, from ...T) T { return from[g.IntN(len(from))] }

// some returns one to three of the words, each once.
func (g generator) some(words ...string) []string {
	var chosen []string
	for range 1 + g.IntN(3) {
		if word := pick(g, words...); !slices.Contains(chosen, word) {
			chosen = append(chosen, word)
		}
	}
	return chosen
}

func (g generator) world() policy.World {
	w := policy.World{Environment: "prod"}
	for _, name := range []string{"bot", "web", "ops"} {
		w.Principals = append(w.Principals, g.principal(name))
	}
	for _, name := range []string{"orders", "vault", "wallet"} {
		w.Keys = append(w.Keys, g.key(name))
	}
	return w
}

func (g generator) tags() map[string]string {
	tags := map[string]string{}
	if g.chance(70) {
		tags["desk"] = pick(g, "spot", "custody", "spot=x")
	}
	if g.chance(20) {
		tags["desk=spot"] = "x"
	}
	return tags
}

func (g generator) principal(name string) policy.Principal {
	p := policy.Principal{Name: name, Owner: pick(g, "alice", "bob", "carol"), Tags: g.tags()}
	for n := range 1 + g.IntN(3) {
		s := policy.Standing{Number: n + 1}
		if g.chance(15) {
			s.Barred = pick(g, "revoked", "suspended")
		}
		if g.chance(30) {
			s.Until, s.Ending = noon.Add(time.Duration(g.IntN(3)-1)*time.Hour), pick(g, "expired", "superseded")
		}
		p.Versions = append(p.Versions, s)
	}
	return p
}

func (g generator) key(name string) *keyring.Key {
	algorithm := pick(g, keyring.ECP256, keyring.RSA2048, keyring.AES256, keyring.HMACSHA256)
	k := keyring.Prospective(keyring.Spec{
		Name: name, Algorithm: algorithm, Operations: algorithm.Operations(), Tags: g.tags(), Enabled: !g.chance(10), Extractable: g.chance(40),
	})
	v := k.Versions[1]
	switch g.IntN(8) {
	case 0: // replaced, and in overlap
		v.DeactivatedAt, v.ProcessUntil = noon.Add(-48*time.Hour), noon.Add(time.Duration(g.IntN(3)-1)*time.Hour)
		k.Versions[2] = &keyring.Version{Number: 2, Algorithm: algorithm, Operations: k.Spec.Operations, CreatedAt: noon, ActivatedAt: noon}
	case 1: // not yet active
		k.Versions[2] = &keyring.Version{Number: 2, Algorithm: keyring.ECP256, Operations: keyring.Sign, CreatedAt: noon}
	case 2:
		v.DeactivatedAt, v.DestroyedAt = noon, noon
	case 3:
		v.DeactivatedAt, v.RevokedAt, v.RevokedFor = noon, noon, pick(g, keyring.KeyCompromise, keyring.Unspecified)
	case 4: // still being made
		v.Pending = true
	case 5:
		v.DeactivatedAt, v.RetiredAt, v.RetiredBy = noon, noon, pick(g, keyring.RetireRetains, keyring.RetireDisables)
	}
	return k
}

func (g generator) policies() []*policy.Policy {
	var all []*policy.Policy
	for i := range 1 + g.IntN(4) {
		p := &policy.Policy{Spec: policy.Spec{Name: fmt.Sprintf("p%d", i), Enabled: !g.chance(5)}}
		if g.chance(5) {
			p.Tombstone = &policy.Tombstone{At: noon}
		}
		if g.chance(30) {
			p.Spec.Cedar = pick(g, sayings...).cedar
		} else {
			for range 1 + g.IntN(3) {
				p.Spec.Statements = append(p.Spec.Statements, g.statement())
			}
		}
		all = append(all, p)
	}
	return all
}

func (g generator) statement() policy.Statement {
	s := policy.Statement{
		Effect:     pick(g, policy.Permit, policy.Permit, policy.Permit, policy.Forbid),
		Principals: g.some("bot", "web", "ops", "nobody", "owner:alice", "owner:bob", "tag:desk=spot", "tag:desk=spot=x"),
		Actions:    g.some(policy.ActionNames()...),
		Keys:       g.some("orders", "vault", "wallet", "nothing", "tag:desk=spot", "tag:desk=custody"),
	}
	for _, list := range []*[]string{&s.Principals, &s.Actions, &s.Keys} {
		if g.chance(50) {
			*list = []string{policy.Any}
		}
	}
	if g.chance(30) {
		s.Condition = g.condition()
	}
	return s
}

func (g generator) condition() *policy.Condition {
	for {
		var c policy.Condition
		if g.chance(30) {
			c.SourceCIDRs = g.some("10.0.0.0/8", "127.0.0.1/32", "2001:db8::/32")
		}
		if g.chance(20) {
			c.NotBefore = pick(g, "2026-03-03T12:00:00Z", "2026-03-03T14:00:00.001+01:00")
		}
		if g.chance(20) {
			c.NotAfter = pick(g, "2026-03-03T14:30:00Z", "2027-01-01T00:00:00Z")
		}
		if g.chance(30) {
			c.Hours = pick(g,
				&policy.Hours{From: "08:00", To: "13:00", TimeZone: "Europe/Zurich"},
				&policy.Hours{From: "22:00", To: "06:00", TimeZone: "America/New_York", Weekdays: g.some("monday", "tuesday", "saturday")},
				&policy.Hours{From: "00:00", To: "24:00", TimeZone: "UTC", Weekdays: g.some("monday", "tuesday", "sunday")})
		}
		if g.chance(20) {
			c.MaxPayloadBytes = new(int64(g.IntN(3)))
		}
		if g.chance(20) {
			c.Mechanisms = g.some("CKM_ECDSA", "CKM_RSA_PKCS")
		}
		if c.SourceCIDRs != nil || c.NotBefore != "" || c.NotAfter != "" || c.Hours != nil || c.MaxPayloadBytes != nil || c.Mechanisms != nil {
			return &c
		}
	}
}

// contexts are some with everything known, nothing known, and anything in between.
func (g generator) contexts() []policy.Context {
	all := []policy.Context{{PayloadBytes: -1}, {Time: noon, PayloadBytes: -1}}
	for range 9 {
		c := policy.Context{
			Time: pick(g, time.Time{}, noon, noon, noon.Add(-12*time.Hour), noon.Add(2*time.Hour), noon.Add(89*time.Hour)), PayloadBytes: pick(g, int64(-1), 0, 1, 2, 5000),
			Mechanism: pick(g, "", "CKM_ECDSA", "CKM_RSA_PKCS"),
		}
		if address := pick(g, "", "10.1.2.3", "::ffff:10.1.2.3", "127.0.0.1", "2001:db8::1%eth0", "192.0.2.1"); address != "" {
			c.SourceIP = netip.MustParseAddr(address)
		}
		all = append(all, c)
	}
	return all
}
