package audit

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// terms are how long each version of the audit key may have signed, by the records of that key.
//
// A version that was replaced, revoked or destroyed signs nothing more: how many records a
// checkpoint covers is settled before it is signed, and who signs reads the key's record
// after that. So no checkpoint of such a version covers the record of how it ended, also when
// several runs are at work at the same time; one that does was made by a copy of the key.
type terms struct {
	own   string         // the subject that is the key
	made  map[string]int // versions, by fingerprint
	ended map[int]int64  // versions, by the record that tells of their end
	after []activation
	maybe []Step // of a write of which nobody said whether it was done
}

// activation is a record of a version that took over from all before it.
type activation struct {
	version int
	record  int64
}

func newTerms(own string) terms {
	return terms{own: own, made: map[string]int{}, ended: map[int]int64{}}
}

// account takes in what a record says.
func (t *terms) account(index int64, e Event) {
	if e.Subject != t.own || len(e.Steps) == 0 {
		return
	}
	for _, s := range e.Steps {
		if comesAbout(s.What) && s.Digest != "" {
			t.made[s.Digest] = s.Version
		}
	}
	switch {
	case e.Phase == Notice && e.Operation == opBaseline, e.Phase == Outcome && e.Failure == nil:
		// What goes on from a write was written after it; what was begun anew was not.
		if n := len(t.maybe); n > 0 && e.Steps[0].Seq > t.maybe[n-1].Seq {
			t.end(index, t.maybe)
		}
		t.maybe = nil
		t.end(index, e.Steps)
	case e.Phase == Outcome && (e.Failure.Kind == Interrupted || e.Failure.Kind == uncertain):
		t.maybe = e.Steps
	}
}

func (t *terms) end(index int64, steps []Step) {
	for _, s := range steps {
		switch s.What {
		case "activated":
			t.after = append(t.after, activation{s.Version, index})
		case "deactivated", "retired", "revoked", "disabled", "destroyed":
			if _, known := t.ended[s.Version]; !known {
				t.ended[s.Version] = index
			}
		}
	}
}

// violated says why a key cannot have signed so many records, in words; empty if it can.
func (t *terms) violated(k Key, size int64) string {
	version := k.Version
	if version == 0 { // it was given by hand
		if version = t.made[k.Fingerprint()]; version == 0 {
			return "is signed by a key of which none of these records tells how it came about"
		}
	}
	by, ended := t.ended[version]
	if n := slices.IndexFunc(t.after, func(a activation) bool { return a.version > version }); n >= 0 && (!ended || t.after[n].record < by) {
		by, ended = t.after[n].record, true
	}
	if !ended || size <= by {
		return ""
	}
	return fmt.Sprintf("is signed by version %d of the audit key, which signs nothing more since record %d", version, by)
}

// holdToTerms refuses a checkpoint whose signer had ended before. That of the newest version
// needs no look into the log.
func (l *Log) holdToTerms(store Store, c Checkpoint, keys []Key) error {
	if !slices.ContainsFunc(keys, func(k Key) bool { return k.Version > c.Key.Version }) {
		return nil
	}
	t := newTerms(l.Own)
	kind, name := resource(l.Own)
	is := []byte(fmt.Sprintf(`"resources":[{"type":%q,"name":%q`, kind, name))
	err := store.Lines(0, func(index int64, line []byte) bool {
		if index < c.Size && bytes.Contains(line, is) {
			if e, err := Decode(line); err == nil { // one that cannot be read is for verify to find
				t.account(index, e)
			}
		}
		return index < c.Size
	})
	if err != nil {
		return err
	}
	why := t.violated(c.Key, c.Size)
	if why == "" {
		return nil
	}
	return &fault.Error{
		Kind: fault.Inconsistent, Op: "use audit log", Subject: "audit log", Problem: fmt.Sprintf("The checkpoint of %d records %s.", c.Size, why),
		Hint: "Somebody has a copy of that key, and the records may be others than were written. Put the log back from a backup of the directory, look into it with " +
			"`terraform-provider-hsm audit verify`, with checkpoints that were kept elsewhere, and find out how the key got out. As long as it is like this nothing is changed on the token.",
	}
}
