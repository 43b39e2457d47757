package audit_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/audit"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

func newTokenDesk(t *testing.T) *desk {
	t.Helper()
	d := newDesk(t)
	d.token = map[string]audit.Event{}
	return d
}

// refused makes sure that the next change is.
func (d *desk) refused(why string) {
	d.tb.Helper()
	l := d.log()
	_, err := l.Begin(d.tb.Context(), audit.Event{Operation: "rotate", Subject: "key/orders"})
	if !fault.Is(err, fault.Inconsistent) || !strings.Contains(err.Error(), why) {
		d.tb.Errorf("the next change: %v", err)
	}
	_ = l.Close(d.tb.Context())
}

// discloses makes sure that secrets are let out, or not.
func (d *desk) discloses(does bool) {
	d.tb.Helper()
	l := d.log()
	if err := l.Disclose(d.tb.Context(), audit.Event{Operation: "reveal", Subject: "credential/bot"}); (err == nil) != does || err != nil && !fault.Is(err, fault.Inconsistent) {
		d.tb.Errorf("disclosed: %v", err)
	}
	_ = l.Close(d.tb.Context())
}

// settle does what an operator does, with the error that is expected.
func (d *desk) settle(reason string, kind fault.Kind) audit.Settlement {
	d.tb.Helper()
	config := d.log().Config
	config.Run = "operator"
	l := audit.New(config)
	s, err := l.Settle(d.tb.Context(), reason)
	if (err != nil) != (kind != fault.Internal) || err != nil && !fault.Is(err, kind) {
		d.tb.Errorf("settle: %v", err)
	}
	_ = l.Close(d.tb.Context())
	return s
}

// goesOn makes sure that changes are made again, and that the log is whole.
func (d *desk) goesOn(seq int, accepted int) {
	d.tb.Helper()
	d.now = d.now.Add(time.Minute)
	l := d.log()
	d.write(l, "key/orders", seq, nil)
	d.close(l)
	summary, problems := d.verify(d.standing)
	if problems != nil || len(summary.Accepted) != accepted {
		d.tb.Errorf("%+v, %q", summary, problems)
	}
}

// unsign takes every checkpoint away.
func (d *desk) unsign() {
	d.tb.Helper()
	if err := errors.Join(os.Remove(filepath.Join(d.dir, "checkpoints")), os.Remove(filepath.Join(d.dir, "checkpoint"))); err != nil {
		d.tb.Fatal(err)
	}
}

func (d *desk) copyTo(dir string) {
	d.tb.Helper()
	if err := os.CopyFS(dir, os.DirFS(d.dir)); err != nil {
		d.tb.Fatal(err)
	}
}

// TestOlderLogIsRefused: a log that was put back as it was some time ago is noticed at the
// next change, by what is on the token; and so is what was done without the log. An operator
// can accept it, and that is written down.
func TestOlderLogIsRefused(t *testing.T) {
	d := newTokenDesk(t)
	d.discloses(true)
	d.fill(7)
	d.discloses(true)
	older := filepath.Join(t.TempDir(), "older")
	d.copyTo(older)
	d.fill(0)
	d.goesOn(8, 0)
	if err := errors.Join(os.RemoveAll(d.dir), os.Rename(older, d.dir)); err != nil {
		t.Fatal(err)
	}
	d.refused("what was done last on key/orders")
	d.discloses(false)
	d.settle("", fault.Protected)
	d.refused("what was done last on key/orders")
	if s := d.settle("the disk was lost", fault.Internal); s.Begun || !slices.Equal(s.Accepted, []string{"key/orders"}) {
		t.Errorf("%+v", s)
	}
	d.goesOn(9, 1)

	// Beside the log something came, something went, something was changed.
	d.now = d.now.Add(time.Minute)
	d.put(audit.Event{Subject: "key/smuggled", Steps: []audit.Step{{Seq: 1, What: "generated", Version: 1}}, Head: "x"})
	d.refused("what was done last on key/smuggled")
	delete(d.token, "key/orders")
	if s := d.settle("by hand", fault.Internal); !slices.Equal(s.Accepted, []string{"key/smuggled", "key/orders"}) && !slices.Equal(s.Accepted, []string{"key/orders", "key/smuggled"}) {
		t.Errorf("%+v", s)
	}
	if summary, problems := d.verify(d.standing); problems != nil || len(summary.Accepted) != 3 {
		t.Errorf("%+v, %q", summary, problems)
	}
}

