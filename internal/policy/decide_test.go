package policy_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/policy"
)

// signing is a request that trading permits.
func signing() policy.Request {
	return policy.Request{Environment: "prod", Principal: "bot", Action: policy.Sign, Key: "orders", Context: policy.Context{Time: noon, PayloadBytes: -1}}
}

func trading() *policy.Policy {
	return enabled("trading", permit(one("web"), one("verify"), one("orders")), permit(one("bot"), []string{"sign", "verify", "get_public_key"}, one("orders")))
}

func TestDecide(t *testing.T) {
	overflow := `forbid (principal, action, resource) when { context has payload_bytes && context.payload_bytes * ` + most + ` > 5 };`
	for name, tc := range map[string]struct {
		policies []*policy.Policy
		change   func(w *policy.World, r *policy.Request)
		allowed  bool
		reasons  []string // the beginning of each
		errors   []string // a part of each
	}{
		"permitted": {allowed: true, reasons: []string{`permitted by policy "trading", statement 2`}},
		"permitted twice": {
			policies: []*policy.Policy{written("extra", `@id("desk") permit (principal in Tag::"desk=spot", action == Action::"sign", resource); permit (principal, action, resource);`)},
			allowed:  true,
			reasons:  []string{`permitted by policy "trading", statement 2`, `permitted by policy "extra", Cedar policy "desk"`, `permitted by policy "extra", Cedar policy 2`},
		},
		"no policy": {
			change:  func(_ *policy.World, r *policy.Request) { r.Action = policy.SignDigest },
			reasons: []string{"no policy permits it"},
		},
		"forbidden": {
			policies: []*policy.Policy{enabled("freeze", forbid(one("any"), one("any"), one("any")))},
			reasons:  []string{`forbidden by policy "freeze", statement 1`},
		},
		"disabled": {
			policies: []*policy.Policy{{Spec: policy.Spec{Name: "freeze", Statements: []policy.Statement{forbid(one("any"), one("any"), one("any"))}}}},
			allowed:  true, reasons: []string{"permitted"},
		},
		"a forbid that fails": {
			policies: []*policy.Policy{written("limit", overflow)},
			change:   func(_ *policy.World, r *policy.Request) { r.Context.PayloadBytes = 2 },
			reasons:  []string{`denied because policy "limit", Cedar policy 1 cannot be evaluated`},
			errors:   []string{`policy "limit", Cedar policy 1: `},
		},
		"a forbid that does not fail": {
			policies: []*policy.Policy{written("limit", overflow)},
			change:   func(_ *policy.World, r *policy.Request) { r.Context.PayloadBytes = 0 },
			allowed:  true, reasons: []string{"permitted"},
		},
		"a permit that fails beside one that does not": {
			policies: []*policy.Policy{written("limit", `permit (principal == Credential::"bot", action, resource) when { Key::"gone".extractable };`)},
			reasons:  []string{`denied because policy "limit", Cedar policy 1 cannot be evaluated`},
			errors:   []string{"Key::\"gone\""},
		},
		"one that would fail for others": {
			policies: []*policy.Policy{written("limit", `permit (principal == Credential::"web", action, resource) when { Key::"gone".extractable };`)},
			allowed:  true, reasons: []string{"permitted"},
		},

		"digests by a group of actions": {
			policies: []*policy.Policy{written("all", `permit (principal, action, resource);`), enabled("any", permit(one("any"), one("any"), one("any")))},
			change:   func(_ *policy.World, r *policy.Request) { r.Action = policy.SignDigest },
			reasons:  []string{"no policy permits it"},
		},
		"digests by a condition": {
			policies: []*policy.Policy{written("all", `permit (principal, action, resource) when { action == Action::"sign_digest" };`)},
			change:   func(_ *policy.World, r *policy.Request) { r.Action = policy.SignDigest },
			reasons:  []string{"no policy permits it"},
		},
		"digests by name": {
			policies: []*policy.Policy{enabled("digests", permit(one("bot"), one("sign_digest"), one("orders")))},
			change:   func(_ *policy.World, r *policy.Request) { r.Action = policy.SignDigest },
			allowed:  true, reasons: []string{`permitted by policy "digests", statement 1`},
		},
		"digests by name in a text": {
			policies: []*policy.Policy{written("digests", `permit (principal, action in [Action::"sign", Action::"sign_digest"], resource);`)},
			change:   func(_ *policy.World, r *policy.Request) { r.Action = policy.SignDigest },
			allowed:  true, reasons: []string{`permitted by policy "digests", Cedar policy 1`},
		},
		"digests forbidden without a name": {
			policies: []*policy.Policy{enabled("digests", permit(one("bot"), one("sign_digest"), one("orders"))), written("freeze", `forbid (principal, action, resource);`)},
			change:   func(_ *policy.World, r *policy.Request) { r.Action = policy.SignDigest },
			reasons:  []string{`forbidden by policy "freeze", Cedar policy 1`},
		},

		"another environment": {
			change:  func(_ *policy.World, r *policy.Request) { r.Environment = "dev" },
			reasons: []string{`forbidden by the built-in rule "environment": the caller belongs to environment "dev", the keys to "prod"`},
		},
		"no action": {
			change:  func(_ *policy.World, r *policy.Request) { r.Action = "any" },
			reasons: []string{`forbidden by the built-in rule "action": there is no action "any"`},
		},
		"unknown credential": {
			change:  func(_ *policy.World, r *policy.Request) { r.Principal = "bto" },
			reasons: []string{`forbidden by the built-in rule "credential": there is no credential "bto"`},
		},
		"unknown version of a credential": {
			change:  func(_ *policy.World, r *policy.Request) { r.PrincipalVersion = 2 },
			reasons: []string{`forbidden by the built-in rule "credential": credential "bot" has no version 2`},
		},
		"revoked": {
			change:  func(w *policy.World, _ *policy.Request) { w.Principals[0].Versions[0].Barred = "revoked" },
			reasons: []string{`forbidden by the built-in rule "credential": version 1 of credential "bot" is revoked`},
		},
		"expired": {
			change: func(w *policy.World, _ *policy.Request) {
				w.Principals[0].Versions[0] = policy.Standing{Number: 1, Until: noon, Ending: "expired"}
			},
			reasons: []string{`forbidden by the built-in rule "expiry": version 1 of credential "bot" is expired since 2026-03-03T12:00:00Z`},
		},
		"not yet expired": {
			change: func(w *policy.World, _ *policy.Request) {
				w.Principals[0].Versions[0] = policy.Standing{Number: 1, Until: noon.Add(1), Ending: "expired"}
			},
			allowed: true, reasons: []string{"permitted"},
		},
		"expiring at an unknown time": {
			change: func(w *policy.World, r *policy.Request) {
				w.Principals[0].Versions[0], r.Context.Time = policy.Standing{Number: 1, Until: noon, Ending: "expired"}, time.Time{}
			},
			reasons: []string{`forbidden by the built-in rule "expiry": version 1 of credential "bot" ends at 2026-03-03T12:00:00Z, and the time of the request is not known`},
		},
		"the newest version": {
			change: func(w *policy.World, _ *policy.Request) {
				w.Principals[0].Versions = []policy.Standing{{Number: 1, Until: noon, Ending: "superseded"}, {Number: 2}}
			},
			allowed: true, reasons: []string{"permitted"},
		},
		"an old version": {
			change: func(w *policy.World, r *policy.Request) {
				w.Principals[0].Versions, r.PrincipalVersion = []policy.Standing{{Number: 1, Until: noon, Ending: "superseded"}, {Number: 2}}, 1
			},
			reasons: []string{`forbidden by the built-in rule "expiry": version 1 of credential "bot" is superseded`},
		},

		"unknown key": {
			change:  func(_ *policy.World, r *policy.Request) { r.Key = "order" },
			reasons: []string{`forbidden by the built-in rule "key": there is no key "order"`},
		},
		"unknown version of a key": {
			change:  func(_ *policy.World, r *policy.Request) { r.KeyVersion = 2 },
			reasons: []string{`forbidden by the built-in rule "key": key "orders" has no version 2`},
		},
		"suspended key": {
			change:  func(w *policy.World, _ *policy.Request) { w.Keys[0].Spec.Enabled = false },
			reasons: []string{`forbidden by the built-in rule "key": version 1 of key "orders", EC_P256 and suspended, does not do sign`},
		},
		"no current version": {
			change:  func(w *policy.World, _ *policy.Request) { w.Keys[0].Versions[1].DeactivatedAt = noon },
			reasons: []string{`forbidden by the built-in rule "key": key "orders" has no current version`},
		},
		"unfinished version": {
			change:  func(w *policy.World, r *policy.Request) { w.Keys[0].Versions[1].Pending, r.KeyVersion = true, 1 },
			reasons: []string{`forbidden by the built-in rule "key": key "orders" has no version 1`},
		},
		"signing with an old version": {
			change:  func(w *policy.World, r *policy.Request) { rotate(w.Keys[0]); r.KeyVersion = 1 },
			reasons: []string{`forbidden by the built-in rule "key": version 1 of key "orders", EC_P256 and deactivated, does not do sign`},
		},
		"verifying with an old version": {
			change: func(w *policy.World, r *policy.Request) {
				rotate(w.Keys[0])
				r.Action, r.KeyVersion = policy.Verify, 1
			},
			allowed: true, reasons: []string{"permitted"},
		},
		"verifying after the overlap": {
			change: func(w *policy.World, r *policy.Request) {
				rotate(w.Keys[0])
				r.Action, r.KeyVersion, r.Context.Time = policy.Verify, 1, noon.Add(time.Hour)
			},
			reasons: []string{`forbidden by the built-in rule "key"`},
		},
		"verifying at an unknown time": {
			change: func(w *policy.World, r *policy.Request) {
				rotate(w.Keys[0])
				r.Action, r.KeyVersion, r.Context.Time = policy.Verify, 1, time.Time{}
			},
			reasons: []string{`forbidden by the built-in rule "key"`},
		},
		"public key of a compromised version": {
			change: func(w *policy.World, r *policy.Request) {
				v := w.Keys[0].Versions[1]
				v.DeactivatedAt, v.RevokedAt, v.RevokedFor = noon, noon, keyring.KeyCompromise
				r.Action, r.KeyVersion = policy.GetPublicKey, 1
			},
			allowed: true, reasons: []string{"permitted"},
		},
		"public key of a destroyed version": {
			change: func(w *policy.World, r *policy.Request) {
				v := w.Keys[0].Versions[1]
				v.DeactivatedAt, v.DestroyedAt = noon, noon
				r.Action, r.KeyVersion = policy.GetPublicKey, 1
			},
			reasons: []string{`forbidden by the built-in rule "key": version 1 of key "orders", EC_P256 and destroyed, does not do get_public_key`},
		},
		"everything that stands against it": {
			policies: []*policy.Policy{enabled("freeze", forbid(one("any"), one("any"), one("any")))},
			change: func(w *policy.World, _ *policy.Request) {
				w.Principals[0].Versions[0].Barred, w.Keys[0].Spec.Enabled = "suspended", false
			},
			reasons: []string{`forbidden by the built-in rule "credential"`, `forbidden by the built-in rule "key"`, `forbidden by policy "freeze"`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			world, r := tradingDesk(), signing()
			if tc.change != nil {
				tc.change(&world, &r)
			}
			d := engine(t, world, append([]*policy.Policy{trading()}, tc.policies...)...).Decide(r)
			if d.Allowed != tc.allowed || !slices.EqualFunc(d.Reasons, tc.reasons, strings.HasPrefix) || !slices.EqualFunc(d.Errors, tc.errors, strings.Contains) {
				t.Errorf("%+v", d)
			}
		})
	}
}

