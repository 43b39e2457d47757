package provider_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// every is a statement with everything in it.
func every(effect string) values {
	return statement("effect", effect, "principals", []any{"ada", "bot"}, "actions", []any{"sign", "verify"}, "keys", []any{"orders"}, "condition", values{
		"source_cidrs": []any{"10.0.0.0/8", "2001:db8::/32"}, "not_before": "2027-01-01T00:00:00Z", "not_after": "2028-01-01T00:00:00+01:00",
		"max_payload_bytes": 4096, "mechanisms": []any{"CKM_ECDSA"},
		"hours": values{"from": "22:00", "to": "06:00", "time_zone": "Europe/Zurich", "weekdays": []any{"monday", "sunday"}},
	})
}

const written = `permit (principal, action == Action::"get_public_key", resource == Key::"orders"); // as written`

func TestAccessPolicyLife(t *testing.T) {
	d := newDesk(t)
	c := d.policies(t)
	c.apply(policyOf(statement()))
	sum := sha256.Sum256([]byte(c.state["cedar"].(string)))
	for name, want := range (values{"id": "trading", "name": "trading", "enabled": true, "description": nil, "tags": nil, "fingerprint_sha256": hex.EncodeToString(sum[:])}) {
		if c.state[name] != want {
			t.Errorf("%s is %v, want %v", name, c.state[name], want)
		}
	}
	wantGrants(t, "at first", c.state, "bot sign orders")
	for _, step := range []struct {
		config values
		want   []string
	}{
		{with(policyOf(statement()), "description", "Orders."), []string{"bot sign orders"}},
		{with(policyOf(statement()), "description", ""), []string{"bot sign orders"}},
		{with(policyOf(statement()), "tags", values{"team": "a"}), []string{"bot sign orders"}},
		{with(policyOf(statement()), "tags", values{}), []string{"bot sign orders"}},
		{policyOf(statement("principals", []any{"bot", "ada"})), []string{"ada sign orders", "bot sign orders"}},
		{policyOf(statement("principals", []any{"owner:ada"})), []string{"ada sign orders"}},
		{policyOf(statement("principals", []any{"tag:desk=spot"}, "keys", []any{"tag:desk=spot"})), []string{"bot sign orders"}},
		{policyOf(statement("principals", []any{"any"}, "actions", []any{"any"}, "keys", []any{"archive"})), []string{"ada decrypt archive", "ada encrypt archive", "bot decrypt archive", "bot encrypt archive"}},
		{policyOf(statement("actions", []any{"sign", "sign_digest"})), []string{"bot sign orders", "bot sign_digest orders"}},
		{policyOf(statement(), statement("actions", []any{"verify"})), []string{"bot sign orders", "bot verify orders"}},
		{policyOf(statement("principals", []any{"any"}), statement("effect", "forbid", "principals", []any{"ada"})), []string{"bot sign orders"}},
		{policyOf(every("permit")), []string{"ada sign orders if", "ada verify orders if", "bot sign orders if", "bot verify orders if"}},
		{policyOf(every("forbid")), []string{}},
		{policyOf(condition("max_payload_bytes", 0)), []string{"bot sign orders if"}},
		{with(policyOf(statement()), "enabled", false), []string{}},
		{cedarText(written), []string{"ada get_public_key orders", "bot get_public_key orders"}},
		{policyOf(statement()), []string{"bot sign orders"}},
	} {
		p := d.apply(c, step.config)
		wantGrants(t, fmt.Sprintf("planned for %v", step.config), p.values, step.want...)
		wantGrants(t, fmt.Sprintf("applied %v", step.config), c.state, step.want...)
		if text := step.config["cedar"]; text != nil && c.state["cedar"] != text {
			t.Errorf("cedar is %q", c.state["cedar"])
		}
	}
	d.apply(c, nil)
	if stone := d.on.policies.Stored["trading"].Body.Tombstone; stone == nil {
		t.Error("the policy left no tombstone")
	}
	again := d.policies(t)
	again.apply(policyOf(statement()))
	wantGrants(t, "made again", again.state, "bot sign orders")
}

func TestAccessPolicyRename(t *testing.T) {
	d := newDesk(t)
	c := d.policies(t)
	c.apply(policyOf(statement()))
	p := d.apply(c, with(policyOf(statement()), "name", "market-making"))
	if len(p.replace) != 1 || p.replace[0] != "name" || c.state["id"] != "market-making" || !strings.Contains(c.state["cedar"].(string), "market-making") {
		t.Errorf("replaced because of %v, and is %v", p.replace, c.state)
	}
	wantGrants(t, "renamed", c.state, "bot sign orders")
}

