package provider_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

// statement is a block that lets the bot sign orders, with some arguments set.
func statement(pairs ...any) values {
	return with(values{"effect": "permit", "principals": []any{"bot"}, "actions": []any{"sign"}, "keys": []any{"orders"}}, pairs...)
}

// condition is a statement under conditions.
func condition(pairs ...any) values { return statement("condition", with(values{}, pairs...)) }

// hours is a statement for some hours, 8 to 18 UTC if nothing else is said.
func hours(pairs ...any) values {
	return condition("hours", with(values{"from": "08:00", "to": "18:00", "time_zone": "UTC"}, pairs...))
}

// policyOf is a policy "trading" of statements.
func policyOf(statements ...any) values { return values{"name": "trading", "statement": statements} }

func cedarText(text string) values { return values{"name": "trading", "cedar": text} }

func TestAccessPolicyValidation(t *testing.T) {
	for name, test := range map[string]struct {
		config    values
		attribute string
		says      []string
	}{
		"name with a space":      {with(policyOf(statement()), "name", "my policy"), "name", []string{"Cannot read policy name", "1 to 63 letters"}},
		"tag of null":            {with(policyOf(statement()), "tags", values{"a": nil}), "tags", []string{`tags["a"] is null`}},
		"computed attribute":     {with(policyOf(statement()), "fingerprint_sha256", "00"), "fingerprint_sha256", nil},
		"neither":                {values{"name": "trading"}, wholeBlock, []string{"Cannot use access policy", "neither statements nor"}},
		"both":                   {with(policyOf(statement()), "cedar", "permit (principal, action, resource);"), "", []string{"statement", "cedar"}},
		"unknown effect":         {policyOf(statement("effect", "allow")), "effect", []string{`"allow"`, "permit", "forbid"}},
		"no principal":           {policyOf(statement("principals", []any{})), "principals", []string{"any"}},
		"no action":              {policyOf(statement("actions", []any{})), "actions", []string{"any"}},
		"no key":                 {policyOf(statement("keys", []any{})), "keys", []string{"any"}},
		"null principal":         {policyOf(statement("principals", []any{"bot", nil})), "principals", []string{"is null"}},
		"only null":              {policyOf(statement("keys", []any{nil})), "keys", []string{"is null"}},
		"owner of nobody":        {policyOf(statement("principals", []any{"owner:"})), "principals", []string{"owner:"}},
		"tag without value":      {policyOf(statement("principals", []any{"tag:desk"})), "principals", []string{"tag:desk"}},
		"key tag without value":  {policyOf(statement("keys", []any{"tag:desk"})), "keys", []string{"tag:desk"}},
		"keys have no owner":     {policyOf(statement("keys", []any{"owner:ada"})), "keys", []string{"owner:ada"}},
		"unknown prefix":         {policyOf(statement("principals", []any{"team:spot"})), "principals", []string{"team:spot"}},
		"any and others":         {policyOf(statement("principals", []any{"any", "bot"})), "principals", []string{"any"}},
		"unknown action":         {policyOf(statement("actions", []any{"sing"})), "actions", []string{`"sing"`}},
		"any and sign_digest":    {policyOf(statement("actions", []any{"any", "verify"})), "actions", []string{"any"}},
		"empty condition":        {policyOf(condition()), "condition", []string{"condition"}},
		"no network":             {policyOf(condition("source_cidrs", []any{}, "max_payload_bytes", 1)), "source_cidrs", []string{"is empty", "leave it out"}},
		"network of null":        {policyOf(condition("source_cidrs", []any{nil}, "max_payload_bytes", 1)), "source_cidrs", []string{"is null"}},
		"bad network":            {policyOf(condition("source_cidrs", []any{"10.0.0.0/33"})), "source_cidrs", []string{"10.0.0.0/33"}},
		"host bits":              {policyOf(condition("source_cidrs", []any{"10.0.0.1/8"})), "source_cidrs", []string{"10.0.0.1/8", "10.0.0.0/8"}},
		"bad beginning":          {policyOf(condition("not_before", "tomorrow")), "not_before", []string{"tomorrow", "RFC 3339"}},
		"bad end":                {policyOf(condition("not_after", "2027-02-30T00:00:00Z")), "not_after", []string{"2027-02-30"}},
		"end before beginning":   {policyOf(condition("not_before", "2027-02-01T00:00:00Z", "not_after", "2027-01-01T00:00:00Z")), "not_after", []string{"not_before"}},
		"negative payload":       {policyOf(condition("max_payload_bytes", -1)), "max_payload_bytes", []string{"-1"}},
		"no mechanism":           {policyOf(condition("mechanisms", []any{}, "max_payload_bytes", 1)), "mechanisms", []string{"is empty", "leave it out"}},
		"bad mechanism":          {policyOf(condition("mechanisms", []any{"ECDSA"})), "mechanisms", []string{"ECDSA", "CKM_"}},
		"bad clock":              {policyOf(hours("from", "8am")), "from", []string{"8am"}},
		"bad end of day":         {policyOf(hours("to", "24:01")), "to", []string{"24:01"}},
		"no hours at all":        {policyOf(hours("to", "08:00")), "to", []string{"end when they begin"}},
		"hours without a zone":   {policyOf(condition("hours", values{"from": "08:00", "to": "18:00"})), "hours", []string{"time_zone", "must be specified"}},
		"bad time zone":          {policyOf(hours("time_zone", "Europe/Zuerich")), "time_zone", []string{"Europe/Zuerich"}},
		"unknown weekday":        {policyOf(hours("weekdays", []any{"funday"})), "weekdays", []string{"funday"}},
		"no weekday":             {policyOf(hours("weekdays", []any{})), "weekdays", []string{"is empty", "leave it out"}},
		"second statement":       {policyOf(statement(), statement("actions", []any{"sing"})), "actions", []string{"ElementKeyInt(1)"}},
		"cedar: syntax":          {cedarText("permit (principal, action, resource)"), "cedar", []string{"line", "column"}},
		"cedar: empty":           {cedarText(""), "", nil},
		"cedar: only a comment":  {cedarText("// to be done"), "cedar", nil},
		"cedar: action":          {cedarText(`permit (principal, action == Action::"sing", resource);`), "cedar", []string{"sing"}},
		"cedar: type":            {cedarText(`permit (principal == User::"ada", action == Action::"sign", resource);`), "cedar", []string{"User"}},
		"cedar: attribute":       {cedarText(`permit (principal, action == Action::"sign", resource) when { principal.ownr == "ada" };`), "cedar", []string{"ownr"}},
		"cedar: types":           {cedarText(`permit (principal, action == Action::"sign", resource) when { principal.name == 7 };`), "cedar", nil},
		"cedar: unguarded":       {cedarText(`permit (principal, action == Action::"sign", resource) when { context.payload_bytes < 7 };`), "cedar", []string{"payload_bytes"}},
		"beside what is unknown": {policyOf(statement("principals", unknown, "keys", []any{unknown}, "condition", values{"not_before": unknown, "source_cidrs": []any{"10.0.0.1/8", unknown}})), "source_cidrs", []string{"10.0.0.0/8"}},
	} {
		t.Run(name, func(t *testing.T) {
			diagnostics := newServer(t).validate(t, "hsm_access_policy", test.config)
			wantDiagnostic(t, diagnostics, test.attribute, append(test.says, "ERROR")...)
			if len(diagnostics) > 1 {
				t.Errorf("it is said more than once: %s", showAll(diagnostics))
			}
		})
	}
}