// TestLostLogIsRefused: a directory that is empty on a token that has had a log is no new
// log, nor is one that nobody signed.
func TestLostLogIsRefused(t *testing.T) {
	d := newTokenDesk(t)
	d.put(audit.Event{Subject: "key/earlier", Steps: []audit.Step{{Seq: 4, What: "generated", Version: 1}}, Head: "e"})
	d.fill(3)
	d.goesOn(4, 0)
	if err := os.RemoveAll(d.dir); err != nil {
		t.Fatal(err)
	}
	d.discloses(false)
	d.refused("there is none in this directory")
	forged := newTokenDesk(t) // with another key, which made what goes with the token
	forged.token = d.token
	l := forged.log()
	forged.write(l, "key/orders", 4, nil)
	forged.close(l)
	if err := errors.Join(os.RemoveAll(d.dir), os.Rename(forged.dir, d.dir)); err != nil {
		t.Fatal(err)
	}
	d.refused("not signed by an audit key")
	d.unsign()
	d.put(audit.Event{Subject: "key/.audit", Steps: []audit.Step{{Seq: 1, What: "generated", Version: 1}}, Head: "k"})
	d.now = d.now.Add(time.Minute)
	d.put(d.token["key/orders"])
	d.refused("there is none in this directory that the key has signed")
	if err := os.RemoveAll(d.dir); err != nil {
		t.Fatal(err)
	}
	d.settle("", fault.Inconsistent)
	if s := d.settle("the disk was lost", fault.Internal); !s.Begun || len(s.Accepted) != 3 {
		t.Errorf("%+v", s)
	}
	d.goesOn(5, 4)
}

// TestFirstCheckpoint: the run that makes the key signs at once, before it changes anything.
// A log without a checkpoint goes on only if it tells how the key was made.
func TestFirstCheckpoint(t *testing.T) {
	d := newTokenDesk(t)
	d.put(audit.Event{Subject: "key/earlier", Steps: []audit.Step{{Seq: 4, What: "generated", Version: 1}}, Head: "e"})
	d.now = d.now.Add(time.Second)
	l := d.log()
	if err := l.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if summary, problems := d.verify(); problems != nil || summary.Checkpoints != 1 || summary.Signed != 2 {
		t.Errorf("%+v, %q", summary, problems)
	}
	_ = l.Close(t.Context())
	d.put(audit.Event{Subject: "key/.audit", Steps: []audit.Step{{Seq: 1, What: "generated", Version: 1}}, Head: "k"})
	d.unsign()
	l = d.log()
	if err := l.Prepare(t.Context()); err == nil || !strings.Contains(err.Error(), "key/.audit") {
		t.Errorf("the log says nothing of its key: %v", err)
	}
	_ = l.Close(t.Context())
}

// TestBegunTwice: of two runs that begin a log at once one may be late with what it saw.
func TestBegunTwice(t *testing.T) {
	d := newTokenDesk(t)
	d.fill(1)
	late := d.token["key/orders"]
	d.goesOn(2, 0)
	l := d.log()
	if err := l.Note(t.Context(), late); err != nil {
		t.Fatal(err)
	}
	_ = l.Close(t.Context())
	if _, problems := d.verify(d.standing); problems != nil {
		t.Errorf("%q", problems)
	}
	d.goesOn(3, 0)
}

