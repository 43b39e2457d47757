package policy_test

import (
	"slices"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/policy"
)

func TestCheckFindsMistakes(t *testing.T) {
	cedar := policy.Place{Statement: -1, Field: "cedar"}
	ambiguous := tradingDesk()
	ambiguous.Principals = append(ambiguous.Principals, caller("any", "trading"))
	ambiguous.Keys = append(ambiguous.Keys, key("any", keyring.ECP256))
	for name, tc := range map[string]struct {
		world policy.World
		of    *policy.Policy
		want  []found
	}{
		"misspelt names": {
			tradingDesk(), enabled("p", permit([]string{"bto", "web"}, one("sign"), one("order"))),
			[]found{{on("principals", "bto"), `no credential "bto"`, `"bot"?`}, {on("keys", "order"), `no key "order"`, `"orders"?`}},
		},
		"unknown names": {
			tradingDesk(), enabled("p", permit(one("settlement"), one("sign"), one("settlement"))),
			[]found{{on("principals", "settlement"), "no credential", "hsm_api_credential.NAME.id"}, {on("keys", "settlement"), "no key", "hsm_key.NAME.id"}},
		},
		"nothing there yet": {
			policy.World{Environment: "prod"}, enabled("p", permit(one("bot"), one("sign"), one("orders"))),
			[]found{{on("principals", "bot"), "no credential", "so that it is made first"}, {on("keys", "orders"), "no key", "so that it is made first"}},
		},
		"the word any": {
			ambiguous, enabled("p", permit(one("any"), one("sign"), one("any"))),
			[]found{{on("principals", "any"), `a credential that is called "any"`, "another name"}, {on("keys", "any"), `a key that is called "any"`, "another name"}},
		},
		"with other mistakes": {
			tradingDesk(), enabled("p", permit(one("bto"), one("sing"), one("orders"))),
			[]found{{on("actions", "sing"), "no action", ""}, {on("principals", "bto"), "no credential", `"bot"?`}},
		},
		"in the order of statements": {
			tradingDesk(), enabled("p", permit(one("bto"), one("sign"), one("orders")), permit(one("bot"), one("sing"), one("orders"))),
			[]found{{on("principals", "bto"), "no credential", ""}, {policy.Place{Statement: 1, Field: "actions", Element: "sing"}, "no action", ""}},
		},
		"in cedar": {
			tradingDesk(), written("p", "permit (principal == Credential::\"bto\", action, resource)\nwhen { resource in [Key::\"orders\", Key::\"walet\"] };"),
			[]found{{cedar, `In Cedar policy 1 (line 1): There is no credential "bto"`, `"bot"?`}, {cedar, `There is no key "walet"`, `"wallet"?`}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			wantFindings(t, policy.Check(tc.of.Spec, tc.world, nil, noon), policy.Mistake, tc.want...)
		})
	}
}

