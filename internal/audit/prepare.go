package audit

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// Prepare makes sure of everything that a change needs: a log that is as it was left, and
// that tells of what is on the token, and a key to sign it by.
func (l *Log) Prepare(ctx context.Context) error {
	if l.ready.Load() {
		return nil
	}
	l.mu.Lock()
	refused := l.refused
	l.mu.Unlock()
	if refused != nil {
		return refused
	}
	err := l.prepare(ctx, func(_ Store, known []Event, state state) ([]Event, error) {
		switch {
		case state == lost:
			return nil, refuseLost()
		case state == missing:
			return l.beginning("", known), nil
		}
		return nil, nil
	})
	if fault.Is(err, fault.Inconsistent) { // a thousand resources need not look again
		l.mu.Lock()
		defer l.mu.Unlock()
		l.refused = err
	}
	return err
}

// Settlement says what Settle did.
type Settlement struct {
	Closed   int      // intents that were left open
	Accepted []string // subjects that the log took over as they are on the token
	Begun    bool     // the log was begun
}

// Settle is Prepare for an operator who has looked into what is wrong: what the log does not
// tell of is written down as it is on the token, and so is the reason. Without a reason
// nothing is accepted that needs one. A log whose records are not those that were signed
// cannot be settled.
func (l *Log) Settle(ctx context.Context, reason string) (Settlement, error) {
	var s Settlement
	err := l.prepare(ctx, func(store Store, known []Event, state state) ([]Event, error) {
		events := l.beginning(reason, known)
		s.Begun = true
		if state == sound {
			var err error
			if events, err = unknown(store, known); err != nil {
				return nil, err
			}
			s.Begun = false
		}
		for _, e := range events {
			if e.Operation == opBaseline {
				s.Accepted = append(s.Accepted, e.Subject)
			}
		}
		switch {
		case reason == "" && state == lost:
			return nil, refuseLost()
		case reason == "" && state == sound && len(events) > 0:
			return nil, &fault.Error{
				Kind: fault.Protected, Op: "settle audit log", Subject: "audit log",
				Problem: fmt.Sprintf("It does not tell of %d things as they are on the token: %s. To take them over needs a reason.", len(events), strings.Join(s.Accepted[:min(len(s.Accepted), 5)], ", ")),
				Hint:    "Find out how it came about: whether somebody worked without the log, or the log is an older one. If it is to be accepted give -reason, which is written down.",
			}
		}
		for n := range events {
			events[n].Reason = reason
		}
		return events, nil
	})
	s.Closed = l.closed
	return s, err
}

// state is how a log is found before the first change.
type state int

const (
	sound   state = iota
	missing       // there is none yet
	lost          // there is none, or an unsigned one, on a token that has had one
)

// The operations of records about the log itself.
const (
	opBegin    = "begin"
	opBaseline = "baseline"
)

// prepare looks at log and token, and records what answer says; it may refuse.
func (l *Log) prepare(ctx context.Context, answer func(store Store, known []Event, state state) ([]Event, error)) error {
	l.preparing.Lock()
	defer l.preparing.Unlock()
	if l.ready.Load() {
		return nil
	}
	store, err := l.open(ctx)
	if err != nil {
		return err
	}
	// The token first: another run writes to the log before it does to the token.
	var known []Event
	if l.Subjects != nil {
		if known, err = l.Subjects(ctx); err != nil {
			return err
		}
	}
	keys, err := l.Signer.Keys(ctx)
	if err != nil {
		return err
	}
	notes, err := store.Checkpoints()
	if err != nil {
		return err
	}
	if err := l.holdToCheckpoint(store, notes, keys); err != nil {
		return err
	}
	state, err := l.stateOf(store, known, len(notes), len(keys))
	if err != nil {
		return err
	}
	events, err := answer(store, known, state)
	if err != nil {
		return err
	}
	for _, e := range events {
		e.Phase, e.ID = Notice, random()
		if err := l.appendTo(ctx, store, e); err != nil {
			return err
		}
	}
	if state == sound && len(events) == 0 {
		if err := holdToSubjects(store, known); err != nil {
			return err
		}
	}
	if err := l.closeInterrupted(ctx, store); err != nil {
		return err
	}
	if err := l.Signer.Prepare(ctx); err != nil {
		return err
	}
	l.ready.Store(true)
	if len(notes) > 0 {
		return nil
	}
	// A log without a checkpoint is believed only as long as nothing was done under it. So
	// it gets its first one now: killed before, the next run finds nothing but the key.
	l.signing.Lock()
	defer l.signing.Unlock()
	if err := l.signLocked(ctx, 1); err != nil {
		l.ready.Store(false)
		return err
	}
	return nil
}

