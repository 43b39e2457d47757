package audit

import (
	"fmt"
	"time"
)

// Entry is one of a subject's history as the token has it: what a record is held to.
type Entry struct {
	At                 time.Time
	What               string
	Version            int
	Actor, Reason, Run string
	Digest             string
	Head               string // of the history, with it as the last entry
}

// leeway is by how much the time of a record may differ from that of the entry that it tells
// of: an operation in the HSM comes between, and whatever had the process wait.
const leeway = time.Hour

// witness holds a record to the history on the token, which is the second witness of every
// change: what it says was done, who did it, when and why. The first thing that differs is
// told at the end, unless an operator has accepted the subject since as it is.
func (v *verification) witness(index int64, e Event, failed *Failure) {
	entries := v.want.Entries[e.Subject]
	if len(entries) == 0 || len(e.Steps) == 0 {
		return
	}
	last, kept := entries[e.Steps[len(e.Steps)-1].Seq]
	switch {
	case failed != nil && failed.Kind != Interrupted && failed.Kind != uncertain:
		return // nothing was done
	case failed != nil && (!kept || last.Head != e.Head):
		return // perhaps nothing was done
	}
	a := v.of(e.Subject)
	differs := func(seq int, format string, args ...any) {
		text := fmt.Sprintf("it tells of %s, entry %d: %s", e.Subject, seq, fmt.Sprintf(format, args...))
		a.disputed = append(a.disputed, Problem{index, text, true})
	}
	for _, s := range e.Steps {
		is, kept := entries[s.Seq]
		switch has := (Step{s.Seq, is.What, is.Version, is.Reason, is.Digest}); {
		case !kept || s == has:
			continue
		case s.Digest != has.Digest:
			differs(s.Seq, "%s, with another fingerprint than the history on the token has", s)
		default:
			differs(s.Seq, "%s, and the history on the token has %s", s, has)
		}
		return
	}
	if !kept {
		return
	}
	seq := e.Steps[len(e.Steps)-1].Seq
	apart := e.Time.Sub(last.At).Abs()
	switch {
	case e.Head != last.Head:
		differs(seq, "another history than the token has")
	case e.Phase == Notice: // it tells of what others had done
	case e.Actor != last.Actor:
		differs(seq, "done by %q, and the history on the token has %q", e.Actor, last.Actor)
	case e.Run != last.Run:
		differs(seq, "done by the run %q, and the history on the token has %q", e.Run, last.Run)
	case apart > leeway:
		differs(seq, "done on %s, and the history on the token has %s", e.Time.UTC().Format(time.RFC3339), last.At.UTC().Format(time.RFC3339))
	}
}
