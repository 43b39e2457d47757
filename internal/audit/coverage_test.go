package audit_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/audit"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// as is the log as another run has it.
func (d *desk) as(run string) *audit.Log {
	d.tb.Helper()
	c := d.log().Config
	c.Run = run
	return audit.New(c)
}

// TestRunsSign: a run signs what those before it have left before it changes anything; a log
// in which nobody did was cut back, and written anew from there.
func TestRunsSign(t *testing.T) {
	d := newDesk(t)
	d.fill(1)
	d.now = d.now.Add(time.Hour)
	d.write(d.as("killed"), "key/orders", 2, nil) // it never signs
	d.now = d.now.Add(time.Hour)
	next := d.as("next")
	d.write(next, "key/orders", 3, nil)
	if summary, problems := d.verify(); problems != nil || summary.Signed != 4 || !slices.Equal(summary.Late, []int64{2, 3}) {
		t.Errorf("%+v, %q", summary, problems)
	}
	d.close(next)
	if summary, problems := d.verify(); problems != nil || summary.Signed != 6 || len(summary.Late) != 2 {
		t.Errorf("%+v, %q", summary, problems)
	}
	d.now = d.now.Add(time.Hour)
	last := d.as("last")
	d.write(last, "key/orders", 4, nil)
	d.close(last)

	d.cutCheckpoints("terraform-provider-hsm/prod\n6\n")
	for _, name := range []string{"tree", "checkpoint"} {
		if err := os.Remove(filepath.Join(d.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if _, problems := d.verify(); len(problems) != 1 || !strings.HasPrefix(problems[0], "4: no checkpoint covers it, although another run changed something afterwards (record 6)") {
		t.Errorf("%q", problems)
	}
}

// older is a log of which the checkpoints are looked at before its records are: the first time
// those of a while ago are there.
type older struct {
	audit.Reader
	then audit.Notes
	now  bool
}

func (o *older) Checkpoints() (audit.Notes, error) {
	if !o.now {
		o.now = true
		return o.then, nil
	}
	return o.Reader.Checkpoints()
}

// TestSignedMeanwhile: a run that signs while somebody reads is not taken for one that should
// have.
func TestSignedMeanwhile(t *testing.T) {
	d := newDesk(t)
	d.fill(1)
	view, err := audit.OpenView(d.dir)
	if err != nil {
		t.Fatal(err)
	}
	then, err := view.Checkpoints()
	if err != nil {
		t.Fatal(err)
	}
	d.now = d.now.Add(time.Hour)
	d.write(d.as("killed"), "key/orders", 2, nil) // it never signs
	d.now = d.now.Add(time.Hour)
	d.write(d.as("next"), "key/orders", 3, nil)
	if covered, is, err := audit.CutBack(&older{Reader: view, then: then}, ""); is || err != nil {
		t.Errorf("%d, %v", covered, err)
	}
	if covered, is, err := audit.CutBack(&older{Reader: &older{Reader: view, then: then}, then: then}, ""); covered != 2 || !is || err != nil {
		t.Errorf("%d, %t, %v", covered, is, err)
	}
}

// TestQuietRunsSign: a run that changes nothing signs what it has written down, if there is a
// key, the log is as it was left, and the token let it in.
func TestQuietRunsSign(t *testing.T) {
	reveal := audit.Event{Operation: "reveal", Subject: "credential/bot"}
	protected := &fault.Error{Kind: fault.Protected, Op: "destroy key", Subject: `key "orders"`, Problem: "No."}
	denied := &fault.Error{Kind: fault.Denied, Op: "log in", Subject: "token", Problem: "The PIN is wrong."}
	for name, tc := range map[string]struct {
		before func(d *desk)
		do     func(l *audit.Log) error
		signed bool
		asks   bool // the token, for the key
	}{
		"a secret is revealed":            {nil, func(l *audit.Log) error { return l.Disclose(t.Context(), reveal) }, true, true},
		"something is refused":            {nil, func(l *audit.Log) error { return l.Refused(t.Context(), protected) }, true, true},
		"the login is refused":            {nil, func(l *audit.Log) error { return l.Refused(t.Context(), denied) }, false, false},
		"nothing is written":              {nil, func(*audit.Log) error { return nil }, true, false},
		"the key does not sign":           {func(d *desk) { d.pen.fails = denied }, func(l *audit.Log) error { return l.Refused(t.Context(), protected) }, false, true},
		"there is no key yet":             {func(d *desk) { d.pen.there = false; d.unsign() }, func(l *audit.Log) error { return l.Refused(t.Context(), protected) }, false, true},
		"the log is not as it was signed": {func(d *desk) { d.tamper(1) }, func(l *audit.Log) error { return l.Refused(t.Context(), protected) }, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.fill(3)
			if tc.before != nil {
				tc.before(d)
			}
			d.pen.asked = 0
			l := d.as("quiet")
			if err := tc.do(l); err != nil {
				t.Fatal(err)
			}
			d.close(l)
			if summary, problems := d.verify(); (summary.Signed == int64(len(d.lines()))) != tc.signed || tc.signed && problems != nil {
				t.Errorf("%d of %d records are signed, %q", summary.Signed, len(d.lines()), problems)
			}
			if d.pen.asked > 0 != tc.asks {
				t.Errorf("the token was asked %d times", d.pen.asked)
			}
		})
	}
}

// tamper changes a record, and takes away the hash of it.
func (d *desk) tamper(record int) {
	d.tb.Helper()
	lines := d.lines()
	lines[record] = strings.Replace(lines[record], "ada@build", "eve@build", 1)
	d.setLines(lines)
	if err := os.Remove(filepath.Join(d.dir, "tree")); err != nil {
		d.tb.Fatal(err)
	}
}

// TestUnsignedChanges: there is a checkpoint every so many changes.
func TestUnsignedChanges(t *testing.T) {
	d := newDesk(t)
	l := d.log()
	for n := 1; n <= 2600; n++ {
		d.write(l, "key/orders", n, nil)
	}
	d.close(l)
	if summary, problems := d.verify(); problems != nil || summary.Checkpoints < 5 {
		t.Errorf("%+v, %q", summary, problems)
	}
	d.cutCheckpoints("terraform-provider-hsm/prod\n20")
	for _, name := range []string{"tree", "checkpoint"} {
		if err := os.Remove(filepath.Join(d.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if _, problems := d.verify(); len(problems) != 1 || !strings.Contains(problems[0], "no checkpoint covers it, although more than 4000 records of changes follow") {
		t.Errorf("%q", problems)
	}
}

// TestNobodySigned: refusals of several runs that nobody signed are not called whole, and an
// operator can have them signed.
func TestNobodySigned(t *testing.T) {
	d := newDesk(t)
	for n, run := range []string{"one", "two"} {
		l := d.as(run)
		if err := l.Refused(t.Context(), &fault.Error{Kind: fault.Denied, Op: "log in", Problem: "No."}); err != nil {
			t.Fatal(err)
		}
		d.close(l)
		_, problems := d.verify()
		if n == 0 && problems != nil || n == 1 && (len(problems) != 1 || !strings.HasPrefix(problems[0], "-1: no checkpoint covers any of its records")) {
			t.Errorf("%d: %q", n, problems)
		}
	}
	d.settle("", fault.Internal)
	if summary, problems := d.verify(); problems != nil || summary.Signed != 2 {
		t.Errorf("%+v, %q", summary, problems)
	}
}