func TestCheckCautions(t *testing.T) {
	cedar := policy.Place{Statement: -1, Field: "cedar"}
	second := func(field, element string) policy.Place {
		return policy.Place{Statement: 1, Field: field, Element: element}
	}
	night := policy.Condition{Hours: &policy.Hours{From: "22:00", To: "06:00", TimeZone: "UTC"}}
	for name, tc := range map[string]struct {
		of     *policy.Policy
		others []*policy.Policy
		want   []found
	}{
		"every credential": {
			enabled("p", permit(one("any"), one("verify"), one("orders"))), nil,
			[]found{{on("principals", "any"), "every credential", "an owner, or a tag"}},
		},
		"every key": {
			enabled("p", permit(one("bot"), one("verify"), one("any"))), nil,
			[]found{{on("keys", "any"), "every key", "a tag"}},
		},
		"under a condition": {
			enabled("p", under(night, permit(one("bot"), one("verify"), one("any")))), nil,
			[]found{{on("keys", "any"), "every key", ""}},
		},
		"digests": {
			enabled("p", permit(one("bot"), []string{"sign", "sign_digest"}, one("orders"))), nil,
			[]found{{on("actions", "sign_digest"), "only a digest", `"sign"`}},
		},
		"nobody's owner": {
			enabled("p", permit([]string{"bot", "owner:tradign"}, one("sign"), one("orders"))), nil,
			[]found{{on("principals", "owner:tradign"), `No credential has the owner "tradign"`, `"trading"?`}},
		},
		"nothing's tag": {
			enabled("p", forbid(one("tag:desk=otc"), one("sign"), one("tag:desk=sopt"))), nil,
			[]found{{on("principals", "tag:desk=otc"), `No credential has the tag "desk=otc"`, ""}, {on("keys", "tag:desk=sopt"), `No key has the tag "desk=sopt"`, `"desk=spot"?`}},
		},
		"what keys cannot do": {
			enabled("p", permit(one("bot"), []string{"sign", "encrypt", "mac"}, []string{"orders", "wallet"})), nil,
			[]found{{on("actions", "encrypt"), "None of the keys can do encrypt", "algorithms"}, {on("actions", "mac"), "None of the keys can do mac", ""}},
		},
		"what keys by tag cannot do": {
			enabled("p", permit(one("bot"), one("get_public_key"), one("tag:desk=web"))), nil,
			[]found{{on("actions", "get_public_key"), "None of the keys", ""}},
		},
		"no caller's network": {
			enabled("p", under(policy.Condition{SourceCIDRs: []string{"224.0.0.0/4", "0.0.0.0/32"}}, permit(one("bot"), one("sign"), one("orders")))), nil,
			[]found{{on("condition.source_cidrs", ""), "No caller", ""}},
		},
		"forbidden by itself": {
			enabled("p", permit(one("bot"), one("sign"), one("orders")), forbid(one("owner:trading"), one("any"), one("any"))), nil,
			[]found{{on("", ""), "permits nothing: whatever it permits is forbidden by statement 2", ""}},
		},
		"forbidden by another": {
			enabled("p", under(night, permit(one("bot"), one("sign"), one("orders")))), []*policy.Policy{enabled("freeze", forbid(one("any"), one("any"), one("tag:desk=spot")))},
			[]found{{on("", ""), `forbidden by policy "freeze", statement 1`, "Narrow"}},
		},
		"forbidden under the same condition": {
			enabled("p", under(night, permit(one("bot"), one("sign"), one("orders"))), under(night, forbid(one("bot"), one("sign"), one("orders")))), nil,
			[]found{{on("", ""), "forbidden by statement 2", ""}},
		},
		"twice": {
			enabled("p", permit(one("bot"), one("sign"), one("orders")), permit(one("bot"), one("sign"), one("orders"))), nil,
			[]found{{second("", ""), "changes nothing: whatever it permits is permitted by statement 1", ""}},
		},
		"before a wider one": {
			enabled("p", permit(one("bot"), one("sign"), one("orders")), permit(one("owner:trading"), []string{"sign", "verify"}, one("tag:desk=spot"))), nil,
			[]found{{on("", ""), "permitted by statement 2", ""}},
		},
		"permitted by another": {
			enabled("p", permit(one("bot"), one("sign"), one("orders"))), []*policy.Policy{enabled("all", permit(one("owner:trading"), one("any"), one("tag:desk=spot")))},
			[]found{{on("", ""), `permitted by policy "all", statement 1`, ""}},
		},
		"forbidden by a text": {
			enabled("p", permit(one("bot"), one("sign_digest"), one("orders"))), []*policy.Policy{written("freeze", `@id("all") forbid (principal, action, resource);`)},
			[]found{{on("", ""), `forbidden by policy "freeze", Cedar policy "all"`, ""}, {on("actions", "sign_digest"), "", ""}},
		},
		"a time that has gone by": {
			enabled("p", under(policy.Condition{NotAfter: "2026-03-03T12:00:00Z"}, permit(one("bot"), one("sign"), one("orders")))), nil,
			[]found{{on("condition.not_after", ""), "gone by", "correct the time"}},
		},
		"no such mechanism": {
			enabled("p", under(policy.Condition{Mechanisms: one("CKM_ECDAS")}, permit(one("bot"), one("sign"), one("orders")))), nil,
			[]found{{on("condition.mechanisms", "CKM_ECDAS"), "no mechanism CKM_ECDAS", `"CKM_ECDSA"?`}},
		},
		"the vendor's mechanism, perhaps": {
			enabled("p", under(policy.Condition{Mechanisms: one("CKM_NOPE")}, permit(one("bot"), one("sign"), one("orders")))), nil,
			[]found{{on("condition.mechanisms", "CKM_NOPE"), "no mechanism CKM_NOPE", "vendor's own"}},
		},
		"mechanisms of other keys": {
			enabled("p", under(policy.Condition{Mechanisms: one("CKM_AES_GCM")}, permit(one("bot"), []string{"sign", "get_public_key"}, one("orders")))), nil,
			[]found{{on("condition.mechanisms", ""), "None of the keys can do sign by CKM_AES_GCM", "algorithms and the action"}},
		},
		"mechanisms for no action": {
			enabled("p", under(policy.Condition{Mechanisms: one("CKM_EDDSA")}, forbid(one("any"), one("any"), []string{"orders", "vault"}))), nil,
			[]found{{on("condition.mechanisms", ""), "None of the keys can do sign or verify or encrypt", "algorithms and the action"}},
		},
		"mechanisms for another action": {
			enabled("p", under(policy.Condition{Mechanisms: []string{"CKM_AES_GCM", "CKM_SHA256_HMAC"}}, forbid(one("bot"), []string{"encrypt", "mac"}, one("vault")))), nil,
			[]found{{on("condition.mechanisms", ""), "None of the keys can do mac by CKM_AES_GCM or CKM_SHA256_HMAC", ""}},
		},
		"cedar that is never true": {
			written("p", `permit (principal == Credential::"bot", action == Action::"sign", resource == Key::"orders") when { false };`), nil,
			[]found{{cedar, "can never hold", ""}},
		},
		"cedar that is never true, in part": {
			written("p", `forbid (principal, action, resource) when { context has payload_bytes && 1 > 2 };`), nil,
			[]found{{cedar, "can never hold", ""}},
		},
		"cedar that excepts everything": {
			written("p", `forbid (principal, action, resource) unless { 1 < 2 };`), nil,
			[]found{{cedar, "can never hold", ""}},
		},
		"cedar that always fails": {
			written("p", `permit (principal == Credential::"bot", action == Action::"sign", resource == Key::"orders") when { 9223372036854775807 + 1 > 0 };`), nil,
			[]found{{cedar, "cannot be evaluated", "Correct the condition"}},
		},
		"cedar that reads what is not there": {
			written("p", `forbid (principal == Credential::"bot", action == Action::"sign", resource == Key::"orders") when { principal in Tag::"a=b" && 9223372036854775807 + 1 > 0 };`), nil,
			[]found{{cedar, "cannot be evaluated", "Correct the condition"}},
		},
		"cedar that nobody fits now": {
			written("p", `permit (principal, action == Action::"sign", resource) when { principal.owner == resource.name && context has payload_bytes };`), nil,
			[]found{{cedar, "permits nothing of what there is now", ""}},
		},
		"cedar for keys that cannot": {
			written("p", `permit (principal == Credential::"bot", action == Action::"sign", resource) when { resource.algorithm == "AES_256" };`), nil,
			[]found{{cedar, "permits nothing of what there is now", ""}},
		},
		"cedar without limits": {
			written("p", "permit (principal, action, resource);"), nil,
			[]found{{cedar, "every credential", ""}, {cedar, "every key", ""}, {cedar, "every action but sign_digest", "Name the actions"}},
		},
		"cedar that grants digests": {
			written("p", `permit (principal == Credential::"bot", action == Action::"sign_digest", resource == Key::"orders");`), nil,
			[]found{{cedar, "In Cedar policy 1 (line 1): This permits sign_digest", ""}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := policy.Check(tc.of.Spec, tradingDesk(), tc.others, noon)
			slices.SortStableFunc(got, func(a, b policy.Finding) int { return len(a.At.Field+a.At.Element) - len(b.At.Field+b.At.Element) })
			slices.SortStableFunc(tc.want, func(a, b found) int { return len(a.at.Field+a.at.Element) - len(b.at.Field+b.at.Element) })
			wantFindings(t, got, policy.Caution, tc.want...)
		})
	}
}

