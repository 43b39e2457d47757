package cryptoki

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// ConfirmAbsent returns nil only on positive evidence that no object matches. It
// looks twice, at least 50 ms apart, with no other call of this process into the
// module in between; then the token must still be the one that was selected, the
// session logged in, and the Witness of the configuration found. What the memory
// held for the template is forgotten then.
//
// fault.Conflict says that something matches after all; fault.Unavailable names
// the evidence that is missing. Both may be retried.
func (t *Token) ConfirmAbsent(ctx context.Context, template []Attribute) error {
	return t.look(ctx, "confirm that an object is gone", func(a *attachment) error {
		err := a.run(ctx, func(d driver) error {
			defer t.waiting(ctx, a, "confirm that an object is gone", 1)()
			for _, wait := range []time.Duration{0, pause} {
				if err := sleep(ctx, wait); err != nil {
					return err
				}
				if err := t.missing(d, a, template); err != nil {
					return err
				}
			}
			return t.witnessed(d, a, template) // last: what is there now was there when we looked
		})
		if err != nil {
			return err
		}
		for _, o := range a.objects.matching(template) {
			a.objects.forget(o.Handle)
		}
		return nil
	})
}

// missing searches once.
func (t *Token) missing(d driver, a *attachment, template []Attribute) error {
	found, err := d.FindObjects(a.held, template)
	if err != nil {
		return err
	}
	if len(found) > 0 {
		return &fault.Error{
			Kind: fault.Conflict, Op: "confirm that an object is gone", Subject: t.subject(a),
			Problem: fmt.Sprintf("%d matching objects appeared; another process is at work on the token.", len(found)), Hint: hintReread,
		}
	}
	return nil
}

// witnessed checks that answers of this token mean something.
func (t *Token) witnessed(d driver, a *attachment, template []Attribute) error {
	weak := func(problem string) error {
		return &fault.Error{
			Kind: fault.Unavailable, Op: "confirm that an object is gone", Subject: t.subject(a),
			Problem: problem, Hint: "Nothing is known about what is on the token. Check the token and its storage, then run again.",
		}
	}
	info, err := t.sameToken(d, a)
	if err != nil {
		return err
	}
	if info.Flags&CKF_LOGIN_REQUIRED != 0 {
		state, err := d.SessionState(a.held)
		if err != nil {
			return err
		}
		if !isUser(state) {
			return weak("The token shows no private objects because the login was lost.")
		}
	}
	if len(t.cfg.Witness) == 0 || sameTemplate(template, t.cfg.Witness) {
		return nil // the witness itself may be absent: then the token is nobody's yet
	}
	found, err := d.FindObjects(a.held, t.cfg.Witness)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return weak("The token does not show the marker that is known to be on it, so that it shows nothing else proves nothing.")
	}
	return nil
}

func sameTemplate(x, y []Attribute) bool {
	return slices.EqualFunc(x, y, func(a, b Attribute) bool { return a.Type == b.Type && bytes.Equal(a.Value, b.Value) })
}
