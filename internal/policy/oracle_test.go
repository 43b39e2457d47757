package policy_test

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/policy"
)

// oracle answers requests by what statements and built-in rules are documented to mean,
// slowly and without Cedar. Of Cedar texts it knows those in sayings.
type oracle struct {
	world    policy.World
	policies []*policy.Policy
}

// saying is a Cedar policy together with what it means.
type saying struct {
	cedar string
	// applies is about scope and conditions; fails says that it comes to an error.
	effect  policy.Effect
	applies func(p *policy.Principal, a policy.Action, k *keyring.Key, c policy.Context) (holds, fails bool)
}

func (o oracle) allows(r policy.Request) bool {
	p, k := o.principal(r.Principal), o.key(r.Key)
	if p == nil || k == nil || r.Environment != o.world.Environment || !slices.Contains(policy.ActionNames(), string(r.Action)) {
		return false
	}
	if !o.accepts(p, r.PrincipalVersion, r.Context.Time) || !o.does(k, r.KeyVersion, r.Action, r.Context.Time) {
		return false
	}
	permitted := false
	for _, one := range o.policies {
		if one.Tombstone != nil || !one.Spec.Enabled {
			continue
		}
		for _, s := range one.Spec.Statements {
			if !o.applies(s, p, r.Action, k, r.Context) {
				continue
			}
			if s.Effect == policy.Forbid {
				return false
			}
			permitted = true
		}
		if one.Spec.Cedar == "" {
			continue
		}
		said := sayings[slices.IndexFunc(sayings, func(s saying) bool { return s.cedar == one.Spec.Cedar })]
		switch holds, fails := said.applies(p, r.Action, k, r.Context); {
		case fails, holds && said.effect == policy.Forbid:
			return false
		case holds:
			permitted = true
		}
	}
	return permitted
}

func (o oracle) principal(name string) *policy.Principal {
	i := slices.IndexFunc(o.world.Principals, func(p policy.Principal) bool { return p.Name == name })
	if i < 0 {
		return nil
	}
	return &o.world.Principals[i]
}

func (o oracle) key(name string) *keyring.Key {
	i := slices.IndexFunc(o.world.Keys, func(k *keyring.Key) bool { return k.Spec.Name == name })
	if i < 0 {
		return nil
	}
	return o.world.Keys[i]
}

func (o oracle) accepts(p *policy.Principal, number int, at time.Time) bool {
	if number == 0 && len(p.Versions) > 0 {
		number = p.Versions[len(p.Versions)-1].Number
	}
	for _, v := range p.Versions {
		if v.Number == number {
			return v.Barred == "" && (v.Until.IsZero() || !at.IsZero() && at.Before(v.Until))
		}
	}
	return false
}

func (o oracle) does(k *keyring.Key, number int, a policy.Action, at time.Time) bool {
	v := k.Current()
	if number != 0 {
		v = k.Versions[number]
	}
	if v == nil || v.Pending {
		return false
	}
	isPair := !strings.HasPrefix(string(v.Algorithm), "AES") && !strings.HasPrefix(string(v.Algorithm), "HMAC")
	protects := func(op keyring.Operations) bool { return k.State(v) == keyring.Active && v.Operations.Has(op) }
	processes := func(op keyring.Operations) bool {
		switch k.State(v) {
		case keyring.Active:
			return v.Operations.Has(op)
		case keyring.Deactivated:
			return v.Operations.Has(op) && v.RevokedAt.IsZero() && v.RetiredAt.IsZero() && (v.ProcessUntil.IsZero() || !at.IsZero() && at.Before(v.ProcessUntil))
		default:
			return false
		}
	}
	switch a {
	case policy.Sign, policy.SignDigest:
		return isPair && protects(keyring.Sign)
	case policy.MAC:
		return !isPair && protects(keyring.Sign)
	case policy.Encrypt:
		return protects(keyring.Encrypt)
	case policy.Wrap:
		return protects(keyring.Wrap)
	case policy.Verify:
		return processes(keyring.Verify)
	case policy.Decrypt:
		return processes(keyring.Decrypt)
	case policy.Unwrap:
		return processes(keyring.Unwrap)
	case policy.Derive:
		// A key that only protects while it is active derives as long as it processes.
		return processes(keyring.Derive)
	case policy.GetPublicKey:
		return isPair && v.DestroyedAt.IsZero()
	default:
		return false
	}
}