func TestAccessPolicyValidationPasses(t *testing.T) {
	for name, fine := range map[string]values{
		"least": policyOf(statement()),
		"most": with(policyOf(
			statement("principals", []any{"bot", "owner:ada", "tag:desk=spot"}, "actions", []any{"sign", "sign_digest"}, "keys", []any{"orders", "tag:desk=spot"}),
			statement("effect", "forbid", "principals", []any{"any"}, "actions", []any{"any"}, "keys", []any{"any"}, "condition", values{
				"source_cidrs": []any{"10.0.0.0/8", "2001:db8::/32"}, "not_before": "2027-01-01T00:00:00Z", "not_after": "2027-02-01T00:00:00+01:00",
				"max_payload_bytes": 4096, "mechanisms": []any{"CKM_ECDSA"},
				"hours": values{"from": "22:00", "to": "06:00", "time_zone": "Europe/Zurich", "weekdays": []any{"monday", "sunday"}},
			}),
		), "description", "Everything.", "tags", values{"a": "b"}, "enabled", false),
		"unknown name":       with(policyOf(statement()), "name", unknown),
		"unknown tags":       with(policyOf(statement()), "tags", unknown, "description", unknown, "enabled", unknown),
		"unknown statements": {"name": "trading", "statement": unknown},
		"unknown text":       {"name": "trading", "cedar": unknown},
		"unknown lists":      policyOf(statement("effect", unknown, "principals", unknown, "actions", unknown, "keys", unknown, "condition", unknown)),
		"unknown elements":   policyOf(statement("principals", []any{unknown}, "actions", []any{unknown}, "keys", []any{unknown})),
		"unknown condition":  policyOf(condition("source_cidrs", unknown, "hours", unknown)),
		"unknown hours":      policyOf(hours("from", unknown, "to", "08:00", "time_zone", unknown, "weekdays", []any{unknown})),
		"cedar":              cedarText(`permit (principal == Credential::"bot", action == Action::"sign", resource == Key::"orders");`),
	} {
		t.Run(name, func(t *testing.T) {
			if diagnostics := newServer(t).validate(t, "hsm_access_policy", fine); len(diagnostics) > 0 {
				t.Error(showAll(diagnostics))
			}
		})
	}
}