// rotate gives a key a second version; the first one is in overlap for an hour.
func rotate(k *keyring.Key) {
	first := k.Versions[1]
	first.DeactivatedAt, first.ProcessUntil = noon, noon.Add(time.Hour)
	k.Versions[2] = &keyring.Version{Number: 2, Algorithm: first.Algorithm, Operations: first.Operations, CreatedAt: noon, ActivatedAt: noon}
	k.Counter = 2
}

// TestActionsOfKeys says which action every kind of key does.
func TestActionsOfKeys(t *testing.T) {
	for name, tc := range map[string]struct {
		algorithm keyring.Algorithm
		want      []string
	}{
		"AES":     {keyring.AES256, []string{"verify", "encrypt", "decrypt", "wrap", "unwrap", "mac"}},
		"HMAC":    {keyring.HMACSHA256, []string{"verify", "mac"}},
		"RSA":     {keyring.RSA2048, []string{"sign", "verify", "encrypt", "decrypt", "wrap", "unwrap", "get_public_key", "sign_digest"}},
		"EC":      {keyring.ECSecp256k1, []string{"sign", "verify", "derive", "get_public_key", "sign_digest"}},
		"Edwards": {keyring.Ed25519, []string{"sign", "verify", "get_public_key", "sign_digest"}},
	} {
		t.Run(name, func(t *testing.T) {
			world := policy.World{Environment: "prod", Principals: []policy.Principal{caller("bot", "")}, Keys: []*keyring.Key{key("k", tc.algorithm)}}
			e := engine(t, world, enabled("p", permit(one("bot"), policy.ActionNames(), one("k"))))
			var got []string
			for _, a := range policy.ActionNames() {
				if e.Decide(policy.Request{Environment: "prod", Principal: "bot", Action: policy.Action(a), Key: "k", Context: policy.Context{Time: noon}}).Allowed {
					got = append(got, a)
				}
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("%q, expected %q", got, tc.want)
			}
		})
	}
}

