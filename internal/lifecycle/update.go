package lifecycle

import (
	"context"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// Update changes what is asked of a key, and brings every version back in line
// with it, whether the spec changed or somebody changed the objects. Killed
// anywhere, the next verb finishes it.
func (s *Service) Update(ctx context.Context, spec keyring.Spec) (*keyring.Key, error) {
	defer s.lock(spec.Name)()
	if err := s.Check(ctx, spec); err != nil {
		return nil, err
	}
	rec, err := s.living(ctx, spec.Name)
	if err != nil {
		return nil, err
	}
	k := rec.Key.Clone()
	k.Spec = spec
	for _, v := range k.Versions {
		if v.Algorithm == spec.Algorithm {
			v.Operations = spec.Operations
		}
	}
	if was := rec.Key.Spec.Enabled; was != spec.Enabled {
		what := "suspended"
		if spec.Enabled {
			what = "resumed"
		}
		for _, v := range k.Versions {
			if v.DestroyedAt.IsZero() {
				v.Record(s.now(), what, s.Actor, "")
			}
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
		if !v.DestroyedAt.IsZero() && rec.Key.Versions[n] != nil && rec.Key.Versions[n].DestroyedAt.IsZero() {
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

// observed returns the key with each version's enforcement as just tried.
func (s *Service) observed(ctx context.Context, rec Record) (*keyring.Key, error) {
	k := rec.Key.Clone()
	for _, v := range k.Versions {
		var err error
		if v.Enforcement, err = s.observe(ctx, k, v); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// living opens a record and refuses one without a living key (fault.NotFound).
func (s *Service) living(ctx context.Context, name string) (Record, error) {
	if err := s.requireStamp(ctx, subject(name)); err != nil {
		return Record{}, err
	}
	rec, err := s.open(ctx, name)
	if err != nil {
		return Record{}, err
	}
	if !rec.Key.Committed() || rec.Key.Tombstone != nil {
		return Record{}, removed(name, rec.Key)
	}
	return rec, nil
}
