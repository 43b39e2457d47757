package audit_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/keystead/terraform-provider-hsm/internal/audit"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// rewrite puts another actor into a record, and hashes that go with it into the tree, both in
// place: nothing tells but what was signed.
func (d *desk) rewrite(record int) {
	d.tb.Helper()
	lines := d.lines()
	lines[record] = strings.Replace(lines[record], "ada@build", "eve@build", 1)
	var hashes []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) (list []tlog.Hash, err error) {
		for _, i := range indexes {
			list = append(list, hashes[i])
		}
		return list, nil
	})
	var tree []byte
	for n, line := range lines {
		more, err := tlog.StoredHashes(int64(n), []byte(line), reader)
		if err != nil {
			d.tb.Fatal(err)
		}
		hashes = append(hashes, more...)
		for _, h := range more {
			tree = append(tree, h[:]...)
		}
	}
	name := filepath.Join(d.dir, "tree")
	old, err := os.ReadFile(name)
	if err != nil {
		d.tb.Fatal(err)
	}
	d.over(name, tree[:len(old)])
	d.over(d.segment(), []byte(strings.Join(lines, "\n")+"\n"))
}

// over writes into a file that others have open.
func (d *desk) over(name string, text []byte) {
	d.tb.Helper()
	file, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		d.tb.Fatal(err)
	}
	_, err = file.Write(text)
	if err := errors.Join(err, file.Close()); err != nil {
		d.tb.Fatal(err)
	}
}

// begin is an intent that has to be refused, or of which nothing comes.
func (d *desk) begin(l *audit.Log, seq int) error {
	o, err := l.Begin(d.tb.Context(), audit.Event{Operation: "rotate", Subject: "key/orders", Steps: []audit.Step{{Seq: seq, What: "generated", Version: seq}}, Head: "h"})
	if err == nil {
		o.End(d.tb.Context(), &fault.Error{Kind: fault.Internal, Problem: "Nothing was done."})
	}
	return err
}

// TestRewrittenMeanwhile: a log that is changed while a run is at work is not signed anew by it.
func TestRewrittenMeanwhile(t *testing.T) {
	d := newDesk(t)
	d.fill(12)
	l := d.as("run")
	d.now = d.now.Add(time.Second)
	d.write(l, "key/orders", 13, nil)
	before, err := os.ReadFile(filepath.Join(d.dir, "checkpoints"))
	if err != nil {
		t.Fatal(err)
	}
	d.rewrite(3)
	if err := l.Close(t.Context()); !fault.Is(err, fault.Inconsistent) || !strings.Contains(err.Error(), "are not those that were there when the checkpoint") {
		t.Errorf("%v", err)
	}
	if after, err := os.ReadFile(filepath.Join(d.dir, "checkpoints")); err != nil || string(after) != string(before) {
		t.Errorf("it was signed: %v", err)
	}
	if _, problems := d.verify(); problems == nil {
		t.Error("the log is whole")
	}
	d.refused("are not those that were there")
}

// TestCheckpointsTakenMeanwhile: checkpoints that go while a run is at work are missed.
func TestCheckpointsTakenMeanwhile(t *testing.T) {
	for name, tc := range map[string]struct {
		take func(file string) error
		want string
	}{
		"removed": {os.Remove, "The file checkpoints was removed"},
		"cut off": {func(file string) error { return os.Truncate(file, 10) }, "The file checkpoints was cut off"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.fill(6)
			l := d.as("run")
			d.write(l, "key/orders", 7, nil)
			if err := errors.Join(tc.take(filepath.Join(d.dir, "checkpoints")), os.Remove(filepath.Join(d.dir, "checkpoint"))); err != nil {
				t.Fatal(err)
			}
			lines := len(d.lines())
			if err := d.begin(l, 8); !fault.Is(err, fault.Inconsistent) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v", err)
			}
			if err := l.Close(t.Context()); !fault.Is(err, fault.Inconsistent) {
				t.Errorf("%v", err)
			}
			if len(d.lines()) != lines {
				t.Error("something was written")
			}
		})
	}
}

// TestOthersWriteMuch: what other runs have written and signed does not keep one from its own,
// and notices are signed in time too.
func TestOthersWriteMuch(t *testing.T) {
	d := newDesk(t)
	d.fill(1)
	slow := d.as("slow")
	d.write(slow, "key/orders", 2, nil)
	busy := d.as("busy")
	for n := 3; n <= 1700; n++ {
		d.write(busy, "key/orders", n, nil)
	}
	d.close(busy)
	d.write(slow, "key/orders", 1701, nil)
	before, _ := d.verify()
	for range 2100 {
		if err := slow.Disclose(t.Context(), audit.Event{Operation: "sign", Subject: "key/orders"}); err != nil {
			t.Fatal(err)
		}
	}
	after, problems := d.verify()
	if problems != nil || after.Checkpoints-before.Checkpoints != 2 || len(after.Interrupted) > 0 {
		t.Errorf("%+v, %+v, %q", before, after, problems)
	}
	d.close(slow)
}

// TestCutBackIsRefused: checkpoints that were cut back to an earlier one are missed by the next
// run that changes something, not by verify alone, and an operator can accept it.
func TestCutBackIsRefused(t *testing.T) {
	d := newTokenDesk(t)
	d.fill(1)
	for n := 1; n <= 3; n++ {
		d.now = d.now.Add(time.Hour)
		l := d.as("run" + string(rune('0'+n)))
		d.write(l, "key/orders", n+1, nil)
		d.close(l)
	}
	d.cutCheckpoints("terraform-provider-hsm/prod\n5\n")
	if err := os.Remove(filepath.Join(d.dir, "checkpoint")); err != nil {
		t.Fatal(err)
	}
	d.refused("should have signed others")
	d.settle("", fault.Inconsistent)
	d.refused("should have signed others")
	if s := d.settle("the disk was lost", fault.Internal); s.Begun || !s.CutBack {
		t.Errorf("%+v", s)
	}
	l := d.as("later")
	d.write(l, "key/orders", 5, nil)
	d.close(l)
	if summary, problems := d.verify(d.standing); problems != nil || len(summary.Accepted) != 1 {
		t.Errorf("%+v, %q", summary, problems)
	}
}