// holdToCheckpoint makes sure that the newest checkpoint is signed, and that the records are
// those that it was made of.
func (l *Log) holdToCheckpoint(store Store, notes [][]byte, keys []Key) error {
	if len(notes) == 0 {
		return nil
	}
	c, err := ReadCheckpoint(l.Environment, notes[len(notes)-1], keys)
	if err != nil {
		return err
	}
	root, err := tlog.TreeHash(c.Size, store)
	if err != nil {
		return err
	}
	if root != c.Root {
		return &fault.Error{
			Kind: fault.Inconsistent, Op: "use audit log", Subject: "audit log", Problem: fmt.Sprintf("The records are not those that were there when the checkpoint of %d records was signed.", c.Size),
			Hint: "Look into it with `terraform-provider-hsm audit verify`. As long as it is like this nothing is changed on the token.",
		}
	}
	l.signing.Lock()
	defer l.signing.Unlock()
	l.signed = c.Size
	return nil
}

// stateOf tells a log that is to begin from one that was taken away: the key that signs is
// only ever made under a log, whose first checkpoint comes before any other change.
func (l *Log) stateOf(store Store, known []Event, notes, keys int) (state, error) {
	if notes > 0 {
		return sound, nil
	}
	begun := false
	err := store.Lines(0, func(_ int64, line []byte) bool {
		begun = begun || bytes.Contains(line, []byte(`"operation":"`+opBegin+`"`))
		return !begun
	})
	switch {
	case err != nil:
		return missing, err
	case keys > 0 && (!begun || keys > 1 || l.changedSince(known)):
		return lost, nil
	case begun:
		return sound, nil
	}
	return missing, nil
}

// changedSince reports whether anything was changed after the key was made that signs.
func (l *Log) changedSince(known []Event) bool {
	own := slices.IndexFunc(known, func(e Event) bool { return e.Subject == l.Own })
	return own >= 0 && slices.ContainsFunc(known, func(e Event) bool { return e.Subject != l.Own && e.Time.After(known[own].Time) })
}

// beginning are the records that a log begins with; there are none where nothing is known of
// the token.
func (l *Log) beginning(reason string, known []Event) []Event {
	if l.Subjects == nil {
		return nil
	}
	events := append([]Event{{Operation: opBegin, Subject: "log"}}, known...)
	for n := range events {
		events[n].Reason = reason
	}
	return events
}

func refuseLost() error {
	return &fault.Error{
		Kind: fault.Inconsistent, Op: "use audit log", Subject: "audit log",
		Problem: "The token has had an audit log, by the key that signed it, and there is none in this directory that the key has signed.",
		Hint: "Give the directory that the log is in, or put the log back. If it is lost, find out how; then begin another one with `terraform-provider-hsm audit settle -reason …`. " +
			"As long as it is like this nothing is changed on the token.",
	}
}

// recent is how many records back a run looks, for intents that were never closed and for
// what is on the token. `audit verify` looks at all.
const recent = 20_000

