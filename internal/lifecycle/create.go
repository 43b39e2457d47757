package lifecycle

import (
	"context"
	"fmt"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/history"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// Create makes a key with one active version. A name that a committed record
// holds is fault.Exists, with the import block to use instead. The name of a key
// that was removed gets a fresh version with the next number; what is left of the
// old versions stays disabled for good.
func (s *Service) Create(ctx context.Context, spec keyring.Spec) (*keyring.Key, error) {
	return s.create(ctx, spec, s.generated)
}

// origin finds where the material of a key's next version is to come from. It writes
// nothing.
type origin func(ctx context.Context) (source, error)

func (s *Service) generated(context.Context) (source, error) { return s.within(), nil }

func (s *Service) create(ctx context.Context, spec keyring.Spec, origin origin) (*keyring.Key, error) {
	ctx, done, err := s.begun(ctx, spec.Name)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := s.Check(ctx, spec); err != nil {
		return nil, err
	}
	from, err := origin(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.Environment.Stamp(ctx); err != nil {
		return nil, err
	}

	// 1. Record the intent, with the number and the CKA_ID to come. Most names are
	// new, so that is tried first; the catalog refuses one that has a record.
	k := &keyring.Key{Spec: spec, CreatedAt: s.now(), Versions: map[int]*keyring.Version{}}
	v := s.intend(k, "create", from)
	rec, err := s.Catalog.Create(ctx, k)
	if fault.Is(err, fault.Exists) {
		rec, v, err = s.reuse(ctx, spec, from)
	}
	if err != nil {
		return nil, err
	}

	// 2. Generate, or unwrap. Killed here, nothing is committed and the next run starts over.
	k, err = s.generate(ctx, rec, v.Number, from)
	if err != nil {
		return nil, err
	}

	// 3. Commit: from here on the key exists. A key that is made disabled is
	// switched off.
	s.bury(k)
	k.Spec, k.CreatedAt, k.Tombstone = spec, s.now(), nil
	v = k.Versions[v.Number]
	v.Pending = false
	s.activate(k, v, "created")
	return s.carryOut(ctx, rec, k, "create")
}

// reuse records the intent to create under a name that has a record: of a creation
// that was never completed, or of a key that was removed. That one stays removed,
// and can still be imported, until the new key is committed.
func (s *Service) reuse(ctx context.Context, spec keyring.Spec, from source) (Record, *keyring.Version, error) {
	rec, err := s.open(ctx, spec.Name)
	if err != nil {
		return Record{}, nil, err
	}
	k := rec.Body.Clone()
	if k.Committed() && k.Tombstone == nil {
		return Record{}, nil, nameTaken(spec.Name)
	}
	former := k.Spec
	k.Spec = spec
	v := s.intend(k, "create", from)
	if k.Tombstone != nil {
		k.Spec = former
	}
	rec, err = s.Catalog.Replace(ctx, rec, k)
	return rec, v, err
}

// bury ends the life of versions that a removal left disabled, so that a new key
// of the same name does not bring them back.
func (s *Service) bury(k *keyring.Key) {
	for _, n := range k.Numbers() {
		v := k.Versions[n]
		if v.Pending || !v.DestroyedAt.IsZero() || !v.RetiredAt.IsZero() {
			continue
		}
		if v.DeactivatedAt.IsZero() {
			v.DeactivatedAt = s.now()
		}
		v.RetiredAt, v.RetiredBy = s.now(), keyring.RetireDisables
		s.note(k, v, history.Retired, "the key was removed, and its name given to a new one")
	}
}

// activate makes a version the one that protects.
func (s *Service) activate(k *keyring.Key, v *keyring.Version, reason string) {
	v.ActivatedAt = s.now()
	s.note(k, v, history.Activated, reason)
}

// note adds to the history of a key that is about to be written what happened to one of
// its versions, or with nil to the whole.
func (s *Service) note(k *keyring.Key, v *keyring.Version, what, reason string) {
	e := history.Entry{At: s.now(), What: what, Actor: s.Actor, Reason: reason, Run: s.Run}
	if v != nil {
		e.Version = v.Number
		if what == history.Generated || what == history.Imported || what == history.Adopted {
			e.Digest = v.Fingerprint
		}
	}
	k.Note(e)
}

func nameTaken(name string) error {
	return &fault.Error{
		Kind: fault.Exists, Op: "create key", Subject: subject(name),
		Problem: "A key of this name exists on the token already.",
		Hint: fmt.Sprintf("Choose another name, or manage the existing key by importing it:\n\n"+
			"  import {\n    to = hsm_key.NAME_OF_THE_RESOURCE\n    id = %q\n  }\n", name),
	}
}