func (o oracle) applies(s policy.Statement, p *policy.Principal, a policy.Action, k *keyring.Key, c policy.Context) bool {
	if !slices.Contains(s.Actions, string(a)) && (!slices.Contains(s.Actions, policy.Any) || a == policy.SignDigest) {
		return false
	}
	if !slices.ContainsFunc(s.Principals, func(word string) bool {
		return word == policy.Any || word == p.Name || word == "owner:"+p.Owner || hasTag(word, p.Tags)
	}) {
		return false
	}
	if !slices.ContainsFunc(s.Keys, func(word string) bool { return word == policy.Any || word == k.Spec.Name || hasTag(word, k.Spec.Tags) }) {
		return false
	}
	return s.Condition == nil || o.holds(*s.Condition, s.Effect, c)
}

// hasTag takes a word by its first equals sign: no word means a tag whose name has one.
func hasTag(word string, tags map[string]string) bool {
	tag, isTag := strings.CutPrefix(word, "tag:")
	key, value, _ := strings.Cut(tag, "=")
	have, ok := tags[key]
	return isTag && ok && have == value
}

func (o oracle) holds(c policy.Condition, effect policy.Effect, x policy.Context) bool {
	if x.Time.IsZero() && (c.NotBefore != "" || c.NotAfter != "" || c.Hours != nil) {
		return effect == policy.Forbid
	}
	unknown := effect == policy.Forbid // what is not known forbids, and does not permit
	inside := slices.ContainsFunc(c.SourceCIDRs, func(cidr string) bool {
		return netip.MustParsePrefix(cidr).Contains(x.SourceIP.WithZone("").Unmap())
	})
	if !x.SourceIP.IsValid() {
		inside = unknown
	}
	if len(c.SourceCIDRs) > 0 && !inside {
		return false
	}
	if c.NotBefore != "" && x.Time.Before(instant(c.NotBefore)) || c.NotAfter != "" && !x.Time.Before(instant(c.NotAfter)) {
		return false
	}
	if c.Hours != nil && !isWithin(*c.Hours, x.Time) {
		return false
	}
	if c.MaxPayloadBytes != nil && (x.PayloadBytes > *c.MaxPayloadBytes || x.PayloadBytes < 0 && !unknown) {
		return false
	}
	return len(c.Mechanisms) == 0 || slices.Contains(c.Mechanisms, x.Mechanism) || x.Mechanism == "" && unknown
}

func instant(word string) time.Time {
	t, err := time.Parse(time.RFC3339, word)
	if err != nil {
		panic(err)
	}
	return t
}

// isWithin compares clocks as people read them.
func isWithin(h policy.Hours, at time.Time) bool {
	zone, err := time.LoadLocation(h.TimeZone)
	if err != nil {
		panic(err)
	}
	local := at.In(zone)
	isOn := func(t time.Time) bool {
		return len(h.Weekdays) == 0 || slices.Contains(h.Weekdays, strings.ToLower(t.Weekday().String()))
	}
	clock := local.Format("15:04")
	if h.From < h.To {
		return isOn(local) && h.From <= clock && clock < h.To
	}
	// The day before as a date: the night before may have 23 hours or 25.
	yesterday := time.Date(local.Year(), local.Month(), local.Day()-1, 12, 0, 0, 0, zone)
	return isOn(local) && clock >= h.From || isOn(yesterday) && clock < h.To
}

// most is the largest number that Cedar knows; nearly everything that is done with it
// comes to an error.
const most = "9223372036854775807"

