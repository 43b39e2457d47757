package provider_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/credential"
)

// lines writes a list of grants, one line each.
func lines(t *testing.T, list any) []string {
	t.Helper()
	all, ok := list.([]any)
	if !ok {
		t.Fatalf("the list is %v", list)
	}
	written := []string{}
	for _, each := range all {
		g := each.(values)
		written = append(written, fmt.Sprintf("%s (%s) by %v", line(g), g["owner"], g["policies"]))
	}
	return written
}

func wantLines(t *testing.T, what string, list any, want ...string) {
	t.Helper()
	if got := lines(t, list); !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func reported(t *testing.T, d *desk, config values) values {
	t.Helper()
	answer, diagnostics := d.serve(t).ask(t, "hsm_access_report", config)
	noErrors(t, diagnostics)
	return answer
}

func TestAccessReport(t *testing.T) {
	d := newDesk(t)
	empty := reported(t, d, values{})
	wantLines(t, "without policies", empty["grants"])
	if got := fmt.Sprint(empty["by_principal"], empty["credentials"] == nil, empty["by_key"]); got != "map[] false map[]" {
		t.Errorf("without policies: %v", empty)
	}

	d.policies(t).apply(policyOf(statement("principals", []any{"ada", "bot"}), statement("actions", []any{"encrypt"}, "keys", []any{"archive"}, "condition", values{"max_payload_bytes": 9})))
	d.policies(t).apply(with(policyOf(statement(), statement("actions", []any{"encrypt"}, "keys", []any{"archive"})), "name", "more"))
	const (
		ada     = "ada sign orders (ada) by [trading]"
		encrypt = "bot encrypt archive (spot-desk) by [more trading]"
		sign    = "bot sign orders (spot-desk) by [more trading]"
	)
	all := reported(t, d, values{})
	wantLines(t, "all", all["grants"], ada, encrypt, sign)
	byPrincipal, byKey := all["by_principal"].(values), all["by_key"].(values)
	wantLines(t, "by ada", byPrincipal["ada"], ada)
	wantLines(t, "by bot", byPrincipal["bot"], encrypt, sign)
	wantLines(t, "with archive", byKey["archive"], encrypt)
	wantLines(t, "with orders", byKey["orders"], ada, sign)

	one := reported(t, d, values{"owner": "ada"})
	wantLines(t, "of ada", one["grants"], ada)
	if by := one["by_principal"].(values); len(by) != 1 || by["ada"] == nil {
		t.Errorf("by principal of ada: %v", by)
	}
	if by := one["by_key"].(values); len(by) != 1 {
		t.Errorf("by key of ada: %v", by)
	}
	nobody := reported(t, d, values{"owner": "adam"})
	if fmt.Sprint(nobody["grants"], nobody["credentials"], nobody["by_key"]) != "[] [] map[]" {
		t.Errorf("of nobody: %v", nobody)
	}
}

// Who can still use what, on the day that somebody leaves.
func TestAccessReportOfWhatIsLeft(t *testing.T) {
	d := newDesk(t)
	usable := func(owner any) string {
		t.Helper()
		var all []string
		for _, each := range reported(t, d, values{"owner": owner})["credentials"].([]any) {
			c := each.(values)
			all = append(all, fmt.Sprintf("%s of %s: %v until %v", c["name"], c["owner"], c["key_ids"], c["until"]))
		}
		return fmt.Sprint(all)
	}
	want := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	want("all", usable(nil), "[ada of ada: [test~ada~1] until <nil> bot of spot-desk: [test~bot~1] until <nil>]")

	d.caller(credential.Spec{Name: "laptop", Owner: "ada", ExpiresAt: day(3)})
	replaced(d)
	want("of ada", usable("ada"), "[ada of ada: [test~ada~1] until <nil> laptop of ada: [test~laptop~1] until 2027-01-01T03:00:00Z]")
	want("in overlap", usable("spot-desk"), "[bot of spot-desk: [test~bot~1 test~bot~2] until <nil>]")
	d.credential("bot").Spec.ValidFor = time.Hour
	want("one hour", usable("spot-desk"), "[bot of spot-desk: [test~bot~1 test~bot~2] until 2027-01-01T01:00:00Z]")

	d.m.Pass(4 * time.Hour)
	d.credential("ada").Versions[1].RevokedAt = day(4)
	want("revoked and expired", usable("ada"), "[]")
	want("all expired", usable("spot-desk"), "[]")
	d.leave("bot")
	want("nothing is left", usable(nil), "[]")
}

func TestAccessReportRefuses(t *testing.T) {
	_, diagnostics := newDesk(t).serve(t).ask(t, "hsm_access_report", values{"owner": ""})
	wantDiagnostic(t, diagnostics, "owner", "ERROR", "is empty", "leave it out")
	d := newDesk(t)
	d.m.Stamp = "prod"
	for name, config := range map[string]values{"hsm_access_report": {}, "hsm_access": question()} {
		_, diagnostics := d.serve(t).ask(t, name, config)
		wantDiagnostic(t, diagnostics, wholeBlock, "wrong environment", `"prod"`)
	}
}
