package lifecycle

import (
	"context"
	"fmt"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/history"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// lease is how long an intent of a run that cannot be asked is respected. A
// generation takes seconds, even of the largest RSA key.
const lease = 10 * time.Minute

func subject(name string) string { return fmt.Sprintf("key %q", name) }

func versionSubject(name string, number int) string {
	return fmt.Sprintf("key %q version %d", name, number)
}

// begin notes, in a record about to be written, what this run is going to change.
func (s *Service) begin(k *keyring.Key, what string, versions ...int) {
	var v *keyring.Version
	if len(versions) == 1 {
		v = k.Versions[versions[0]]
	}
	s.note(k, v, history.Begun, what)
	k.Work = &keyring.Work{What: what, Versions: versions, Run: s.Run, Host: s.Host, PID: s.PID, Since: s.now()}
}

// open loads a record and settles it, so that a verb starts from a key on which
// nothing is half done.
func (s *Service) open(ctx context.Context, name string) (Record, error) {
	rec, err := s.Catalog.Load(ctx, name)
	if err != nil {
		return Record{}, err
	}
	if w := rec.Body.Work; w != nil && w.Run != s.Run {
		// The record may be remembered from when that run was at work. It may be done
		// by now, and its key in use: what is settled is what is recorded now.
		if rec, err = s.Catalog.Look(ctx, name); err != nil {
			return Record{}, err
		}
	}
	if w := rec.Body.Work; w != nil && w.Run != s.Run && s.now().Sub(w.Since) < lease && s.Alive(*w) {
		return Record{}, &fault.Error{
			Kind: fault.Conflict, Op: w.What + " key", Subject: subject(name),
			Problem: fmt.Sprintf("Another run is working on this key (process %d on %s, since %s).", w.PID, w.Host, w.Since.Format(time.RFC3339)),
			Hint:    fmt.Sprintf("Wait for it to finish and run again. If it was killed, its claim lapses %s after it began.", lease),
		}
	}
	return s.settle(ctx, rec)
}

// settle brings the HSM in line with the record and closes the intent. It is the
// last step of every verb and the first of the next one, so that a verb that was
// killed anywhere is finished, or undone if it had not been committed, by whatever
// comes next. It can be killed anywhere itself: everything it does can be done twice.
func (s *Service) settle(ctx context.Context, rec Record) (Record, error) {
	if rec.Body.Work == nil {
		return rec, nil
	}
	k := rec.Body.Clone()
	abandoned := false
	for _, n := range successorsFirst(k) {
		v := k.Versions[n]
		if err := s.conform(ctx, k, v); err != nil {
			return rec, err
		}
		if v.Pending { // never shown to anyone; its number stays used
			s.note(k, v, history.Abandoned, k.Work.What)
			abandoned = true
			delete(k.Versions, n)
		}
	}
	if !abandoned {
		s.note(k, nil, history.Settled, k.Work.What)
	}
	k.Work = nil
	return s.Catalog.Replace(ctx, rec, k)
}

// successorsFirst lists the versions under work, those that are to protect first:
// killed between two of them, the token then holds two versions that can sign,
// never none.
func successorsFirst(k *keyring.Key) []int {
	var protect, others []int
	for _, n := range k.Work.Versions {
		switch v := k.Versions[n]; {
		case v == nil: // settled by a run that was killed before it could say so
		case k.Permitted(v)&keyring.Protecting != 0 && !v.Pending:
			protect = append(protect, n)
		default:
			others = append(others, n)
		}
	}
	return append(protect, others...)
}

// conform makes the objects of one version what the record says.
func (s *Service) conform(ctx context.Context, k *keyring.Key, v *keyring.Version) error {
	switch {
	case v.Pending:
		return s.Token.Destroy(ctx, v.Ref, true)
	case !v.DestroyedAt.IsZero():
		// A version that was retired by destruction keeps its public object, so
		// that old signatures can be checked on the token, until the key goes too.
		keyGoes := k.Tombstone != nil && k.Tombstone.Action == keyring.DestroyDestroys
		return s.Token.Destroy(ctx, v.Ref, keyGoes || v.RetiredBy != keyring.RetireDestroys)
	default:
		enforcement, err := s.Token.Permit(ctx, v.Ref, k.Permitted(v))
		if fault.Is(err, fault.NotFound) {
			return nil // lost: nothing is left to be put right; observe reports it, revoking writes it off
		}
		if err != nil {
			return err
		}
		v.Enforcement = enforcement
		return nil
	}
}