func TestConditions(t *testing.T) {
	zurich := func(from, to string, weekdays ...string) policy.Condition {
		return policy.Condition{Hours: &policy.Hours{From: from, To: to, TimeZone: "Europe/Zurich", Weekdays: weekdays}}
	}
	at := func(word string) policy.Context { return policy.Context{Time: instant(word), PayloadBytes: -1} }
	from := func(address string) policy.Context {
		return policy.Context{Time: noon, SourceIP: netip.MustParseAddr(address)}
	}
	size := func(n int64) policy.Context { return policy.Context{Time: noon, PayloadBytes: n} }
	for name, tc := range map[string]struct {
		condition policy.Condition
		holds     []policy.Context
		holdsNot  []policy.Context
		untold    []policy.Context // without what it is about: nothing is permitted, everything forbidden
	}{
		"network":      {policy.Condition{SourceCIDRs: one("10.0.0.0/8")}, []policy.Context{from("10.255.255.255"), from("::ffff:10.0.0.1")}, []policy.Context{from("11.0.0.0"), from("::1")}, []policy.Context{size(1)}},
		"networks":     {policy.Condition{SourceCIDRs: []string{"10.0.0.0/8", "fe80::/10"}}, []policy.Context{from("10.0.0.0"), from("fe80::1%eth0")}, []policy.Context{from("::a00:1")}, nil},
		"everywhere":   {policy.Condition{SourceCIDRs: []string{"0.0.0.0/0"}}, []policy.Context{from("192.0.2.1")}, []policy.Context{from("2001:db8::1")}, []policy.Context{at("2026-01-01T00:00:00Z")}},
		"not before":   {policy.Condition{NotBefore: "2026-03-03T12:00:00Z"}, []policy.Context{at("2026-03-03T12:00:00Z"), at("2026-03-03T13:00:00.0001+01:00")}, []policy.Context{at("2026-03-03T11:59:59.9999Z")}, nil},
		"not after":    {policy.Condition{NotAfter: "2026-03-03T12:00:00Z"}, []policy.Context{at("2026-03-03T11:59:59.9999Z")}, []policy.Context{at("2026-03-03T12:00:00Z")}, nil},
		"size":         {policy.Condition{MaxPayloadBytes: new(int64(0))}, []policy.Context{size(0)}, []policy.Context{size(1)}, []policy.Context{size(-1)}},
		"mechanism":    {policy.Condition{Mechanisms: []string{"CKM_ECDSA", "CKM_EDDSA"}}, []policy.Context{{Time: noon, Mechanism: "CKM_EDDSA"}}, []policy.Context{{Time: noon, Mechanism: "CKM_RSA_PKCS"}}, []policy.Context{{Time: noon}}},
		"all together": {policy.Condition{MaxPayloadBytes: new(int64(9)), Mechanisms: one("CKM_ECDSA")}, []policy.Context{{Time: noon, PayloadBytes: 9, Mechanism: "CKM_ECDSA"}}, []policy.Context{size(10), {Time: noon, PayloadBytes: 10, Mechanism: "CKM_ECDSA"}}, []policy.Context{size(9), size(-1)}},

		// Clocks in Zurich: one hour ahead in winter, two in summer. On 29 March 2026 they go from 02:00 to 03:00, on
		// 25 October from 03:00 back to 02:00.
		"by day":      {zurich("08:00", "18:00"), []policy.Context{at("2026-01-15T07:00:00Z"), at("2026-07-15T06:00:00Z"), at("2026-07-15T15:59:59.999Z")}, []policy.Context{at("2026-01-15T06:59:59.999Z"), at("2026-07-15T16:00:00Z")}, nil},
		"missing":     {zurich("02:00", "03:00"), []policy.Context{at("2026-03-28T01:30:00Z")}, []policy.Context{at("2026-03-29T00:59:59Z"), at("2026-03-29T01:00:00Z"), at("2026-03-29T01:30:00Z")}, nil},
		"twice":       {zurich("02:00", "03:00"), []policy.Context{at("2026-10-25T00:30:00Z"), at("2026-10-25T01:30:00Z")}, []policy.Context{at("2026-10-24T23:59:00Z"), at("2026-10-25T02:00:00Z")}, nil},
		"after it":    {zurich("08:00", "09:00"), []policy.Context{at("2026-03-29T06:30:00Z"), at("2026-10-25T07:30:00Z")}, []policy.Context{at("2026-03-29T07:30:00Z"), at("2026-10-25T06:30:00Z")}, nil},
		"other day":   {zurich("00:00", "24:00", "thursday"), []policy.Context{at("2026-01-14T23:00:00Z"), at("2026-01-15T22:59:59Z")}, []policy.Context{at("2026-01-14T22:59:59Z"), at("2026-01-15T23:00:00Z")}, nil},
		"night":       {zurich("22:00", "06:00"), []policy.Context{at("2026-01-15T21:00:00Z"), at("2026-01-15T04:59:59Z")}, []policy.Context{at("2026-01-15T05:00:00Z"), at("2026-01-15T20:59:59Z")}, nil},
		"friday's":    {zurich("22:00", "06:00", "friday"), []policy.Context{at("2026-01-16T21:00:00Z"), at("2026-01-17T04:00:00Z")}, []policy.Context{at("2026-01-16T04:00:00Z"), at("2026-01-17T21:00:00Z")}, nil},
		"to midnight": {zurich("22:00", "00:00", "friday"), []policy.Context{at("2026-01-16T22:59:59.999Z")}, []policy.Context{at("2026-01-16T23:00:00Z"), at("2026-01-16T20:59:59Z")}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			both := map[policy.Effect]*policy.Engine{
				policy.Permit: engine(t, tradingDesk(), enabled("p", under(tc.condition, permit(one("bot"), one("sign"), one("orders"))))),
				policy.Forbid: engine(t, tradingDesk(), trading(), enabled("p", under(tc.condition, forbid(one("bot"), one("sign"), one("orders"))))),
			}
			for effect, e := range both {
				for _, c := range slices.Concat(tc.holds, tc.holdsNot, tc.untold) {
					r, holds := signing(), slices.Contains(tc.holds, c)
					r.Context = c
					want := holds == (effect == policy.Permit) && !slices.Contains(tc.untold, c)
					if d := e.Decide(r); d.Allowed != want || len(d.Errors) > 0 {
						t.Errorf("%s at %+v: %+v", effect, c, d)
					}
				}
			}
		})
	}
}

