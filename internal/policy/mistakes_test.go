package policy_test

import (
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/policy"
)

// found is what a test expects to be found: one place, and words of the problem and the
// hint.
type found struct {
	at            policy.Place
	problem, hint string
}

func wantFindings(t *testing.T, got []policy.Finding, severity policy.Severity, want ...found) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d findings, expected %d: %+v", len(got), len(want), got)
	}
	for i, w := range want {
		g := got[i]
		if g.Severity != severity || g.At != w.at || !strings.Contains(g.Problem, w.problem) || !strings.Contains(g.Hint, w.hint) {
			t.Errorf("%+v, expected %+v", g, w)
		}
		for _, sentence := range []string{g.Problem, g.Hint} {
			if sentence != "" && !strings.ContainsAny(sentence[len(sentence)-1:], ".?") {
				t.Errorf("%q is no sentence", sentence)
			}
		}
	}
}

// on is a place in the first statement.
func on(field, element string) policy.Place { return policy.Place{Field: field, Element: element} }

func TestMistakesInStatements(t *testing.T) {
	good := permit(one("bot"), one("sign"), one("orders"))
	with := func(change func(*policy.Statement)) policy.Statement {
		s := good
		change(&s)
		return s
	}
	condition := func(c policy.Condition) policy.Statement { return under(c, good) }
	hours := func(h policy.Hours) policy.Statement { return condition(policy.Condition{Hours: &h}) }
	for name, tc := range map[string]struct {
		statement policy.Statement
		want      found
	}{
		"no effect":      {with(func(s *policy.Statement) { s.Effect = "" }), found{on("effect", ""), `no effect ""`, "forbid"}},
		"unknown effect": {with(func(s *policy.Statement) { s.Effect = "allow" }), found{on("effect", ""), `no effect "allow"`, "permit"}},

		"no principal":       {with(func(s *policy.Statement) { s.Principals = nil }), found{on("principals", ""), "names no principal", "any"}},
		"no action":          {with(func(s *policy.Statement) { s.Actions = []string{} }), found{on("actions", ""), "names no action", "any"}},
		"no key":             {with(func(s *policy.Statement) { s.Keys = nil }), found{on("keys", ""), "names no key", "any"}},
		"empty principal":    {with(func(s *policy.Statement) { s.Principals = one("") }), found{on("principals", ""), "empty text", "owner:NAME"}},
		"empty owner":        {with(func(s *policy.Statement) { s.Principals = one("owner:") }), found{on("principals", "owner:"), "not followed", "owner:alice"}},
		"tag without value":  {with(func(s *policy.Statement) { s.Principals = one("tag:desk") }), found{on("principals", "tag:desk"), "not a tag", "tag:KEY=VALUE"}},
		"tag without name":   {with(func(s *policy.Statement) { s.Keys = one("tag:=spot") }), found{on("keys", "tag:=spot"), "not a tag", "tag:KEY=VALUE"}},
		"unknown prefix":     {with(func(s *policy.Statement) { s.Principals = one("team:spot") }), found{on("principals", "team:spot"), "known prefix", "owner:NAME"}},
		"misspelt prefix":    {with(func(s *policy.Statement) { s.Principals = one("onwer:alice") }), found{on("principals", "onwer:alice"), "known prefix", `"owner:"`}},
		"owner of a key":     {with(func(s *policy.Statement) { s.Keys = one("owner:alice") }), found{on("keys", "owner:alice"), "known prefix", "owner:"}},
		"misspelt action":    {with(func(s *policy.Statement) { s.Actions = one("sing") }), found{on("actions", "sing"), `no action "sing"`, `"sign"?`}},
		"unknown action":     {with(func(s *policy.Statement) { s.Actions = one("administer") }), found{on("actions", "administer"), "no action", "get_public_key, sign_digest"}},
		"any and more":       {with(func(s *policy.Statement) { s.Keys = []string{"orders", "any"} }), found{on("keys", "any"), "stands for every key", "Leave out"}},
		"any and an action":  {with(func(s *policy.Statement) { s.Actions = []string{"any", "sign"} }), found{on("actions", "any"), "stands for every action", "Leave out"}},
		"any and digests":    {with(func(s *policy.Statement) { s.Actions = []string{"any", "sign_digest"} }), found{on("actions", "sign_digest"), "does not stand for sign_digest", "of its own"}},
		"repeated principal": {with(func(s *policy.Statement) { s.Principals = []string{"bot", "web", "bot"} }), found{on("principals", "bot"), "more than once", "repetition"}},
		"thrice":             {with(func(s *policy.Statement) { s.Actions = []string{"sign", "sign", "sign"} }), found{on("actions", "sign"), "more than once", ""}},

		"empty condition":    {condition(policy.Condition{SourceCIDRs: []string{}}), found{on("condition", ""), "empty", "leave it out"}},
		"address":            {condition(policy.Condition{SourceCIDRs: one("10.0.0.1")}), found{on("condition.source_cidrs", "10.0.0.1"), "not a network", `"10.0.0.1/32"`}},
		"host bits":          {condition(policy.Condition{SourceCIDRs: one("10.1.2.3/8")}), found{on("condition.source_cidrs", "10.1.2.3/8"), "behind its prefix", `"10.0.0.0/8"`}},
		"IPv6 host bits":     {condition(policy.Condition{SourceCIDRs: one("2001:db8::1/32")}), found{on("condition.source_cidrs", "2001:db8::1/32"), "behind its prefix", `"2001:db8::/32"`}},
		"mapped":             {condition(policy.Condition{SourceCIDRs: one("::ffff:10.0.0.0/104")}), found{on("condition.source_cidrs", "::ffff:10.0.0.0/104"), "IPv4", "10.1.0.0/16"}},
		"too long a prefix":  {condition(policy.Condition{SourceCIDRs: one("10.0.0.0/33")}), found{on("condition.source_cidrs", "10.0.0.0/33"), "not a network", "CIDR"}},
		"network in words":   {condition(policy.Condition{SourceCIDRs: one("office")}), found{on("condition.source_cidrs", "office"), "not a network", "CIDR"}},
		"date only":          {condition(policy.Condition{NotBefore: "2026-01-01"}), found{on("condition.not_before", ""), "not a time", "RFC 3339"}},
		"no such day":        {condition(policy.Condition{NotAfter: "2026-02-30T00:00:00Z"}), found{on("condition.not_after", ""), "not a time", "RFC 3339"}},
		"year 10000":         {condition(policy.Condition{NotAfter: "9999-12-31T23:59:59-01:00"}), found{on("condition.not_after", ""), "four digits", ""}},
		"too precise":        {condition(policy.Condition{NotAfter: "2026-01-01T00:00:00.0001Z"}), found{on("condition.not_after", ""), "millisecond", ""}},
		"backwards":          {condition(policy.Condition{NotBefore: "2026-01-01T01:00:00+01:00", NotAfter: "2026-01-01T00:00:00Z"}), found{on("condition.not_after", ""), "not later", "Swap"}},
		"negative size":      {condition(policy.Condition{MaxPayloadBytes: new(int64(-1))}), found{on("condition.max_payload_bytes", ""), "-1 bytes", "0 or more"}},
		"no mechanism":       {condition(policy.Condition{Mechanisms: one("ECDSA")}), found{on("condition.mechanisms", "ECDSA"), "PKCS#11", "CKM_ECDSA"}},
		"repeated mechanism": {condition(policy.Condition{Mechanisms: []string{"CKM_ECDSA", "CKM_ECDSA"}}), found{on("condition.mechanisms", "CKM_ECDSA"), "more than once", ""}},

		"bad clock":          {hours(policy.Hours{From: "8:00", To: "18:00", TimeZone: "UTC"}), found{on("condition.hours.from", ""), "time of day", "08:00"}},
		"after the day":      {hours(policy.Hours{From: "08:00", To: "24:01", TimeZone: "UTC"}), found{on("condition.hours.to", ""), "time of day", ""}},
		"from the day's end": {hours(policy.Hours{From: "24:00", To: "08:00", TimeZone: "UTC"}), found{on("condition.hours.from", ""), "24:00", `"00:00"`}},
		"no hour":            {hours(policy.Hours{From: "08:00", To: "08:00", TimeZone: "UTC"}), found{on("condition.hours.to", ""), "end when they begin", "24:00"}},
		"every hour":         {hours(policy.Hours{From: "00:00", To: "24:00", TimeZone: "UTC"}), found{on("condition.hours", ""), "all of every day", "leave them out"}},
		"no zone":            {hours(policy.Hours{From: "08:00", To: "18:00"}), found{on("condition.hours.time_zone", ""), `no time zone ""`, "IANA"}},
		"local zone":         {hours(policy.Hours{From: "08:00", To: "18:00", TimeZone: "Local"}), found{on("condition.hours.time_zone", ""), `"Local"`, "IANA"}},
		"unknown zone":       {hours(policy.Hours{From: "08:00", To: "18:00", TimeZone: "Europe/Zuerich"}), found{on("condition.hours.time_zone", ""), `"Europe/Zuerich"`, "IANA"}},
		"zone by path":       {hours(policy.Hours{From: "08:00", To: "18:00", TimeZone: "../UTC"}), found{on("condition.hours.time_zone", ""), `"../UTC"`, "IANA"}},
		"unknown weekday":    {hours(policy.Hours{From: "08:00", To: "18:00", TimeZone: "UTC", Weekdays: one("Monday")}), found{on("condition.hours.weekdays", "Monday"), `no weekday "Monday"`, `"monday"?`}},
		"repeated weekday":   {hours(policy.Hours{From: "08:00", To: "18:00", TimeZone: "UTC", Weekdays: []string{"monday", "monday"}}), found{on("condition.hours.weekdays", "monday"), "more than once", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			text, mistakes := policy.Compile(policy.Spec{Name: "p", Statements: []policy.Statement{tc.statement}})
			wantFindings(t, mistakes, policy.Mistake, tc.want)
			if text != "" {
				t.Errorf("it compiles to %s", text)
			}
		})
	}
}

