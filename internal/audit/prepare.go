package audit

import (
	"bytes"
	"context"
	"fmt"
	"slices"
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
	opMove     = "take over to another token"
	opCutBack  = "accept lost checkpoints"
	opRenew    = "renew lost key"
	opRotate   = "rotate key"
)

// found is what there is before the first change.
type found struct {
	store Store
	known []Event // on the token
	keys  int     // versions of the key that signs
	state state
}

// inspect opens the log, and looks at it and at the token.
func (l *Log) inspect(ctx context.Context) (found, error) {
	store, err := l.open(ctx)
	if err != nil {
		return found{}, err
	}
	return l.look(ctx, store)
}

// look makes sure that the records are those that were signed. It writes nothing.
func (l *Log) look(ctx context.Context, store Store) (f found, err error) {
	f.store = store
	// The token first: another run writes to the log before it does to the token.
	if l.Subjects != nil {
		if f.known, err = l.Subjects(ctx); err != nil {
			return f, err
		}
	}
	keys, err := l.Signer.Keys(ctx)
	if err != nil {
		return f, err
	}
	notes, err := f.store.Checkpoints()
	if err != nil {
		return f, err
	}
	f.keys = len(keys)
	if err := l.holdToCheckpoint(f.store, notes, keys); err != nil {
		return f, err
	}
	if f.state, err = l.stateOf(f.store, f.known, len(notes.All), len(keys)); err != nil || l.accepted != "" {
		return f, err
	}
	return f, holdToRuns(f.store, l.Own)
}

// holdToRuns refuses a log whose newest checkpoint should have successors, by the rule that
// each run signs what is there before it changes anything: they were cut off.
func holdToRuns(r Reader, own string) error {
	covered, is, err := cutBack(r, own)
	if err != nil || !is {
		return err
	}
	return &fault.Error{
		Kind: fault.Inconsistent, Op: "use audit log", Subject: "audit log", Problem: fmt.Sprintf("The newest checkpoint covers %d records, and the runs that changed something since should have signed others.", covered),
		Hint: "Look into it with `terraform-provider-hsm audit verify`, and put the checkpoints back, from a backup of the directory. If they are lost and that is accepted, say so with " +
			"`terraform-provider-hsm audit settle -reason …`. As long as it is like this nothing is changed on the token.",
	}
}

// Disclose is Note for what lets a secret out: that is not done under a log that is not as it
// was left. It changes nothing on the token.
func (l *Log) Disclose(ctx context.Context, e Event) error {
	if err := l.trust(ctx); err != nil {
		return err
	}
	return l.Note(ctx, e)
}

// trust makes sure of what Prepare does, and begins nothing.
func (l *Log) trust(ctx context.Context) error {
	l.preparing.Lock()
	defer l.preparing.Unlock()
	if l.ready.Load() || l.trusted {
		return nil
	}
	f, err := l.inspect(ctx)
	if err == nil {
		err = f.trustworthy()
	}
	l.trusted = err == nil
	l.signs.Store(l.trusted && f.state == sound && f.keys > 0)
	return err
}

// trustworthy refuses a log that is not the one that the token has had.
func (f found) trustworthy() error {
	switch f.state {
	case lost:
		return refuseLost()
	case sound:
		return holdToSubjects(f.store, f.known)
	}
	return nil
}

// prepare records what answer says, which may refuse, and makes sure of the rest.
func (l *Log) prepare(ctx context.Context, answer func(store Store, known []Event, state state) ([]Event, error)) error {
	l.preparing.Lock()
	defer l.preparing.Unlock()
	if l.ready.Load() {
		return nil
	}
	f, err := l.inspect(ctx)
	if err != nil {
		return err
	}
	store := f.store
	events, err := answer(store, f.known, f.state)
	if err != nil {
		return err
	}
	if l.moved {
		events = append(events, Event{Operation: opMove, Subject: "token", Reason: l.accepted})
	}
	for _, e := range events {
		e.Phase, e.ID = Notice, random()
		if err := l.appendTo(ctx, store, e); err != nil {
			return err
		}
	}
	if f.state == sound && l.accepted == "" {
		if err := holdToSubjects(store, f.known); err != nil {
			return err
		}
	}
	if err := l.closeInterrupted(ctx, store); err != nil {
		return err
	}
	err = l.Signer.Prepare(ctx)
	if fault.Is(err, fault.Inconsistent) && l.accepted != "" {
		err = l.renew(ctx, store)
	}
	if err != nil {
		return err
	}
	l.ready.Store(true)
	// What earlier runs have left unsigned, refusals or all that a killed one did, is signed
	// before anything is changed: so no change stands behind unsigned ones of another run. A
	// log without any checkpoint is believed only as long as nothing was done under it: it gets
	// its first one now, and killed before, the next run finds nothing but the key.
	l.signing.Lock()
	defer l.signing.Unlock()
	if err := l.signLocked(ctx, 1); err != nil {
		l.ready.Store(false)
		return err
	}
	return nil
}

// renew makes a new key to sign by, and says why before.
func (l *Log) renew(ctx context.Context, store Store) error {
	if err := l.appendTo(ctx, store, Event{Operation: opRenew, Subject: l.Own, Reason: l.accepted, Phase: Notice, ID: random()}); err != nil {
		return err
	}
	l.renewed = true
	return l.Signer.Renew(ctx)
}

// Explain records why the key that signs is going to get a successor, if somebody says so.
func (l *Log) Explain(ctx context.Context, reason string) error {
	if reason == "" {
		return nil
	}
	return l.Note(ctx, Event{Operation: opRotate, Subject: l.Own, Reason: reason})
}

// holdToCheckpoint makes sure that the newest checkpoint is signed, that the records are those
// that it was made of, and that there is none which was published and is not among the others.
func (l *Log) holdToCheckpoint(store Store, notes Notes, keys []Key) error {
	if notes.Newest() == nil {
		return nil
	}
	c, err := ReadCheckpoint(l.Environment, notes.Newest(), keys)
	if err != nil {
		return err
	}
	if stray := notes.Stray(); stray != nil {
		return &fault.Error{
			Kind: fault.Inconsistent, Op: "use audit log", Subject: "audit log",
			Problem: fmt.Sprintf("The checkpoint of %d records that was published is not among the others: the file %s was cut off, or changed.", noteSize(stray), notesName),
			Hint:    "Put that file back, from a backup of the directory, and look into it with `terraform-provider-hsm audit verify`. As long as it is like this nothing is changed on the token.",
		}
	}
	root, err := tlog.TreeHash(c.Size, store)
	if err != nil {
		return err
	}
	if root != c.Root {
		return notThose(c.Size)
	}
	if err := l.holdToTerms(store, c, keys); err != nil {
		return err
	}
	l.signing.Lock()
	defer l.signing.Unlock()
	l.signed = c
	return nil
}

// notThose is the fault of a log that is not the one that a checkpoint of so many records is of.
func notThose(size int64) error {
	return &fault.Error{
		Kind: fault.Inconsistent, Op: "use audit log", Subject: "audit log", Problem: fmt.Sprintf("The records, or the hashes of them in the file %s, are not those that were there when the checkpoint of %d records was signed.", treeName, size),
		Hint: "Look into it with `terraform-provider-hsm audit verify`, which tells which of the two it is: that file can be removed, and is made anew. As long as it is like this nothing is changed on the token.",
	}
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
