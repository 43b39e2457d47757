package lifecycle

import (
	"context"
	"reflect"

	"github.com/keystead/terraform-provider-hsm/internal/history"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// Update changes what is asked of a key, and brings every version back in line
// with it, whether the spec changed or somebody changed the objects. Killed
// anywhere, the next verb finishes it.
func (s *Service) Update(ctx context.Context, spec keyring.Spec) (*keyring.Key, error) {
	return s.update(ctx, spec, s.living)
}

// Restore is the first Update after an import: it also takes back a key that was
// removed and disabled.
func (s *Service) Restore(ctx context.Context, spec keyring.Spec) (*keyring.Key, error) {
	return s.update(ctx, spec, s.known)
}

func (s *Service) update(ctx context.Context, spec keyring.Spec, open func(context.Context, string) (Record, error)) (*keyring.Key, error) {
	ctx, done, err := s.begun(ctx, spec.Name)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := s.Check(ctx, spec); err != nil {
		return nil, err
	}
	rec, err := open(ctx, spec.Name)
	if err != nil {
		return nil, err
	}
	k := rec.Body.Clone()
	was := k.Spec.Enabled && k.Tombstone == nil
	if !reflect.DeepEqual(k.Spec, spec) {
		s.note(k, nil, history.Updated, spec.Changes(k.Spec))
	}
	k.Ask(spec)
	k.Tombstone = nil
	for _, n := range k.Numbers() {
		v := k.Versions[n]
		if v.DestroyedAt.IsZero() && was != spec.Enabled {
			what := history.Suspended
			if spec.Enabled {
				what = history.Resumed
			}
			s.note(k, v, what, "")
		}
	}
	return s.carryOut(ctx, rec, k, "update")
}

// carryOut writes a changed key together with the intent to bring in line
// whatever its objects now have to change, and does so.
func (s *Service) carryOut(ctx context.Context, rec Record, k *keyring.Key, what string) (*keyring.Key, error) {
	k.Work = nil // whatever rec had open is done, or k would not be written
	off, err := s.drifted(ctx, k)
	if err != nil {
		return nil, err
	}
	for n, v := range k.Versions { // newly destroyed in this change
		if !v.DestroyedAt.IsZero() && rec.Body.Versions[n] != nil && rec.Body.Versions[n].DestroyedAt.IsZero() {
			off = append(off, n)
		}
	}
	if len(off) > 0 {
		s.begin(k, what, off...)
	}
	if rec, err = s.Catalog.Replace(ctx, rec, k); err != nil {
		return nil, err
	}
	if rec, err = s.settle(ctx, rec); err != nil {
		return nil, err
	}
	return s.observed(ctx, rec)
}

// living opens a record and refuses one without a living key (fault.NotFound).
func (s *Service) living(ctx context.Context, name string) (Record, error) {
	rec, err := s.known(ctx, name)
	if err == nil && rec.Body.Tombstone != nil {
		err = removed(name, rec.Body)
	}
	return rec, err
}

// known is living, but accepts a key that a removal disabled.
func (s *Service) known(ctx context.Context, name string) (Record, error) {
	if err := s.Environment.Require(ctx, subject(name)); err != nil {
		return Record{}, err
	}
	rec, err := s.open(ctx, name)
	if err == nil && (!rec.Body.Committed() || (rec.Body.Tombstone != nil && !restorable(rec.Body))) {
		err = removed(name, rec.Body)
	}
	return rec, err
}