var sayings = []saying{
	{`permit (principal, action, resource) when { principal.owner == "alice" };`, policy.Permit,
		func(p *policy.Principal, a policy.Action, _ *keyring.Key, _ policy.Context) (bool, bool) {
			return a != policy.SignDigest && p.Owner == "alice", false
		}},
	{`forbid (principal, action, resource) unless { resource.algorithm like "EC_*" || action == Action::"get_public_key" };`, policy.Forbid,
		func(_ *policy.Principal, a policy.Action, k *keyring.Key, _ policy.Context) (bool, bool) {
			return !strings.HasPrefix(string(k.Spec.Algorithm), "EC_") && a != policy.GetPublicKey, false
		}},
	{`permit (principal is Credential in Owner::"bob", action in [Action::"sign_digest", Action::"mac"], resource) when { context has payload_bytes && context.payload_bytes < 100 };`, policy.Permit,
		func(p *policy.Principal, a policy.Action, _ *keyring.Key, c policy.Context) (bool, bool) {
			return p.Owner == "bob" && (a == policy.SignDigest || a == policy.MAC) && c.PayloadBytes >= 0 && c.PayloadBytes < 100, false
		}},
	{`forbid (principal, action == Action::"verify", resource in Tag::"desk=spot") when { context has payload_bytes && context.payload_bytes * ` + most + ` > 5 };`, policy.Forbid,
		func(_ *policy.Principal, a policy.Action, k *keyring.Key, c policy.Context) (bool, bool) {
			in := a == policy.Verify && k.Spec.Tags["desk"] == "spot"
			return in && c.PayloadBytes == 1, in && c.PayloadBytes > 1
		}},
	{`permit (principal in Tag::"desk=spot", action, resource) when { context has payload_bytes && context.payload_bytes + ` + most + ` > 0 } when { resource.extractable };`, policy.Permit,
		func(p *policy.Principal, a policy.Action, k *keyring.Key, c policy.Context) (bool, bool) {
			in := a != policy.SignDigest && p.Tags["desk"] == "spot"
			return in && c.PayloadBytes == 0 && k.Spec.Extractable, in && c.PayloadBytes > 0
		}},
	{`permit (principal, action, resource) when { resource.extractable && context has payload_bytes && context.payload_bytes + ` + most + ` > 0 };`, policy.Permit,
		func(_ *policy.Principal, a policy.Action, k *keyring.Key, c policy.Context) (bool, bool) {
			in := a != policy.SignDigest && k.Spec.Extractable
			return in && c.PayloadBytes == 0, in && c.PayloadBytes > 0
		}},
	{`permit (principal in Owner::"carol", action == Action::"encrypt", resource) when { Key::"gone".extractable };`, policy.Permit,
		func(p *policy.Principal, a policy.Action, _ *keyring.Key, _ policy.Context) (bool, bool) {
			return false, p.Owner == "carol" && a == policy.Encrypt
		}},
	{`forbid (principal, action == Action::"wrap", resource) when { context has mechanism && context.mechanism like "CKM_RSA*" && Key::"gone".extractable };`, policy.Forbid,
		func(_ *policy.Principal, a policy.Action, _ *keyring.Key, c policy.Context) (bool, bool) {
			return false, a == policy.Wrap && strings.HasPrefix(c.Mechanism, "CKM_RSA")
		}},
	{`permit (principal, action in [Action::"sign", Action::"mac"], resource) when { principal.hasTag("desk") && resource.hasTag("desk") && principal.getTag("desk") == resource.getTag("desk") && context has source_ip && context.source_ip.isLoopback() };`, policy.Permit,
		func(p *policy.Principal, a policy.Action, k *keyring.Key, c policy.Context) (bool, bool) {
			desk, hasDesk := p.Tags["desk"]
			other, hasOther := k.Spec.Tags["desk"]
			return (a == policy.Sign || a == policy.MAC) && hasDesk && hasOther && desk == other && c.SourceIP.IsValid() && c.SourceIP.Unmap().IsLoopback(), false
		}},
	{`forbid (principal, action, resource in Tag::"desk=custody") when { context.now < datetime("2026-03-03T00:00:00Z") };`, policy.Forbid,
		func(_ *policy.Principal, _ policy.Action, k *keyring.Key, c policy.Context) (bool, bool) {
			return k.Spec.Tags["desk"] == "custody" && c.Time.Before(instant("2026-03-03T00:00:00Z")), false // the zero time is before
		}},
	{`permit (principal, action, resource) when { action == Action::"verify" || action == Action::"sign_digest" };`, policy.Permit,
		func(_ *policy.Principal, a policy.Action, _ *keyring.Key, _ policy.Context) (bool, bool) {
			return a == policy.Verify, false
		}},
	{`permit (principal, action == Action::"get_public_key", resource) unless { principal in Owner::"bob" && !(context has mechanism) };`, policy.Permit,
		func(p *policy.Principal, a policy.Action, _ *keyring.Key, c policy.Context) (bool, bool) {
			return a == policy.GetPublicKey && (p.Owner != "bob" || c.Mechanism != ""), false
		}},
	{`permit (principal, action, resource) when { context.local["Asia/Kathmandu"].weekday == "tuesday" && context.local["Asia/Kathmandu"].time >= duration("17h45m") };`, policy.Permit,
		func(_ *policy.Principal, a policy.Action, _ *keyring.Key, c policy.Context) (bool, bool) {
			// Kathmandu is 5:45 ahead of UTC all year.
			local := c.Time.UTC().Add(5*time.Hour + 45*time.Minute)
			return a != policy.SignDigest && !c.Time.IsZero() && local.Weekday() == time.Tuesday && local.Format("15:04") >= "17:45", false
		}},
	{`permit (principal in Owner::"alice", action in [Action::"decrypt"], resource) when { if context has payload_bytes then resource.extractable else principal.hasTag("desk") };`, policy.Permit,
		func(p *policy.Principal, a policy.Action, k *keyring.Key, c policy.Context) (bool, bool) {
			_, hasDesk := p.Tags["desk"]
			return p.Owner == "alice" && a == policy.Decrypt && (c.PayloadBytes >= 0 && k.Spec.Extractable || c.PayloadBytes < 0 && hasDesk), false
		}},
}
