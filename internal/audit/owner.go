package audit

import (
	"fmt"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// owner is whose a log is, by the first record of something that was done. Refusals do not
// tell: whoever was refused may have meant another environment.
func owner(r Reader) (first Event, found bool, err error) {
	err = r.Lines(0, func(_ int64, line []byte) bool {
		e, err := Decode(line)
		if err == nil && (e.Phase != Notice || e.Operation == opBegin) {
			first, found = e, true
		}
		return !found
	})
	return first, found, err
}

// belongs refuses the log of another environment or token before anything is written to it.
func (l *Log) belongs() error {
	if l.Look == nil {
		return nil
	}
	r, err := l.Look()
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	first, found, err := owner(r)
	switch {
	case err != nil || !found:
		return nil //nolint:nilerr // what cannot be read is refused by Open, which says more
	case l.Environment != "" && first.Environment != l.Environment && (l.serial == "" || l.serial != first.Serial):
		return &fault.Error{
			Kind: fault.Environment, Op: "use audit log", Subject: "audit log",
			Problem: fmt.Sprintf("The log in this directory is that of environment %q, on the token with serial %s; this is environment %q.", first.Environment, first.Serial, l.Environment),
			Hint:    "Give each environment a directory of its own. Nothing was written, neither to the log nor to the token.",
		}
	case l.Environment != "" && first.Environment != l.Environment: // the token says so itself, and that is written down
		return nil
	case l.serial == "" || first.Serial == "" || l.serial == first.Serial:
		return nil
	}
	taken := false
	err = r.Lines(0, func(_ int64, line []byte) bool {
		e, err := Decode(line)
		taken = taken || err == nil && e.Operation == opMove && e.Serial == l.serial
		return !taken
	})
	if err != nil || taken {
		return err
	}
	if l.accepted != "" {
		l.moved = true
		return nil
	}
	return &fault.Error{
		Kind: fault.Environment, Op: "use audit log", Subject: "audit log",
		Problem: fmt.Sprintf("The log in this directory is that of the token with serial %s; this is another token, with serial %s.", first.Serial, l.serial),
		Hint: "Give each token a directory of its own. If the environment was moved to this token, say so with `terraform-provider-hsm audit settle -reason …`. " +
			"Nothing was written, neither to the log nor to the token.",
	}
}
