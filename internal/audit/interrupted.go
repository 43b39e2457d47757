package audit

import (
	"bytes"
	"context"
	"fmt"
	"time"
)

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
		e.Phase, e.Failure = Outcome, &Failure{Interrupted, "The run that began it ended without saying what came of it."}
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
