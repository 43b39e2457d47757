package policy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/policy"
)

func TestCompile(t *testing.T) {
	for name, tc := range map[string]struct {
		statement policy.Statement
		want      string
	}{
		"one of each": {
			permit(one("bot"), one("sign"), one("orders")), `
@id("trading/1")
permit (
  principal == Credential::"bot",
  action == Action::"sign",
  resource == Key::"orders"
);
`,
		},
		"groups": {
			forbid(one("owner:alice"), []string{"sign", "verify"}, one("tag:desk=spot")), `
@id("trading/1")
forbid (
  principal in Owner::"alice",
  action in [Action::"sign", Action::"verify"],
  resource in Tag::"desk=spot"
);
`,
		},
		"anything": {
			permit(one("any"), one("any"), one("any")), `
@id("trading/1")
permit (
  principal,
  action in
    [Action::"sign",
     Action::"verify",
     Action::"encrypt",
     Action::"decrypt",
     Action::"wrap",
     Action::"unwrap",
     Action::"mac",
     Action::"derive",
     Action::"get_public_key"],
  resource
);
`,
		},
		"on one line": {
			forbid(one("any"), one("sign_digest"), one("any")), `
@id("trading/1")
forbid (principal, action == Action::"sign_digest", resource);
`,
		},
		"several of each": {
			permit([]string{"owner:alice", "bot", "tag:desk=spot", "web"}, one("mac"), []string{"tag:a=b", "tag:c=", "orders"}), `
@id("trading/1")
permit (principal, action == Action::"mac", resource)
when
{
  principal in [Credential::"bot", Credential::"web"] ||
  principal in Owner::"alice" ||
  principal in Tag::"desk=spot"
}
when { resource == Key::"orders" || resource in [Tag::"a=b", Tag::"c="] };
`,
		},
		"names that need quoting": {
			permit(one(`owner:O"Neill\`), one("mac"), one("tag:k=a\nb=é")), `
@id("trading/1")
permit (
  principal in Owner::"O\"Neill\\",
  action == Action::"mac",
  resource in Tag::"k=a\nb=é"
);
`,
		},
		"as wide as a line": {
			under(policy.Condition{SourceCIDRs: one("10.0.0.0/8")}, permit(one("any"), one("mac"), one("any"))), `
@id("trading/1")
permit (principal, action == Action::"mac", resource)
when { context has source_ip && context.source_ip.isInRange(ip("10.0.0.0/8")) };
`,
		},
		"everything": {
			under(policy.Condition{
				SourceCIDRs: []string{"10.0.0.0/8", "2001:db8::/32"}, NotBefore: "2026-01-01T00:00:00+01:00", NotAfter: "2027-01-01T00:00:00.5Z",
				Hours:           &policy.Hours{From: "08:00", To: "18:30", TimeZone: "Europe/Zurich", Weekdays: []string{"monday", "tuesday"}},
				MaxPayloadBytes: new(int64(4096)), Mechanisms: []string{"CKM_ECDSA", "CKM_ECDSA_SHA256"},
			}, permit(one("any"), one("mac"), one("any"))), `
@id("trading/1")
permit (principal, action == Action::"mac", resource)
when
{
  context has source_ip &&
  (context.source_ip.isInRange(ip("10.0.0.0/8")) ||
   context.source_ip.isInRange(ip("2001:db8::/32")))
}
when
{
  context.now >= datetime("2025-12-31T23:00:00Z") &&
  context.now < datetime("2027-01-01T00:00:00.500Z")
}
when
{
  ["monday", "tuesday"].contains(context.local["Europe/Zurich"].weekday) &&
  context.local["Europe/Zurich"].time >= duration("8h") &&
  context.local["Europe/Zurich"].time < duration("18h30m")
}
when { context has payload_bytes && context.payload_bytes <= 4096 }
when
{
  context has mechanism &&
  ["CKM_ECDSA", "CKM_ECDSA_SHA256"].contains(context.mechanism)
};
`,
		},
		"forbidding what is not known": {
			under(policy.Condition{MaxPayloadBytes: new(int64(4096)), Mechanisms: one("CKM_ECDSA"), SourceCIDRs: []string{"10.0.0.0/8", "192.168.0.0/16"}},
				forbid(one("any"), one("mac"), one("any"))), `
@id("trading/1")
forbid (principal, action == Action::"mac", resource)
when
{
  if context has source_ip
  then (context.source_ip.isInRange(ip("10.0.0.0/8")) ||
     context.source_ip.isInRange(ip("192.168.0.0/16")))
  else true
}
when
{
  if context has payload_bytes then context.payload_bytes <= 4096 else true
}
when
{
  if context has mechanism then context.mechanism == "CKM_ECDSA" else true
};
`,
		},
		"past midnight": {
			under(policy.Condition{Hours: &policy.Hours{From: "22:00", To: "06:00", TimeZone: "UTC"}}, permit(one("any"), one("mac"), one("any"))), `
@id("trading/1")
permit (principal, action == Action::"mac", resource)
when
{
  context.local["UTC"].time >= duration("22h") ||
  context.local["UTC"].time < duration("6h")
};
`,
		},
		"past midnight on some days": {
			under(policy.Condition{Hours: &policy.Hours{From: "22:00", To: "00:30", TimeZone: "UTC", Weekdays: []string{"friday", "saturday"}}}, permit(one("any"), one("mac"), one("any"))), `
@id("trading/1")
permit (principal, action == Action::"mac", resource)
when
{
  (["friday", "saturday"].contains(context.local["UTC"].weekday) &&
   context.local["UTC"].time >= duration("22h")) ||
  (["saturday", "sunday"].contains(context.local["UTC"].weekday) &&
   context.local["UTC"].time < duration("30m"))
};
`,
		},
		"until midnight": {
			under(policy.Condition{Hours: &policy.Hours{From: "18:00", To: "00:00", TimeZone: "UTC"}}, permit(one("any"), one("mac"), one("any"))), `
@id("trading/1")
permit (principal, action == Action::"mac", resource)
when { context.local["UTC"].time >= duration("18h") };
`,
		},
		"whole days": {
			under(policy.Condition{Hours: &policy.Hours{From: "00:00", To: "24:00", TimeZone: "UTC", Weekdays: one("sunday")}}, forbid(one("any"), one("mac"), one("any"))), `
@id("trading/1")
forbid (principal, action == Action::"mac", resource)
when { context.local["UTC"].weekday == "sunday" };
`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, mistakes := policy.Compile(policy.Spec{Name: "trading", Enabled: true, Statements: []policy.Statement{tc.statement}})
			if want := strings.TrimPrefix(tc.want, "\n"); got != want || len(mistakes) > 0 {
				t.Errorf("%s\nexpected\n%s\n%+v", got, want, mistakes)
			}
			// What is shown is a policy, by the same schema.
			if again, mistakes := policy.Compile(policy.Spec{Name: "trading", Cedar: got}); again != got || len(mistakes) > 0 {
				t.Errorf("%s\nis no valid policy: %+v", got, mistakes)
			}
		})
	}
}

func TestCompileSeveral(t *testing.T) {
	s := policy.Statement{Effect: policy.Permit, Principals: one("any"), Actions: one("mac"), Keys: one("any")}
	got, mistakes := policy.Compile(policy.Spec{Name: "p", Statements: []policy.Statement{s, s}})
	want := `@id("p/1")
permit (principal, action == Action::"mac", resource);

@id("p/2")
permit (principal, action == Action::"mac", resource);
`
	if got != want || len(mistakes) > 0 {
		t.Errorf("%s\n%+v", got, mistakes)
	}
}

func TestCompileKeepsCedar(t *testing.T) {
	text := "// why\npermit( principal,action ,resource )when{context has source_ip};"
	if got, mistakes := policy.Compile(policy.Spec{Name: "p", Cedar: text}); got != text || len(mistakes) > 0 {
		t.Errorf("%q, %+v", got, mistakes)
	}
}

// TestSchema reads everything that the schema offers, as policies do.
func TestSchema(t *testing.T) {
	text := `permit (
  principal in Owner::"alice",
  action in [Action::"sign", Action::"verify", Action::"encrypt", Action::"decrypt", Action::"wrap", Action::"unwrap", Action::"mac",
    Action::"derive", Action::"get_public_key", Action::"sign_digest"],
  resource is Key in Tag::"desk=spot"
) when {
  principal.name == "bot" && principal.owner == "alice" && principal.hasTag("desk") && principal.getTag("desk") == "spot" &&
  resource.name == "orders" && resource.algorithm == "EC_P256" && !resource.extractable && resource.hasTag("desk") &&
  context.now.toDate() > datetime("2026-01-01") && context.local["Europe/Zurich"].time > duration("1h") &&
  context.local["Europe/Zurich"].weekday == "tuesday" && context has source_ip && context.source_ip.isIpv4() &&
  context has payload_bytes && context.payload_bytes > 0 && context has mechanism && context.mechanism like "CKM_*"
};`
	if _, mistakes := policy.Compile(policy.Spec{Name: "p", Cedar: text}); len(mistakes) > 0 {
		t.Errorf("%+v", mistakes)
	}
	schema := policy.Schema("Europe/Zurich", "UTC")
	for _, part := range append(policy.ActionNames(), "entity Credential in [Owner, Tag]", `local: {"Europe/Zurich": Clock, "UTC": Clock}`) {
		if !strings.Contains(schema, part) {
			t.Errorf("the schema lacks %s:\n%s", part, schema)
		}
	}
}

func TestNames(t *testing.T) {
	for name, tc := range map[string]struct {
		spec             policy.Spec
		principals, keys []string
	}{
		"statements": {
			policy.Spec{Statements: []policy.Statement{
				permit([]string{"web", "owner:alice", "bot"}, one("sign"), []string{"wallet", "tag:desk=spot"}), forbid(one("bot"), one("any"), one("orders")),
			}},
			[]string{"bot", "web"},
			[]string{"orders", "wallet"},
		},
		"nobody in particular": {policy.Spec{Statements: []policy.Statement{permit(one("any"), one("any"), one("tag:desk=spot"))}}, nil, nil},
		"cedar": {
			policy.Spec{Cedar: `permit (principal == Credential::"bot", action, resource) when { resource == Key::"orders" || [Key::"wallet"].contains(resource) };
				forbid (principal, action, resource in Key::"vault") unless { principal in [Credential::"web", Credential::"bot"] };`},
			[]string{"bot", "web"},
			[]string{"orders", "vault", "wallet"},
		},
		"mistaken": {policy.Spec{Statements: []policy.Statement{permit(one("bot"), one("sing"), one("orders"))}}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if principals, keys := policy.Names(tc.spec); !slices.Equal(principals, tc.principals) || !slices.Equal(keys, tc.keys) {
				t.Errorf("%q, %q", principals, keys)
			}
		})
	}
}