func TestMistakesInPolicies(t *testing.T) {
	whole, cedar := policy.Place{Statement: -1}, policy.Place{Statement: -1, Field: "cedar"}
	statements := []policy.Statement{permit(one("bot"), one("sign"), one("orders"))}
	for name, tc := range map[string]struct {
		spec policy.Spec
		want []found
	}{
		"neither": {policy.Spec{}, []found{{whole, "neither", "statement"}}},
		"both":    {policy.Spec{Statements: statements, Cedar: "permit (principal, action, resource);"}, []found{{cedar, "statements and a Cedar text", "one of the two"}}},
		"two statements": {
			policy.Spec{Statements: []policy.Statement{permit(nil, one("sign"), one("orders")), permit(one("bot"), one("sign"), nil)}},
			[]found{{policy.Place{Statement: 0, Field: "principals"}, "no principal", ""}, {policy.Place{Statement: 1, Field: "keys"}, "no key", ""}},
		},
		"comments only": {policy.Spec{Cedar: "// later\n"}, []found{{cedar, "no policy", "permit or forbid"}}},
		"blank":         {policy.Spec{Cedar: " "}, []found{{cedar, "no policy", ""}}},
		"no end":        {policy.Spec{Cedar: "permit (principal, action, resource)"}, []found{{cedar, `near line 1, column 37: the text ends where ";" is expected`, ""}}},
		"no comma":      {policy.Spec{Cedar: "permit (\n  principal action, resource);"}, []found{{cedar, `near line 2, column 19: found "action" where "," is expected`, ""}}},
		"not closed":    {policy.Spec{Cedar: `permit (principal, action, resource) when { "a };`}, []found{{cedar, "near line 1, column 45: literal not terminated", ""}}},
		"template":      {policy.Spec{Cedar: "permit (principal == ?principal, action, resource);"}, []found{{cedar, "expected ident", ""}}},
		"no function":   {policy.Spec{Cedar: "permit (principal, action, resource) when { now() > 1 };"}, []found{{cedar, "`now` is not a function", ""}}},
		"misspelt attribute": {
			policy.Spec{Cedar: "\n@id(\"desk\")\npermit (principal, action, resource) when { principal.ownr == \"alice\" };"},
			[]found{{cedar, `In Cedar policy "desk" (line 2): A Credential has no attribute "ownr".`, `"owner"?`}},
		},
		"unknown attribute": {
			policy.Spec{Cedar: "permit (principal, action, resource) when { resource.created == 1 };"},
			[]found{{cedar, `In Cedar policy 1 (line 1): A Key has no attribute "created".`, "name, algorithm, extractable"}},
		},
		"misspelt context": {
			policy.Spec{Cedar: "permit (principal, action, resource) when { context.payload_byte < 1 };"},
			[]found{{cedar, `The context has no attribute "payload_byte".`, `"payload_bytes"?`}},
		},
		"unguarded": {
			policy.Spec{Cedar: "permit (principal, action, resource) when { context.payload_bytes < 1 };"},
			[]found{{cedar, "context.payload_bytes is not known of every request", "`context has payload_bytes && …`"}},
		},
		"guarded too late": {
			policy.Spec{Cedar: "permit (principal, action, resource) when { context.payload_bytes < 1 && context has payload_bytes };"},
			[]found{{cedar, "context.payload_bytes is not known", ""}},
		},
		"unguarded tag": {
			policy.Spec{Cedar: `permit (principal, action, resource) when { principal.getTag("desk") == "spot" };`},
			[]found{{cedar, `The tag "desk" may be missing`, `hasTag("desk")`}},
		},
		"unknown action": {
			policy.Spec{Cedar: `permit (principal, action == Action::"sing", resource);`},
			[]found{{cedar, `There is no action "sing".`, `"sign"?`}},
		},
		"unknown action in a condition": {
			policy.Spec{Cedar: `permit (principal, action, resource) when { action == Action::"sing" };`},
			[]found{{cedar, `There is no action "sing".`, `"sign"?`}},
		},
		"unknown entity type": {
			policy.Spec{Cedar: `permit (principal == Credentail::"bot", action, resource);`},
			[]found{{cedar, `There is no entity type "Credentail".`, `"Credential"?`}},
		},
		"wrong way round": {
			policy.Spec{Cedar: `permit (principal == Key::"orders", action, resource);`},
			[]found{{cedar, "No request fits the scope", "A principal is a Credential"}},
		},
		"type error": {
			policy.Spec{Cedar: `permit (principal, action, resource) when { principal.name < 3 };`},
			[]found{{cedar, "Unexpected type: expected datetime, or duration, or Long but saw String.", ""}},
		},
		"bad constant": {
			policy.Spec{Cedar: `permit (principal, action, resource) when { context has source_ip && context.source_ip.isInRange(ip("10.0.0.0/33")) };`},
			[]found{{cedar, "10.0.0.0/33", ""}},
		},
		"unknown zone": {
			policy.Spec{Cedar: `permit (principal, action, resource) when { context.local["Mars/Base"].weekday == "monday" };`},
			[]found{{cedar, `There is no time zone "Mars/Base".`, "IANA"}},
		},
		"no zone at all": {
			policy.Spec{Cedar: `permit (principal, action, resource) when { context.local["\u{0}\"{"].weekday == "monday" };`},
			[]found{{cedar, "There is no time zone", "IANA"}},
		},
		"several": {
			policy.Spec{Cedar: "permit (principal, action, resource) when { principal.ownr == \"x\" };\nforbid (principal, action, resource) when { resource.size > 1 };"},
			[]found{{cedar, `In Cedar policy 1 (line 1): A Credential has no attribute "ownr".`, ""}, {cedar, `In Cedar policy 2 (line 2): A Key has no attribute "size".`, ""}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tc.spec.Name = "p"
			_, mistakes := policy.Compile(tc.spec)
			wantFindings(t, mistakes, policy.Mistake, tc.want...)
		})
	}
}