// holdToSubjects makes sure that the log tells of what was last done on the token. If it does
// not, it is an older copy of itself, or another one, or somebody worked without it.
func holdToSubjects(store Store, known []Event) error {
	heads := map[string]bool{}
	var since time.Time
	from := max(0, store.Size()-recent)
	err := store.Lines(from, func(index int64, line []byte) bool {
		if index == from && from > 0 {
			if e, err := Decode(line); err == nil {
				since = e.Time
			}
		}
		_, after, found := bytes.Cut(line, []byte(`"history_head":"`))
		if head, _, ok := bytes.Cut(after, []byte(`"`)); found && ok {
			heads[string(head)] = true
		}
		return true
	})
	if err != nil {
		return err
	}
	for _, e := range known {
		if e.Head == "" || heads[e.Head] || !e.Time.After(since) {
			continue
		}
		return &fault.Error{
			Kind: fault.Inconsistent, Op: "use audit log", Subject: "audit log",
			Problem: fmt.Sprintf("It does not tell of what was done last on %s, on %s: it is an older log than there was, or that was done without it.", e.Subject, e.Time.UTC().Format(time.RFC3339)),
			Hint: "Look into it with `terraform-provider-hsm audit verify`, and put the right log back. If somebody worked without it and that is accepted, say so with " +
				"`terraform-provider-hsm audit settle -reason …`. As long as it is like this nothing is changed on the token.",
		}
	}
	return nil
}

// unknown lists what is otherwise on the token than the log tells, as it is there.
func unknown(store Store, known []Event) ([]Event, error) {
	token := map[string]Standing{}
	is := map[string]Event{}
	for _, e := range known {
		token[e.Subject], is[e.Subject] = e.standing(), e
	}
	v := newVerification(Expectation{Token: token})
	err := store.Lines(0, func(index int64, line []byte) bool {
		if e, err := Decode(line); err == nil { // one that cannot be read is for verify to find
			v.account(index, e)
		}
		return true
	})
	v.concludeOpen()
	var events []Event
	for _, d := range v.differences() {
		e, ok := is[d.subject]
		if !ok { // gone
			e = Event{Operation: opBaseline, Subject: d.subject}
		}
		events = append(events, e)
	}
	return events, err
}

// standing is where a history stands with the last of an event's steps.
func (e Event) standing() Standing {
	if len(e.Steps) == 0 {
		return Standing{}
	}
	return Standing{Seq: e.Steps[len(e.Steps)-1].Seq, Head: e.Head}
}

// closeInterrupted closes the intents of runs that ended without saying what came of them,
// and tells an operator.
func (l *Log) closeInterrupted(ctx context.Context, store Store) error {
	open := map[string]Event{}
	var order []string
	from := max(0, store.Size()-recent)
	err := store.Lines(from, func(_ int64, line []byte) bool {
		intent, outcome := bytes.Contains(line, []byte(`"phase":"intent"`)), bytes.Contains(line, []byte(`"phase":"outcome"`))
		if !intent && !outcome {
			return true
		}
		_, after, _ := bytes.Cut(line, []byte(`"request":{"uid":"`))
		id, _, _ := bytes.Cut(after, []byte(`"`))
		if outcome {
			delete(open, string(id))
			return true
		}
		open[string(id)], order = Event{}, append(order, string(id))
		return true
	})
	if err != nil || len(open) == 0 {
		return err
	}
	err = store.Lines(from, func(_ int64, line []byte) bool {
		if e, err := Decode(line); err == nil && e.Phase == Intent {
			if _, ok := open[e.ID]; ok {
				open[e.ID] = e
			}
		}
		return true
	})
	if err != nil {
		return err
	}
	for _, id := range order {
		e, ok := open[id]
		if !ok || e.Run == l.Run || l.Running != nil && l.Running(e) {
			continue
		}
		at, who := e.Time, e.Actor
		e.Phase, e.Failure = Outcome, &Failure{Interrupted, fmt.Sprintf("The run that began it, of %s on %s, ended without saying what came of it.", who, e.Host)}
		if err := l.appendTo(ctx, store, e); err != nil {
			return err
		}
		l.closed++
		l.mu.Lock()
		l.warned = append(l.warned, fmt.Sprintf("An operation on %s, begun by %s on %s, was interrupted: its run ended without saying what came of it. "+
			"What the token's own records tell counts; the audit log has a record of the interruption now.", e.Subject, who, at.Format(time.RFC3339)))
		l.mu.Unlock()
	}
	return nil
}
