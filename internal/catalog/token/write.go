package token

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"slices"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/catalog"
	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

const (
	// A dispute is looked at every interval, patience times: one second by those who
	// wait for it to be settled, half of that by those who are in it. So a writer has
	// given up before a reader does.
	interval = 25 * time.Millisecond
	patience = 40
	// finish bounds what is brought to an end although the caller has gone away.
	finish = 30 * time.Second
)

// rest waits one interval.
func rest(ctx context.Context) error {
	timer := time.NewTimer(interval)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return &fault.Error{Kind: fault.Unavailable, Op: "wait for another run", Problem: "The wait was cancelled.", Hint: "Apply again: what was begun is then finished or undone.", Cause: context.Cause(ctx)}
	}
}

func random() string {
	var raw [16]byte
	_, _ = rand.Read(raw[:]) // never fails
	return hex.EncodeToString(raw[:])
}

// Create stores the first record of a name, see catalog.Records. A record of
// another run that was not there at the last scan is fault.Conflict, and
// fault.Exists the next time.
func (r *Records[T]) Create(ctx context.Context, body T) (catalog.Record[T], error) {
	if err := r.check(body); err != nil {
		return catalog.Record[T]{}, err
	}
	e, err := r.create(ctx, envelope{Kind: r.kind, Name: body.RecordName(), Generation: 1, ID: random(), Write: random()}, body)
	if err != nil {
		return catalog.Record[T]{}, err
	}
	return r.handOut(e)
}

// check refuses to write what could not be read.
func (r *Records[T]) check(body T) error {
	flaw := body.Flaw()
	if flaw == "" {
		return nil
	}
	return &fault.Error{
		Kind: fault.Internal, Op: "write record", Subject: subject(r.kind.label(body.RecordName())), Problem: "The record is not whole. " + flaw,
	}
}

func (c *Catalog) create(ctx context.Context, e envelope, body any) (*entry, error) {
	objects, err := c.store.Lookup(ctx, cryptoki.CKA_LABEL, []byte(e.label()))
	if err != nil {
		return nil, err
	}
	there, err := newest(e.label(), objects)
	if err != nil {
		there, err = c.settled(ctx, e.label())
	}
	if err != nil {
		return nil, err
	}
	if there != nil {
		return nil, &fault.Error{
			Kind: fault.Exists, Op: "create record", Subject: subject(e.label()), Problem: "There is already a record of this name on the token.",
			Hint: "Import what has the name, or choose another one.",
		}
	}
	return c.write(ctx, e, body, func([]entry) bool { return true })
}

// Replace stores the next generation of a record, see catalog.Records. Whether the
// old one is still the newest is asked of the memory first, and of the token when
// the new one is written: one search per write, and searching is what costs.
func (r *Records[T]) Replace(ctx context.Context, old catalog.Record[T], body T) (catalog.Record[T], error) {
	if err := r.check(body); err != nil {
		return catalog.Record[T]{}, err
	}
	e := envelope{Kind: r.kind, Name: body.RecordName(), Generation: old.Generation + 1, ID: old.ID, Write: random()}
	mine, err := r.replace(ctx, origin{old.Generation, old.ID}, e, body)
	if err != nil {
		return catalog.Record[T]{}, err
	}
	return r.handOut(mine)
}

func (c *Catalog) replace(ctx context.Context, old origin, e envelope, body any) (*entry, error) {
	objects, err := c.store.Lookup(ctx, cryptoki.CKA_LABEL, []byte(e.label()))
	if err != nil {
		return nil, err
	}
	there, err := newest(e.label(), objects)
	if err != nil || !c.current(there, old) {
		if there, err = c.settled(ctx, e.label()); err != nil {
			return nil, err
		}
	}
	if !c.current(there, old) {
		return nil, conflict(e, "The record was changed, or removed, by another run since it was read.")
	}
	return c.write(ctx, e, body, func(entries []entry) bool {
		// A rival of the old record that wrote when that had won already is beside it
		// until it gives up, and takes nothing away from it.
		return slices.ContainsFunc(entries, func(other entry) bool { return c.current(&other, old) })
	})
}

// write stores a record and defends it.
func (c *Catalog) write(ctx context.Context, e envelope, body any, based func([]entry) bool) (*entry, error) {
	mine, err := c.put(ctx, e, body)
	if err != nil {
		return nil, err
	}
	if err := c.defend(ctx, mine, based); err != nil {
		return nil, err
	}
	return mine, nil
}