// TestUnknownTime: without the time nothing is gained.
func TestUnknownTime(t *testing.T) {
	r := signing()
	r.Context.Time = time.Time{}
	always := policy.Condition{NotAfter: "9999-01-01T00:00:00Z"}
	for name, tc := range map[string]struct {
		policies []*policy.Policy
		allowed  bool
		reason   string
	}{
		"permit at any time":          {[]*policy.Policy{trading()}, true, "permitted"},
		"permit at some time":         {[]*policy.Policy{enabled("p", under(always, permit(one("bot"), one("sign"), one("orders"))))}, false, "no policy permits it"},
		"one of either":               {[]*policy.Policy{trading(), enabled("p", under(always, permit(one("bot"), one("sign"), one("orders"))))}, true, "permitted"},
		"forbid at some time":         {[]*policy.Policy{trading(), enabled("p", under(policy.Condition{NotBefore: "9999-01-01T00:00:00Z"}, forbid(one("bot"), one("sign"), one("orders"))))}, false, `forbidden by policy "p", statement 1, as the time of the request is not known`},
		"forbid at some time in text": {[]*policy.Policy{trading(), written("p", `forbid (principal, action, resource) when { context.local["UTC"].weekday == "sunday" };`)}, false, `forbidden by policy "p", Cedar policy 1, as the time`},
	} {
		t.Run(name, func(t *testing.T) {
			d := engine(t, tradingDesk(), tc.policies...).Decide(r)
			if d.Allowed != tc.allowed || len(d.Reasons) != 1 || !strings.HasPrefix(d.Reasons[0], tc.reason) || len(d.Errors) > 0 {
				t.Errorf("%+v", d)
			}
		})
	}
}

func TestEngineRefusesWhatCannotBeCompiled(t *testing.T) {
	_, err := policy.NewEngine(tradingDesk(), []*policy.Policy{trading(), written("broken", "permit (principal, action, resource) when { principal.rank > 1 };")})
	if !fault.Is(err, fault.Inconsistent) || !strings.Contains(err.Error(), `access policy "broken", cedar`) || !strings.Contains(err.Error(), `no attribute "rank"`) {
		t.Errorf("%v", err)
	}
}