// TestCheckIsSilent holds the linter to saying nothing of what is as it should be.
func TestCheckIsSilent(t *testing.T) {
	day := policy.Condition{Hours: &policy.Hours{From: "08:00", To: "18:00", TimeZone: "Europe/Zurich"}, SourceCIDRs: one("10.0.0.0/8")}
	disabled := enabled("off", forbid(one("any"), one("any"), one("any")))
	disabled.Spec.Enabled = false
	removed := enabled("gone", permit(one("any"), one("any"), one("any")))
	removed.Tombstone = &policy.Tombstone{At: noon}
	for name, tc := range map[string]struct {
		of     *policy.Policy
		others []*policy.Policy
	}{
		"least privilege": {of: enabled("p", permit(one("bot"), []string{"sign", "verify", "get_public_key"}, one("orders")),
			permit(one("owner:trading"), []string{"verify", "get_public_key"}, one("tag:desk=custody")), permit(one("web"), []string{"mac", "verify"}, one("webhooks")))},
		"any action":              {of: enabled("p", permit(one("bot"), one("any"), one("orders")))},
		"forbidding to anybody":   {of: enabled("p", forbid(one("any"), one("any"), one("any")))},
		"forbidding digests":      {of: enabled("p", forbid(one("any"), one("sign_digest"), one("any")))},
		"except at night":         {of: enabled("p", permit(one("bot"), one("sign"), one("orders")), under(day, forbid(one("bot"), one("sign"), one("orders"))))},
		"more by day":             {of: enabled("p", under(day, permit(one("bot"), one("any"), one("orders"))), permit(one("bot"), one("verify"), one("orders")))},
		"partly forbidden":        {of: enabled("p", permit(one("owner:trading"), one("sign"), one("orders")), forbid(one("web"), one("sign"), one("orders")))},
		"alike by coincidence":    {of: enabled("p", permit(one("tag:desk=web"), one("verify"), one("orders"))), others: []*policy.Policy{enabled("q", permit(one("web"), one("verify"), one("orders")))}},
		"others do not count":     {of: enabled("p", permit(one("bot"), one("sign"), one("orders"))), others: []*policy.Policy{disabled, removed, enabled("broken", policy.Statement{})}},
		"its own record":          {of: enabled("p", permit(one("bot"), one("sign"), one("orders"))), others: []*policy.Policy{enabled("p", permit(one("bot"), one("sign"), one("orders")))}},
		"times to come":           {of: enabled("p", under(policy.Condition{NotBefore: "2027-01-01T00:00:00Z", NotAfter: "2028-01-01T00:00:00Z"}, permit(one("bot"), one("sign"), one("orders"))))},
		"mechanisms that fit":     {of: enabled("p", under(policy.Condition{Mechanisms: []string{"CKM_ECDSA", "CKM_ECDSA_SHA256"}}, permit(one("bot"), []string{"sign", "verify", "get_public_key"}, one("orders"))))},
		"mechanisms for any":      {of: enabled("p", under(policy.Condition{Mechanisms: one("CKM_EDDSA")}, forbid(one("any"), one("any"), one("any"))))},
		"mechanisms for some":     {of: enabled("p", under(policy.Condition{Mechanisms: one("CKM_ECDSA")}, forbid(one("any"), one("any"), one("orders"))))},
		"cedar about one key":     {of: written("p", `permit (principal == Credential::"bot", action == Action::"sign", resource) when { Key::"orders".algorithm == "EC_P256" && resource == Key::"orders" };`)},
		"cedar that may fail":     {of: written("p", `forbid (principal, action, resource) when { context has payload_bytes && context.payload_bytes + 1 > 5 };`)},
		"cedar with limits":       {of: written("p", `permit (principal, action == Action::"sign", resource) when { principal.owner == "trading" && resource.hasTag("desk") };`)},
		"cedar that forbids":      {of: written("p", `forbid (principal, action, resource) unless { context has source_ip && context.source_ip.isInRange(ip("10.0.0.0/8")) };`)},
		"unknown group in cedar":  {of: written("p", `forbid (principal, action == Action::"sign", resource in Tag::"desk=spot") unless { principal in Owner::"security" };`)},
		"narrower than the other": {of: enabled("p", permit(one("owner:trading"), one("sign"), one("orders"))), others: []*policy.Policy{enabled("q", permit(one("bot"), one("sign"), one("orders")))}},
	} {
		t.Run(name, func(t *testing.T) {
			wantFindings(t, policy.Check(tc.of.Spec, tradingDesk(), tc.others, noon), policy.Caution)
		})
	}
	t.Run("keys that are known by name only", func(t *testing.T) {
		world := tradingDesk()
		world.Principals = append(world.Principals, policy.Principal{Name: "new"})
		world.Keys = append(world.Keys, &keyring.Key{Spec: keyring.Spec{Name: "new"}})
		wantFindings(t, policy.Check(enabled("p", permit(one("new"), one("encrypt"), one("new"))).Spec, world, nil, noon), policy.Caution)
	})
	t.Run("what only an old version can do", func(t *testing.T) {
		world := tradingDesk()
		world.Keys[0].Versions[1].Algorithm, world.Keys[0].Versions[1].Operations = keyring.RSA2048, keyring.Decrypt
		wantFindings(t, policy.Check(enabled("p", permit(one("bot"), one("decrypt"), one("orders"))).Spec, world, nil, noon), policy.Caution)
	})
}