func TestAccessPolicyImport(t *testing.T) {
	for name, config := range map[string]values{
		"least":      policyOf(statement()),
		"conditions": policyOf(every("permit"), every("forbid"), condition("not_after", "2028-01-01T00:00:00Z")),
		"cedar":      cedarText(written),
		"most":       with(policyOf(statement()), "description", "Orders.", "tags", values{"team": "a"}, "enabled", false),
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.policies(t).apply(config)
			d.policies(t).importID("trading", config)
		})
	}
}

func TestAccessPolicyRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		resource  string
		config    values
		attribute string
		says      []string
	}{
		"unknown credential":          {config: policyOf(statement("principals", []any{"bod"})), attribute: "principals", says: []string{`"bod"`, `"bot"`}},
		"unknown key":                 {config: policyOf(statement("keys", []any{"order"})), attribute: "keys", says: []string{`"order"`, `"orders"`}},
		"unknown in second statement": {config: policyOf(statement(), statement("keys", []any{"order"})), attribute: "keys", says: []string{"ElementKeyInt(1)"}},
		"unknown credential in Cedar": {config: cedarText(`permit (principal == Credential::"bod", action == Action::"sign", resource);`), attribute: "cedar", says: []string{"bod"}},
		"unknown key in Cedar":        {config: cedarText(`permit (principal, action == Action::"sign", resource) when { resource == Key::"order" };`), attribute: "cedar", says: []string{"order"}},
		"forbids what there is not":   {config: policyOf(statement("effect", "forbid", "keys", []any{"order"})), attribute: "keys", says: []string{`"order"`}},
		"disabled all the same":       {config: with(policyOf(statement("keys", []any{"order"})), "enabled", false), attribute: "keys", says: []string{`"order"`}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newDesk(t).serve(t).plan(t, "hsm_access_policy", nil, test.config)
			wantDiagnostic(t, p.diagnostics, test.attribute, append(test.says, "ERROR")...)
		})
	}
}

// What somebody should look at twice is a warning where it stands, and only when it is
// new.
func TestAccessPolicyWarns(t *testing.T) {
	for name, test := range map[string]struct {
		config    values
		attribute string
		says      []string
	}{
		"any principal": {policyOf(statement("principals", []any{"any"})), "principals", []string{"every credential"}},
		"any key":       {policyOf(statement("keys", []any{"any"})), "keys", []string{"every key"}},
		"sign_digest":   {policyOf(statement("actions", []any{"sign_digest"})), "actions", []string{"sign_digest"}},
		"no such owner": {policyOf(statement("principals", []any{"owner:adam"})), "principals", []string{"adam"}},
		"no such tag":   {policyOf(statement("keys", []any{"tag:desk=treasury"})), "keys", []string{"desk=treasury"}},
		"impossible":    {policyOf(statement("keys", []any{"archive"})), "actions", []string{"can do sign"}},
		"void":          {policyOf(statement(), statement("effect", "forbid", "principals", []any{"any"})), "statement", nil},
		"redundant":     {policyOf(statement(), statement("principals", []any{"bot", "ada"})), "statement", nil},
		"nobody there":  {policyOf(condition("source_cidrs", []any{"224.0.0.0/4"})), "source_cidrs", []string{"No caller"}},
		"Cedar":         {cedarText(`permit (principal, action, resource == Key::"orders");`), "cedar", []string{"every credential"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newDesk(t).policies(t)
			p := c.apply(test.config)
			wantDiagnostic(t, p.diagnostics, test.attribute, append(test.says, "WARNING")...)
			c.diagnostics = nil
			c.refresh()
			if p := c.plan(t, c.resource, c.state, with(test.config, "description", "Later.")); len(p.diagnostics) > 0 {
				t.Errorf("it is said again: %s", showAll(p.diagnostics))
			}
		})
	}
	if p := newDesk(t).policies(t).apply(policyOf(statement())); len(p.diagnostics) > 0 {
		t.Errorf("a sensible policy is warned about: %s", showAll(p.diagnostics))
	}
}

// The name of a policy that somebody else manages is refused, with the way to take it over.
func TestAccessPolicyNameTaken(t *testing.T) {
	d := newDesk(t)
	d.policies(t).apply(policyOf(statement()))
	c := d.policies(t)
	config := policyOf(statement("actions", []any{"verify"}))
	p := c.plan(t, c.resource, nil, config)
	noErrors(t, p.diagnostics)
	state, diagnostics := c.try(nil, p.values, config)
	wantDiagnostic(t, diagnostics, "", "already exists", "import {", "to = hsm_access_policy.", `id = "trading"`)
	if state != nil {
		t.Errorf("the error came with the state %v", state)
	}
}