// TestNoCheckpoint: a log with changes has a checkpoint, or somebody has taken it away.
func TestNoCheckpoint(t *testing.T) {
	d := newTokenDesk(t)
	d.fill(2)
	d.unsign()
	if _, problems := d.verify(); len(problems) != 1 || !strings.HasPrefix(problems[0], "1: it is a change, and there is no checkpoint") {
		t.Errorf("%q", problems)
	}
}

// TestSettleClosesIntents: where a killed run was the last there is a way to have its intent
// closed without changing anything.
func TestSettleClosesIntents(t *testing.T) {
	d := newTokenDesk(t)
	d.fill(2)
	l := d.log()
	if _, err := l.Begin(t.Context(), audit.Event{Operation: "rotate", Subject: "key/orders", Steps: []audit.Step{{Seq: 3, What: "generated"}}, Head: "key/orders3"}); err != nil {
		t.Fatal(err)
	}
	_ = l.Close(t.Context())
	if _, problems := d.verify(d.standing); len(problems) != 1 || !strings.Contains(problems[0], "audit settle") {
		t.Errorf("%q", problems)
	}
	if s := d.settle("", fault.Internal); s.Closed != 1 || s.Begun || s.Accepted != nil {
		t.Errorf("%+v", s)
	}
	if summary, problems := d.verify(d.standing); problems != nil || len(summary.Interrupted) != 1 || summary.Signed != summary.Records {
		t.Errorf("%+v, %q", summary, problems)
	}
}

// TestObjects: keys that nobody recorded, and versions that nobody made, are told.
func TestObjects(t *testing.T) {
	d := newTokenDesk(t)
	d.put(audit.Event{Subject: "object/be", Steps: []audit.Step{{What: "found", Reason: "private key"}}})
	d.fill(2)
	for name, tc := range map[string]struct {
		versions map[int]string
		foreign  map[string]string
		want     string
	}{
		"as the log tells":   {map[int]string{1: "ab", 2: "ab"}, map[string]string{"object/be": "private key"}, ""},
		"a foreign key":      {nil, map[string]string{"object/ef": "secret key"}, "object/ef (secret key) is on the token, and neither"},
		"a version too many": {map[int]string{3: "ab"}, nil, "version 3 of key/orders is on the token, and no record tells"},
		"another key":        {map[int]string{2: "cd"}, nil, "5: it tells of version 2 of key/orders with another fingerprint"},
	} {
		t.Run(name, func(t *testing.T) {
			_, problems := d.verify(d.standing, func(e *audit.Expectation) {
				delete(e.Token, "object/be")
				e.Versions, e.Foreign = map[string]map[int]string{"key/orders": tc.versions}, tc.foreign
			})
			if got := strings.Join(problems, "\n"); (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
				t.Errorf("%q", problems)
			}
		})
	}
	if s := d.settle("", fault.Internal); s.Accepted != nil {
		t.Errorf("%+v", s)
	}
	d.put(audit.Event{Subject: "object/ef", Steps: []audit.Step{{What: "found", Reason: "secret key"}}})
	d.goesOn(3, 0) // it is no reason to refuse: other programs may keep keys there
	if s := d.settle("ours", fault.Internal); !slices.Equal(s.Accepted, []string{"object/ef"}) {
		t.Errorf("%+v", s)
	}
}

// TestStampOnly: a run that was killed before the log began has not looked at what there is.
func TestStampOnly(t *testing.T) {
	d := newTokenDesk(t)
	d.put(audit.Event{Subject: "object/be", Steps: []audit.Step{{What: "found", Reason: "private key"}}})
	l := d.log()
	if _, err := l.BeginUnprepared(t.Context(), audit.Event{Operation: "stamp", Subject: "environment/prod"}); err != nil {
		t.Fatal(err)
	}
	_ = l.Close(t.Context())
	_, problems := d.verify(d.standing, func(e *audit.Expectation) { e.Foreign = map[string]string{"object/be": "private key"} })
	if len(problems) != 1 || !strings.Contains(problems[0], "without an outcome") {
		t.Errorf("%q", problems)
	}
}