// put makes the object. A kill in here leaves no object, one without attributes
// (which is nobody's), one that is cut off, or a whole one, which counts.
func (c *Catalog) put(ctx context.Context, e envelope, body any) (*entry, error) {
	value, err := e.seal(body)
	if err != nil {
		return nil, err
	}
	attrs := append(labelled(e.label()),
		cryptoki.Bool(cryptoki.CKA_TOKEN, true),
		cryptoki.Bool(cryptoki.CKA_PRIVATE, true),
		cryptoki.Bool(cryptoki.CKA_MODIFIABLE, false),
		cryptoki.Bytes(cryptoki.CKA_VALUE, value),
	)
	o, err := c.store.CreateObject(ctx, attrs)
	if cryptoki.IsSessionLoss(err) {
		// The token is open again by now. It may have the object nevertheless.
		if there, search := c.store.Search(ctx, attrs); search != nil {
			return nil, err
		} else if len(there) > 0 {
			o, err = there[0], nil
		} else {
			o, err = c.store.CreateObject(ctx, attrs)
		}
	}
	if err != nil {
		return nil, err
	}
	mine, err := open(e.label(), o)
	if err != nil || mine == nil || !bytes.Equal(o.Bytes(cryptoki.CKA_VALUE), value) {
		// SoftHSM on a full disk answers OK and keeps nothing.
		problem := "The token accepted the record and did not keep it as it was."
		if left := c.store.DestroyObject(context.WithoutCancel(ctx), o.Handle); left != nil && !gone(left) {
			return nil, &fault.Error{Kind: fault.Unavailable, Op: "write record", Subject: subject(e.label()), Problem: problem, Cause: left}
		}
		return nil, &fault.Error{
			Kind: fault.Exhausted, Op: "write record", Subject: subject(e.label()), Problem: problem, Hint: "Check whether the token, or the disk under it, is full.",
		}
	}
	return mine, nil
}

// defend waits until a record that was just written stands alone at the highest
// generation, by the rule of the package comment, and then removes what is older.
// If it does not come to that, or what it is based on is no longer there (only who
// has won removes that), the record is withdrawn and the error is fault.Conflict. It
// goes on after cancellation: a record must not be left in dispute.
func (c *Catalog) defend(ctx context.Context, mine *entry, based func([]entry) bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finish)
	defer cancel()
	for n := 1; ; n++ {
		objects, err := c.rivals(ctx, mine.label())
		if err != nil {
			return c.undecided(mine, err)
		}
		entries, remains, err := openAll(mine.label(), objects)
		if err != nil {
			return c.withdraw(ctx, mine, err)
		}
		position := standing(mine, highest(entries))
		if position != unseen && !based(entries) {
			position = beaten
		}
		switch position {
		case alone:
			c.sweep(ctx, mine, entries, remains)
			return nil
		case beaten:
			return c.withdraw(ctx, mine, conflict(mine.envelope, "Another run changed the record at the same time."))
		case unseen:
			if n >= patience/2 {
				return c.undecided(mine, nil)
			}
		case challenged:
			if n >= patience/2 {
				return c.withdraw(ctx, mine, conflict(mine.envelope, "Another run wrote the record at the same time, and does not withdraw."))
			}
		}
		if err := rest(ctx); err != nil {
			return c.undecided(mine, err)
		}
	}
}

// rivals returns all objects of a record that are on the token now. They are found among
// all records, so that one search serves everybody who has just written one.
func (c *Catalog) rivals(ctx context.Context, label string) ([]cryptoki.Object, error) {
	if err := c.store.Survey(ctx, all()); err != nil {
		return nil, err
	}
	return c.store.Lookup(ctx, cryptoki.CKA_LABEL, []byte(label))
}

// position is where a record stands among those of the highest generation.
type position uint8

const (
	alone      position = iota
	beaten              // by a higher generation, or a rival with a smaller id
	challenged          // by rivals with larger ids only
	unseen              // it does not show at all, or not yet
)

func standing(mine *entry, top []entry) position {
	seen, result := false, alone
	for _, e := range top {
		switch {
		case e.Write == mine.Write:
			seen = true
		case e.Generation > mine.Generation || e.ID < mine.ID || e.ID == mine.ID && e.Write < mine.Write:
			return beaten
		case e.Generation == mine.Generation:
			result = challenged
		}
	}
	if !seen {
		return unseen
	}
	return result
}

// sweep removes what a record has replaced, and the remains of killed runs. A
// failure changes nothing about the record; the next write sweeps again.
func (c *Catalog) sweep(ctx context.Context, mine *entry, entries []entry, remains []cryptoki.Handle) {
	for _, e := range entries {
		if e.Generation < mine.Generation {
			remains = append(remains, e.handles...)
		}
	}
	for _, h := range remains {
		_ = c.store.DestroyObject(ctx, h)
	}
}

// withdraw takes a record back and returns why; fault.Unavailable if it can't.
func (c *Catalog) withdraw(ctx context.Context, mine *entry, why error) error {
	for _, h := range mine.handles {
		if err := c.store.DestroyObject(ctx, h); err != nil && !gone(err) {
			return c.undecided(mine, err)
		}
	}
	return why
}

// undecided is the error for a record that is on the token, as far as is known,
// without it being known whether it counts.
func (c *Catalog) undecided(mine *entry, cause error) error {
	return &fault.Error{
		Kind: fault.Unavailable, Op: "write record", Subject: subject(mine.label()), Cause: cause,
		Problem: "The record was written, but it could not be found out whether another run did so too.",
		Hint:    "Apply again: the record that is on the token then is the one that counts.",
	}
}

func conflict(e envelope, problem string) error {
	return &fault.Error{
		Kind: fault.Conflict, Op: "write record", Subject: subject(e.label()), Problem: problem, Hint: "Wait until the other run is done, then apply again.",
	}
}

// gone reports whether an object is no longer there to be destroyed.
func gone(err error) bool {
	code, ok := cryptoki.Code(err)
	return ok && code == cryptoki.CKR_OBJECT_HANDLE_INVALID
}