// Whatever fails, the state stays; only a policy that was removed leaves it.
func TestAccessPolicyTrouble(t *testing.T) {
	d := newDesk(t)
	c := d.policies(t)
	c.apply(policyOf(statement()))
	before := c.state

	d.m.Trouble = &fault.Error{Kind: fault.Unavailable, Op: "use token", Problem: "The token is out.", Code: "C_OpenSession: CKR_DEVICE_REMOVED"}
	state, diagnostics := c.read(before)
	wantDiagnostic(t, diagnostics, wholeBlock, "The token is out", "CKR_DEVICE_REMOVED")
	same(t, "after trouble", before, state)
	d.m.Trouble = nil

	record := d.on.policies.Stored["trading"]
	delete(d.on.policies.Stored, "trading")
	state, diagnostics = c.read(before)
	wantDiagnostic(t, diagnostics, wholeBlock, "inconsistent", "terraform state rm")
	same(t, "after the loss of the record", before, state)
	d.on.policies.Stored["trading"] = record

	if _, diagnostics := d.serve(t).ImportResourceState(t.Context(), imports("nothing")); diagnostics != nil {
		t.Fatal(diagnostics)
	}
	d.policies(t).change(before, nil, nil)
	state, diagnostics = d.policies(t).read(before)
	wantDiagnostic(t, diagnostics, wholeBlock, "WARNING", "No longer on the token", "was removed on 2027-01-01")
	if state != nil {
		t.Errorf("it is still in the state: %v", state)
	}
	d.policies(t).change(before, nil, nil) // gone already, which is no error
}

// A write that fails leaves no state of a new policy, and the prior state of another one.
func TestAccessPolicyWriteFails(t *testing.T) {
	d := newDesk(t)
	fail := &fault.Error{Kind: fault.Unavailable, Op: "write record", Problem: "The token is full."}
	c := d.policies(t)
	config := policyOf(statement())
	p := c.plan(t, c.resource, nil, config)
	d.on.policies.Write = func(func()) error { return fail }
	if state, diagnostics := c.try(nil, p.values, config); state != nil {
		t.Errorf("there is a state, %v, with %s", state, showAll(diagnostics))
	}
	d.on.policies.Write = func(change func()) error { change(); return nil }
	c.apply(config)
	before := c.state
	more := policyOf(statement("actions", []any{"sign", "verify"}))
	p = c.plan(t, c.resource, before, more)
	d.on.policies.Write = func(func()) error { return fail }
	state, diagnostics := c.try(before, p.values, more)
	wantDiagnostic(t, diagnostics, wholeBlock, "ERROR", "The token is full")
	same(t, "after the failure", before, state)
}

// Time goes by, keys and credentials come and go: a refresh shows it, and plans nothing.
func TestAccessPolicyDrift(t *testing.T) {
	d := newDesk(t)
	c := d.policies(t)
	config := policyOf(statement("principals", []any{"owner:ada", "tag:desk=spot"}, "actions", []any{"any"}, "keys", []any{"tag:desk=spot"}))
	c.apply(config)
	wantGrants(t, "at first", c.state, "ada get_public_key orders", "ada sign orders", "ada verify orders", "bot get_public_key orders", "bot sign orders", "bot verify orders")

	d.credential("ada").Spec.ExpiresAt = day(1)
	d.m.Pass(2 * time.Hour)
	d.caller(credential.Spec{Name: "eve", Owner: "eve", Tags: map[string]string{"desk": "spot"}})
	d.leave("bot")
	d.key(keyring.Spec{Name: "quotes", Algorithm: keyring.HMACSHA256, Tags: map[string]string{"desk": "spot"}})
	c = &core{server: d.serve(t), t: t, resource: c.resource, state: c.state}
	c.settled(config)
	wantGrants(t, "later", c.state, "eve get_public_key orders", "eve mac quotes", "eve sign orders", "eve verify orders", "eve verify quotes")
}

// The rules of the environment hold for policies as for keys.
func TestAccessPolicyInAnotherEnvironment(t *testing.T) {
	d := newDesk(t)
	d.m.Stamp = "prod"
	p := d.serve(t).plan(t, "hsm_access_policy", nil, policyOf(statement()))
	wantDiagnostic(t, p.diagnostics, wholeBlock, "wrong environment", `"prod"`, `"test"`)
}
