package provider_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// question asks whether the bot may sign with orders, with some arguments set.
func question(pairs ...any) values {
	return with(values{"principal": "bot", "action": "sign", "key": "orders"}, pairs...)
}

func TestAccessDecides(t *testing.T) {
	office := statement("condition", values{
		"source_cidrs": []any{"10.0.0.0/8"}, "max_payload_bytes": 4096, "mechanisms": []any{"CKM_ECDSA"},
		"hours": values{"from": "08:00", "to": "18:00", "time_zone": "Europe/Zurich"},
	})
	request := values{"time": "2027-01-04T09:00:00+01:00", "source_ip": "10.20.0.7", "payload_bytes": 4096, "mechanism": "CKM_ECDSA"}
	for name, test := range map[string]struct {
		policy   values // nil for none
		question values
		want     bool
		reason   string
	}{
		"no policy":           {nil, question(), false, "no policy permits it"},
		"permitted":           {policyOf(statement()), question(), true, `policy "trading", statement 1`},
		"another action":      {policyOf(statement()), question("action", "verify"), false, "no policy permits it"},
		"another caller":      {policyOf(statement()), question("principal", "ada"), false, "no policy permits it"},
		"digests":             {policyOf(statement("actions", []any{"any"})), question("action", "sign_digest"), false, "no policy permits it"},
		"forbidden":           {policyOf(statement(), statement("effect", "forbid", "principals", []any{"any"})), question(), false, `forbidden by policy "trading", statement 2`},
		"disabled":            {with(policyOf(statement()), "enabled", false), question(), false, "no policy permits it"},
		"impossible":          {policyOf(statement("actions", []any{"encrypt"})), question("action", "encrypt"), false, `built-in rule "key"`},
		"in the office":       {policyOf(office), question("context", request), true, "statement 1"},
		"after hours":         {policyOf(office), question("context", with(request, "time", "2027-01-04T18:00:00+01:00")), false, "no policy"},
		"now, at midnight":    {policyOf(office), question("context", with(request, "time", nil)), false, "no policy"},
		"from elsewhere":      {policyOf(office), question("context", with(request, "source_ip", "192.0.2.1")), false, "no policy"},
		"too long":            {policyOf(office), question("context", with(request, "payload_bytes", 4097)), false, "no policy"},
		"another mechanism":   {policyOf(office), question("context", with(request, "mechanism", "CKM_EDDSA")), false, "no policy"},
		"nobody knows whence": {policyOf(office), question("context", with(request, "source_ip", nil)), false, "no policy"},
		"nothing is known":    {policyOf(office), question(), false, "no policy"},
		"empty payload":       {policyOf(condition("max_payload_bytes", 0)), question("context", values{"payload_bytes": 0}), true, "statement 1"},
		"unknown payload":     {policyOf(condition("max_payload_bytes", 0)), question("context", values{}), false, "no policy"},
		"both versions":       {policyOf(statement()), question("principal_version", 1, "key_version", 1), true, "statement 1"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			if test.policy != nil {
				d.policies(t).apply(test.policy)
			}
			answer, diagnostics := d.serve(t).ask(t, "hsm_access", test.question)
			noErrors(t, diagnostics)
			if reasons := fmt.Sprint(answer["reasons"]); answer["allowed"] != test.want || !strings.Contains(reasons, test.reason) || fmt.Sprint(answer["errors"]) != "[]" {
				t.Errorf("allowed %v because of %s (%v), want %v because of %q", answer["allowed"], reasons, answer["errors"], test.want, test.reason)
			}
		})
	}
}

// A policy that cannot be evaluated denies, and the answer says which one it was.
func TestAccessReportsErrors(t *testing.T) {
	d := newDesk(t)
	d.policies(t).apply(policyOf(statement()))
	d.policies(t).apply(values{"name": "sum", "cedar": `forbid (principal, action, resource)
when { context has payload_bytes && context.payload_bytes * 9223372036854775807 == 7 };`})
	answer, diagnostics := d.serve(t).ask(t, "hsm_access", question("context", values{"payload_bytes": 2}))
	noErrors(t, diagnostics)
	if failures := fmt.Sprint(answer["errors"]); answer["allowed"] != false || !strings.Contains(failures, `policy "sum"`) || !strings.Contains(fmt.Sprint(answer["reasons"]), "cannot be evaluated") {
		t.Errorf("the answer is %v", answer)
	}
}

