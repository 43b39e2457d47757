package audit_test

import (
	"encoding/json"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/audit"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// TestActivity: what OCSF calls what was done, as the records have it.
func TestActivity(t *testing.T) {
	steps := func(what ...string) (list []audit.Step) {
		for n, each := range what {
			list = append(list, audit.Step{Seq: n + 1, What: each})
		}
		return list
	}
	d := newDesk(t)
	l := d.log()
	const create, read, update, remove, other = 1, 2, 3, 4, 99
	done := map[string]struct {
		event audit.Event
		want  int
	}{
		"a key begun":          {audit.Event{Operation: "create", Steps: steps("begun")}, create},
		"a key":                {audit.Event{Operation: "generated", Steps: steps("generated", "activated", "settled")}, create},
		"a rotation":           {audit.Event{Operation: "rotate", Steps: steps("begun")}, update},
		"its new version":      {audit.Event{Operation: "generated", Steps: steps("generated", "activated", "deactivated", "settled")}, create},
		"an overlap over":      {audit.Event{Operation: "retired", Steps: steps("retired", "settled")}, update},
		"a version destroyed":  {audit.Event{Operation: "retired", Steps: steps("retired", "destroyed", "settled")}, remove},
		"a version revoked":    {audit.Event{Operation: "revoked", Steps: steps("revoked")}, update},
		"a key suspended":      {audit.Event{Operation: "updated", Steps: steps("updated", "suspended")}, update},
		"a credential":         {audit.Event{Operation: "issued", Steps: steps("issued")}, create},
		"a policy changed":     {audit.Event{Operation: "updated", Steps: steps("updated")}, update},
		"a key removed":        {audit.Event{Operation: "disabled", Steps: steps("disabled", "removed", "settled")}, remove},
		"a name given anew":    {audit.Event{Operation: "retired", Steps: steps("retired", "begun")}, update},
		"an environment":       {audit.Event{Operation: "stamp"}, create},
		"something else":       {audit.Event{Operation: "hum"}, other},
		"an adopted key":       {audit.Event{Operation: "adopted", Steps: steps("adopted", "activated")}, create},
		"a key without a step": {audit.Event{Operation: "destroy key"}, remove},
	}
	check := func(name string, want int) {
		t.Helper()
		lines := d.lines()
		var r struct {
			Activity int `json:"activity_id"`
			Type     int `json:"type_uid"`
		}
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &r); err != nil || r.Activity != want || r.Type != 600300+want {
			t.Errorf("%s is activity %d of type %d, want %d; %v", name, r.Activity, r.Type, want, err)
		}
	}
	for name, c := range done {
		c.event.Subject = "key/orders"
		operation, err := l.Begin(t.Context(), c.event)
		if err != nil {
			t.Fatal(err)
		}
		check(name+", intent", c.want)
		operation.End(t.Context(), &fault.Error{Kind: fault.Conflict, Problem: "No."})
		check(name, c.want)
	}
	for op, want := range map[string]int{"create key": create, "read key": read, "destroy key": remove, "rotate key": update, "log in": other} {
		if err := l.Refused(t.Context(), &fault.Error{Kind: fault.Protected, Op: op, Problem: "No."}); err != nil {
			t.Fatal(err)
		}
		check("refused to "+op, want)
	}
	for op, want := range map[string]int{"reveal": read, "baseline": other} { // which tells of what is there
		if err := l.Note(t.Context(), audit.Event{Operation: op, Subject: "key/orders", Steps: steps("generated", "removed")}); err != nil {
			t.Fatal(err)
		}
		check(op, want)
	}
	d.close(l)
}
