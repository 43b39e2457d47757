package audit

import (
	"context"
	"fmt"
	"strings"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// Settlement says what Settle did.
type Settlement struct {
	Closed   int      // intents that were left open
	Accepted []string // subjects that the log took over as they are on the token
	Begun    bool     // the log was begun
	Moved    bool     // the log was taken over to another token
	CutBack  bool     // checkpoints that there should be are lost
	Renewed  bool     // the key that signs was lost, and has a new version
}

// Settle is Prepare for an operator who has looked into what is wrong: what the log does not
// tell of is written down as it is on the token, and so is the reason. Without a reason
// nothing is accepted that needs one: neither that, nor another token, nor that checkpoints or
// the key which signs are lost. A log whose records are not those that were signed cannot be settled.
func (l *Log) Settle(ctx context.Context, reason string) (Settlement, error) {
	var s Settlement
	l.accepted = reason
	err := l.prepare(ctx, func(store Store, known []Event, state state) ([]Event, error) {
		events := l.beginning(reason, known)
		s.Begun = true
		if state == sound {
			var err error
			if events, err = unknown(store, known); err != nil {
				return nil, err
			}
			s.Begun = false
			// Without a reason that was refused before.
			if _, s.CutBack, err = cutBack(store, l.Own); err != nil {
				return nil, err
			}
			if s.CutBack {
				events = append(events, Event{Operation: opCutBack, Subject: "log"})
			}
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
	s.Closed, s.Moved, s.Renewed = l.closed, l.moved, l.renewed
	return s, err
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