// Revoked, suspended, expired, superseded: the versions of caller and key count.
func TestAccessDependsOnVersions(t *testing.T) {
	for name, test := range map[string]struct {
		tamper func(d *desk)
		pairs  []any
		want   bool
		reason string
	}{
		"revoked":     {func(d *desk) { d.credential("bot").Versions[1].RevokedAt = newYear }, nil, false, "revoked"},
		"suspended":   {func(d *desk) { d.credential("bot").Spec.Enabled = false }, nil, false, "suspended"},
		"expired":     {func(d *desk) { d.credential("bot").Spec.ExpiresAt = newYear.Add(-time.Hour) }, nil, false, "expired"},
		"expires":     {func(d *desk) { d.credential("bot").Spec.ExpiresAt = day(1) }, nil, true, "permitted"},
		"at its end":  {func(d *desk) { d.credential("bot").Spec.ExpiresAt = day(1) }, []any{"context", values{"time": "2027-01-01T01:00:00Z"}}, false, "expired"},
		"overlapping": {replaced, []any{"principal_version", 1}, true, "permitted"},
		"superseded":  {replaced, []any{"principal_version", 1, "context", values{"time": "2027-01-01T03:00:00Z"}}, false, "superseded"},
		"the newest":  {replaced, []any{"context", values{"time": "2027-01-01T03:00:00Z"}}, true, "permitted"},
		"key suspended": {func(d *desk) {
			spec := d.m.Key("orders").Spec
			spec.Enabled = false
			if _, err := d.m.Run().Update(d.t.Context(), spec); err != nil {
				d.t.Fatal(err)
			}
		}, nil, false, "suspended"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.policies(t).apply(policyOf(statement()))
			test.tamper(d)
			answer, diagnostics := d.serve(t).ask(t, "hsm_access", question(test.pairs...))
			noErrors(t, diagnostics)
			if reasons := fmt.Sprint(answer["reasons"]); answer["allowed"] != test.want || !strings.Contains(reasons, test.reason) {
				t.Errorf("allowed %v because of %s, want %v because of %q", answer["allowed"], reasons, test.want, test.reason)
			}
		})
	}
}

// replaced gives the bot a second version, two hours before the first one ends.
func replaced(d *desk) {
	c := d.credential("bot")
	c.Counter = 2
	c.Versions[1].ReplacedAt, c.Versions[1].AcceptedUntil = newYear, day(2)
	c.Versions[2] = &credential.Version{Number: 2, Algorithm: credential.Ed25519, Fingerprint: "01", CreatedAt: newYear}
}

func TestAccessRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		question  values
		attribute string
		says      []string
	}{
		"unknown principal":      {question("principal", "bod"), "principal", []string{`"bod"`, `"test"`}},
		"removed principal":      {question("principal", "eve"), "principal", []string{`"eve"`}},
		"no principal":           {question("principal", ""), "principal", nil},
		"owner is no principal":  {question("principal", "owner:ada"), "principal", []string{`"owner:ada"`}},
		"any is no principal":    {question("principal", "any"), "principal", []string{`"any"`}},
		"unknown key":            {question("key", "order"), "key", []string{`"order"`}},
		"unknown action":         {question("action", "sing"), "action", []string{"sing", "sign_digest"}},
		"any is no action":       {question("action", "any"), "action", []string{"any"}},
		"unknown version":        {question("principal_version", 2), "principal_version", []string{"no version 2"}},
		"version nought":         {question("principal_version", 0), "principal_version", []string{"at least 1"}},
		"unknown version of key": {question("key_version", 2), "key_version", []string{"no version 2"}},
		"key version nought":     {question("key_version", 0), "key_version", []string{"at least 1"}},
		"bad time":               {question("context", values{"time": "noon"}), "time", []string{"noon", "RFC 3339"}},
		"bad address":            {question("context", values{"source_ip": "10.0.0.0/8"}), "source_ip", []string{"10.0.0.0/8"}},
		"negative payload":       {question("context", values{"payload_bytes": -1}), "payload_bytes", []string{"at least 0"}},
		"bad mechanism":          {question("context", values{"mechanism": "ECDSA"}), "mechanism", []string{"CKM_ECDSA"}},
		"computed":               {question("allowed", true), "allowed", nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.caller(credential.Spec{Name: "eve", Owner: "eve"})
			d.leave("eve")
			answer, diagnostics := d.serve(t).ask(t, "hsm_access", test.question)
			wantDiagnostic(t, diagnostics, test.attribute, append(test.says, "ERROR")...)
			if len(diagnostics) > 1 || answer["allowed"] != nil {
				t.Errorf("answered %v, and said more: %s", answer, showAll(diagnostics))
			}
		})
	}
}

// What this run is going to make is there to be asked about: a check may be planned
// before anything exists.
func TestAccessToWhatIsNew(t *testing.T) {
	d := newDesk(t)
	d.policies(t).apply(policyOf(statement("actions", []any{"any"}, "keys", []any{"any"})))
	s := d.serve(t)
	about := question("key", "quotes", "action", "mac", "key_version", 1)
	_, diagnostics := s.ask(t, "hsm_access", about)
	wantDiagnostic(t, diagnostics, "key", "ERROR", `"quotes"`)

	noErrors(t, s.plan(t, "hsm_key", nil, values{"name": "quotes", "algorithm": "HMAC_SHA256"}).diagnostics)
	answer, diagnostics := s.ask(t, "hsm_access", about)
	noErrors(t, diagnostics)
	if answer["allowed"] != true {
		t.Errorf("the answer is %v", answer)
	}

	noErrors(t, s.plan(t, "hsm_key", nil, values{"name": "later", "algorithm": "HMAC_SHA256", "tags": unknown}).diagnostics)
	answer, diagnostics = s.ask(t, "hsm_access", question("key", "later", "action", "mac"))
	noErrors(t, diagnostics)
	if answer["allowed"] != false || !strings.Contains(fmt.Sprint(answer["reasons"]), "still to be made") {
		t.Errorf("the answer is %v", answer)
	}
	if d.m.Key("quotes") != nil || d.m.Key("orders").Spec.Algorithm != keyring.ECP256 {
		t.Error("asking has changed something")
	}
}