// Blocks are documented from their descriptions as well.
func TestStatementIsDescribed(t *testing.T) {
	var check func(parent string, b *tfprotov6.SchemaBlock)
	check = func(parent string, b *tfprotov6.SchemaBlock) {
		if b.Description == "" || b.DescriptionKind != tfprotov6.StringKindMarkdown {
			t.Errorf("%s has no description", parent)
		}
		described(t, parent, b.Attributes)
		for _, nested := range b.BlockTypes {
			check(parent+"/"+nested.TypeName, nested.Block)
		}
	}
	check("hsm_access_policy", newServer(t).schema.ResourceSchemas["hsm_access_policy"].Block)
}

// policyState is the state of policyOf(statement()).
func policyState(t *testing.T) values {
	t.Helper()
	p := newDesk(t).policies(t)
	p.apply(policyOf(statement()))
	return p.state
}

// A plan for which no token can be asked: what the policy means is known, and what
// access it gives if it says what it said.
func TestAccessPolicyPlanWithoutToken(t *testing.T) {
	state := policyState(t)
	for name, test := range map[string]struct {
		config  values
		changed []string
		unknown []string
	}{
		"nothing":               {config: policyOf(statement())},
		"description":           {config: with(policyOf(statement()), "description", "Orders."), changed: []string{"description"}},
		"description to come":   {config: with(policyOf(statement()), "description", unknown), changed: []string{"description"}, unknown: []string{"description"}},
		"tags":                  {config: with(policyOf(statement()), "tags", values{"a": "b"}), changed: []string{"tags"}},
		"disabled":              {config: with(policyOf(statement()), "enabled", false), changed: []string{"effective_access", "enabled"}, unknown: []string{"effective_access"}},
		"another statement":     {config: policyOf(statement("actions", []any{"verify"})), changed: []string{"cedar", "effective_access", "fingerprint_sha256", "statement"}, unknown: []string{"effective_access"}},
		"a statement to come":   {config: policyOf(statement("keys", unknown)), changed: []string{"cedar", "effective_access", "fingerprint_sha256", "statement"}, unknown: []string{"cedar", "effective_access", "fingerprint_sha256"}},
		"statements to come":    {config: values{"name": "trading", "statement": unknown}, changed: []string{"cedar", "effective_access", "fingerprint_sha256", "statement"}, unknown: []string{"cedar", "effective_access", "fingerprint_sha256", "statement"}},
		"text":                  {config: cedarText(`forbid (principal, action, resource);`), changed: []string{"cedar", "effective_access", "fingerprint_sha256", "statement"}, unknown: []string{"effective_access"}},
		"text to come":          {config: values{"name": "trading", "cedar": unknown}, changed: []string{"cedar", "effective_access", "fingerprint_sha256", "statement"}, unknown: []string{"cedar", "effective_access", "fingerprint_sha256"}},
		"the same text":         {config: cedarText(state["cedar"].(string)), changed: []string{"effective_access", "statement"}, unknown: []string{"effective_access"}},
		"a name to come":        {config: with(policyOf(statement()), "name", unknown), changed: []string{"cedar", "effective_access", "fingerprint_sha256", "id", "name"}, unknown: []string{"cedar", "effective_access", "fingerprint_sha256", "id", "name"}},
		"whether it is enabled": {config: with(policyOf(statement()), "enabled", unknown), changed: []string{"effective_access", "enabled"}, unknown: []string{"effective_access", "enabled"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newUnready(t).plan(t, "hsm_access_policy", state, test.config)
			noErrors(t, p.diagnostics)
			if !slices.Equal(p.changed(), test.changed) {
				t.Errorf("changed %v, want %v", p.changed(), test.changed)
			}
			var open []string
			for _, name := range slices.Sorted(maps.Keys(p.values)) {
				if p.values[name] == any(unknown) {
					open = append(open, name)
				}
			}
			if !slices.Equal(open, test.unknown) {
				t.Errorf("unknown are %v, want %v", open, test.unknown)
			}
		})
	}
}

func TestAccessPolicyPlanOfNew(t *testing.T) {
	p := newUnready(t).plan(t, "hsm_access_policy", nil, policyOf(statement()))
	noErrors(t, p.diagnostics)
	if p.values["id"] != "trading" || p.values["enabled"] != true || p.values["effective_access"] != any(unknown) ||
		!strings.Contains(p.values["cedar"].(string), `Action::"sign"`) || len(p.values["fingerprint_sha256"].(string)) != 64 {
		t.Errorf("planned %v", p.values)
	}
}

// newUnready serves a provider whose configuration is not known yet.
func newUnready(t *testing.T) *server {
	t.Helper()
	clearEnvironment(t)
	s := newServer(t)
	noErrors(t, s.configure(t, values{"module_path": "/m", "token_label": unknown, "environment": "test"}))
	return s
}
