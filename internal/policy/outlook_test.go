package policy_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/policy"
)

// model is what an outlook is about, in the plainest form.
type model struct {
	principals map[string]policy.Principal
	keys       map[string]*keyring.Key
	policies   map[string]*policy.Policy
}

func (m model) grants(t *testing.T) []policy.Grant {
	t.Helper()
	w := policy.World{Environment: "prod"}
	for _, p := range m.principals {
		w.Principals = append(w.Principals, p)
	}
	for _, k := range m.keys {
		w.Keys = append(w.Keys, k)
	}
	var policies []*policy.Policy
	for _, p := range m.policies {
		policies = append(policies, p)
	}
	return engine(t, w, policies...).Grants(noon)
}

func granted(grants []policy.Grant) []string {
	all := make([]string, len(grants))
	for i, g := range grants {
		all[i] = fmt.Sprintf("%s %s %s %t %v", g.Principal, g.Action, g.Key, g.Conditional, g.Policies)
	}
	slices.Sort(all)
	return all
}

func without(all, some []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(line string) bool { return slices.Contains(some, line) })
}

// After any number of steps an outlook says what an engine says that was made for what it
// has come to, and each step tells exactly what it has changed.
func TestOutlookIsWhatAnEngineSays(t *testing.T) {
	steps := 0
	for seed := range uint64(25) {
		g := generator{rand.New(rand.NewPCG(seed, 2))} //nolint:gosec // the same test case for the same seed
		world, policies := g.world(), g.policies()
		m := model{map[string]policy.Principal{}, map[string]*keyring.Key{}, map[string]*policy.Policy{}}
		for _, p := range world.Principals {
			m.principals[p.Name] = p
		}
		for _, k := range world.Keys {
			m.keys[k.Spec.Name] = k
		}
		for _, p := range policies {
			m.policies[p.Spec.Name] = p
		}
		o := policy.NewOutlook(world, policies)
		others, more := g.world(), g.policies()
		for range 25 {
			steps++
			before := m.grants(t)
			shift, what := step(g, m, o, others, more)
			after := m.grants(t)
			if got := o.Grants(noon); !slices.Equal(granted(got), granted(after)) {
				t.Fatalf("seed %d, %s: the outlook grants what the engine does not, or the other way round: %v, %v", seed, what, without(granted(got), granted(after)), without(granted(after), granted(got)))
			}
			gained, lost := without(granted(shift.After), granted(shift.Before)), without(granted(shift.Before), granted(shift.After))
			if !slices.Equal(gained, without(granted(after), granted(before))) || !slices.Equal(lost, without(granted(before), granted(after))) {
				t.Fatalf("seed %d, %s: it tells of %v and %v, and changes %v and %v", seed, what, gained, lost, without(granted(after), granted(before)), without(granted(before), granted(after)))
			}
			foretell(t, g, m, o, more)
		}
	}
	t.Log(steps, "steps")
}

// step changes something, in the model and in the outlook.
func step(g generator, m model, o *policy.Outlook, others policy.World, more []*policy.Policy) (policy.Shift, string) {
	switch g.IntN(6) {
	case 0:
		p := pick(g, others.Principals...)
		m.principals[p.Name] = p
		return o.SetPrincipal(p, noon), "credential " + p.Name
	case 1:
		p := pick(g, others.Principals...)
		m.principals[p.Name] = policy.Principal{Name: p.Name}
		return o.RemovePrincipal(p.Name, noon), "no credential " + p.Name
	case 2:
		k := pick(g, others.Keys...)
		m.keys[k.Spec.Name] = k
		return o.SetKey(k, noon), "key " + k.Spec.Name
	case 3:
		k := pick(g, others.Keys...)
		m.keys[k.Spec.Name] = &keyring.Key{Spec: keyring.Spec{Name: k.Spec.Name}}
		return o.RemoveKey(k.Spec.Name, noon), "no key " + k.Spec.Name
	case 4:
		p := *pick(g, more...)
		p.Tombstone = nil
		m.policies[p.Spec.Name] = &p
		return o.SetPolicy(p.Spec, noon), "policy " + p.Spec.Name
	default:
		p := pick(g, more...)
		delete(m.policies, p.Spec.Name)
		return o.RemovePolicy(p.Spec.Name, noon), "no policy " + p.Spec.Name
	}
}

// foretell expects that what is only tried changes nothing, and says what would be.
func foretell(t *testing.T, g generator, m model, o *policy.Outlook, more []*policy.Policy) {
	t.Helper()
	spec, is := pick(g, more...).Spec, o.Grants(noon)
	got := o.ThroughWith(spec, noon)
	was, isThere := m.policies[spec.Name]
	m.policies[spec.Name] = &policy.Policy{Spec: spec}
	will := slices.DeleteFunc(m.grants(t), func(g policy.Grant) bool { return !slices.Contains(g.Policies, spec.Name) })
	if isThere {
		m.policies[spec.Name] = was
	} else {
		delete(m.policies, spec.Name)
	}
	if !slices.Equal(granted(got), granted(will)) {
		t.Fatalf("through %s: %v, and not %v", spec.Name, granted(got), granted(will))
	}
	newcomer, fork := caller("newcomer", "trading", "desk", "spot"), o.Fork()
	fork.SetPrincipal(newcomer, noon)
	o.Foresee(spec, []policy.Principal{newcomer}, []*keyring.Key{key("new", keyring.ECP256, "desk", "spot")})
	if now := o.Grants(noon); !slices.Equal(granted(now), granted(is)) {
		t.Fatal("trying has changed something")
	}
}

