package audit

import (
	"fmt"
	"slices"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// Query selects records. Empty fields match everything.
type Query struct {
	Subject, Actor string
	// Operation is what was asked for, or one of the steps: "rotate", "activated".
	Operation    string
	Failed       bool      // only what was refused, or failed
	Since, Until time.Time // Until is excluded
	Last         int       // only so many, the newest ones; 0 is all
}

// Found is a record with its place.
type Found struct {
	Index int64
	Event Event
	Line  []byte
}

func (q Query) matches(e Event) bool {
	return (q.Subject == "" || q.Subject == e.Subject) && (q.Actor == "" || q.Actor == e.Actor) &&
		(q.Operation == "" || q.Operation == e.Operation || slices.ContainsFunc(e.Steps, func(s Step) bool { return s.What == q.Operation })) &&
		(!q.Failed || e.Failure != nil) && (q.Since.IsZero() || !e.Time.Before(q.Since)) && (q.Until.IsZero() || e.Time.Before(q.Until))
}

// Select returns the records that a query selects, the oldest first, and which lines are none.
// Nothing is verified.
func Select(r Reader, q Query) (found []Found, unreadable []int64, err error) {
	err = r.Lines(0, func(index int64, line []byte) bool {
		e, err := Decode(line)
		if err != nil {
			unreadable = append(unreadable, index)
			return true
		}
		if q.matches(e) {
			found = append(found, Found{index, e, slices.Clone(line)})
			if q.Last > 0 && len(found) > 2*q.Last {
				found = slices.Clone(found[len(found)-q.Last:])
			}
		}
		return true
	})
	return q.Latest(found), unreadable, err
}

// Latest leaves of what was found the last records that a query wants.
func (q Query) Latest(found []Found) []Found {
	if q.Last > 0 && len(found) > q.Last {
		found = found[len(found)-q.Last:]
	}
	return found
}

// Unreadable is the fault of a log in which lines are no records; nil if there are none.
func Unreadable(lines []int64) error {
	if len(lines) == 0 {
		return nil
	}
	problem := fmt.Sprintf("Record %d cannot be read.", lines[0])
	if more := len(lines) - 1; more > 0 {
		problem = fmt.Sprintf("Record %d cannot be read, and %d more cannot.", lines[0], more)
	}
	return &fault.Error{
		Kind: fault.Inconsistent, Op: "read audit log", Subject: "audit log", Problem: problem,
		Hint: "Look into it with `terraform-provider-hsm audit verify`.",
	}
}

// summed is how many steps a summary lists: what a log begins with may have many.
const summed = 6

// Summary tells in a few words what the record is about.
func (e Event) Summary() string {
	if earlier := len(e.Steps) - summed; earlier > 0 {
		e.Steps = append([]Step{{What: fmt.Sprintf("%d earlier", earlier)}}, e.Steps[earlier:]...)
	}
	message := e.message()
	return message[len(e.Subject)+len(": "):]
}