func TestOutlookNames(t *testing.T) {
	o := policy.NewOutlook(tradingDesk(), []*policy.Policy{
		enabled("a", permit(one("bot"), one("sign"), one("orders"))), {Spec: policy.Spec{Name: "off", Statements: []policy.Statement{forbid(one("gone"), one("any"), one("wallet"))}}},
		written("c", `permit (principal, action, resource) when { resource == Key::"orders" || resource == Key::"lost" };`),
	})
	for what, got := range map[string][2][]string{
		"naming orders":    {o.NamingKey("orders"), {"a", "c"}},
		"naming wallet":    {o.NamingKey("wallet"), {"off"}},
		"naming bot":       {o.NamingPrincipal("bot"), {"a"}},
		"naming a key bot": {o.NamingKey("bot"), nil},
	} {
		if !slices.Equal(got[0], got[1]) {
			t.Errorf("%s: %v, want %v", what, got[0], got[1])
		}
	}
	for name, want := range map[string][2][]string{"a": {nil, nil}, "off": {{"gone"}, nil}, "c": {nil, {"lost"}}, "none": {nil, nil}} {
		if principals, keys := o.Missing(name); !reflect.DeepEqual([2][]string{principals, keys}, want) {
			t.Errorf("%s misses %v and %v, want %v", name, principals, keys, want)
		}
	}
}

// A recorded policy that means nothing does not keep anybody from putting it right.
func TestOutlookOnABrokenPolicy(t *testing.T) {
	broken := enabled("broken", policy.Statement{Effect: "allow"})
	o := policy.NewOutlook(tradingDesk(), []*policy.Policy{broken, enabled("p", permit(one("bot"), one("sign"), one("orders")))})
	if err := o.Err(); !fault.Is(err, fault.Inconsistent) {
		t.Errorf("the error is %v", err)
	}
	if shift := o.SetPolicy(enabled("broken", permit(one("web"), one("sign"), one("orders"))).Spec, noon); len(shift.Before) != 0 || len(shift.After) != 1 {
		t.Errorf("put right, it changes %+v", shift)
	}
	if err := o.Err(); err != nil {
		t.Error(err)
	}
	o.SetPolicy(broken.Spec, noon)
	o.RemovePolicy("broken", noon)
	if err := o.Err(); err != nil || o.HasPolicy("broken") || !o.HasPolicy("p") {
		t.Errorf("removed, it leaves %v", err)
	}
}

func TestCanForesee(t *testing.T) {
	for name, tc := range map[string]struct {
		of       *policy.Policy
		new, old bool
	}{
		"named":                 {enabled("p", permit(one("bot"), one("sign"), one("orders"))), true, true},
		"an owner":              {enabled("p", permit([]string{"bot", "owner:trading"}, one("sign"), one("orders"))), false, true},
		"a tag":                 {enabled("p", permit(one("bot"), one("sign"), one("tag:desk=spot"))), false, true},
		"everybody":             {enabled("p", permit(one("any"), one("sign"), one("orders"))), false, true},
		"nobody's owner":        {enabled("p", permit(one("owner:nobody"), one("sign"), one("orders"))), false, false},
		"nothing's tag":         {enabled("p", permit(one("bot"), one("sign"), []string{"orders", "tag:desk=otc"})), false, false},
		"forbidding anybody":    {enabled("p", permit(one("bot"), one("sign"), one("orders")), forbid(one("any"), one("sign"), one("tag:a=b"))), true, true},
		"disabled":              {&policy.Policy{Spec: policy.Spec{Name: "p", Statements: []policy.Statement{permit(one("any"), one("sign"), one("any"))}}}, true, true},
		"cedar with a scope":    {written("p", `permit (principal == Credential::"bot", action, resource == Key::"orders");`), true, true},
		"cedar with conditions": {written("p", `permit (principal == Credential::"bot", action, resource) when { resource == Key::"orders" };`), false, true},
	} {
		t.Run(name, func(t *testing.T) {
			o := policy.NewOutlook(tradingDesk(), nil)
			if isNew, isOld := o.CanForesee(tc.of.Spec, true), o.CanForesee(tc.of.Spec, false); isNew != tc.new || isOld != tc.old {
				t.Errorf("new: %t, changed: %t, want %t and %t", isNew, isOld, tc.new, tc.old)
			}
			empty := policy.NewOutlook(policy.World{Environment: "prod"}, nil)
			if got := empty.CanForesee(tc.of.Spec, false); got != tc.new {
				t.Errorf("where nothing is: %t", got)
			}
		})
	}
}
