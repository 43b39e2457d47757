package lifecycle

import (
	"context"
	"reflect"
	"slices"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/history"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/rotation"
)

// Rotate is what a new rotation instance does: it claims a current version that no
// rotation has had yet, or replaces it by a new one. The predecessor is found in
// the record, never told by the caller. It returns the number of the version that
// the instance made or claimed.
//
// A disabled key can be rotated too, when it is asked for: its new version is
// suspended like the others, and takes over when the key is enabled.
//
// A failure leaves two usable versions, never none: the predecessor is demoted
// only in the write that activates its successor. Killed after that write, the
// next call finishes the hand-over and returns the version that is there.
func (s *Service) Rotate(ctx context.Context, name string, schedule rotation.Schedule) (*keyring.Key, int, error) {
	ctx, done, err := s.begun(ctx, name)
	if err != nil {
		return nil, 0, err
	}
	defer done()
	handedOver, err := s.handingOver(ctx, name)
	if err != nil {
		return nil, 0, err
	}
	rec, err := s.living(ctx, name)
	if err != nil {
		return nil, 0, err
	}

	// 1. Is there a version to claim, or does the key need a new one?
	k := rec.Body.Clone()
	if err := revocable(k, schedule.Revoke); err != nil {
		return nil, 0, err
	}
	newest, current := k.Newest(), k.Current()
	_, revoked := schedule.Revoke[newest.Number]
	claim := schedule.Pinned != 0 || handedOver || (!newest.Claimed && current != nil && !revoked)

	v := newest
	if !claim {
		// 2. Record the intent, generate. Killed in here, nothing has changed.
		if err := s.Check(ctx, k.Spec); err != nil {
			return nil, 0, err
		}
		if err := s.accountFor(ctx, k, schedule.Revoke); err != nil {
			return nil, 0, err
		}
		v = s.intend(k, "rotate", s.within())
		if rec, err = s.Catalog.Replace(ctx, rec, k); err != nil {
			return nil, 0, err
		}
		if k, err = s.generate(ctx, rec, v.Number, s.within()); err != nil {
			return nil, 0, err
		}
		v = k.Versions[v.Number]
		v.Pending = false
	}

	// 3. Hand over, in one write, and 4. have the HSM follow.
	if err := s.revoke(ctx, k, schedule.Revoke); err != nil {
		return nil, 0, err
	}
	if !claim {
		s.succeed(k, v, schedule)
	}
	if err := s.repin(k, schedule); err != nil {
		return nil, 0, err
	}
	s.perform(k, schedule, schedule.Pending(k, nil, s.now()))
	if claim && !v.Claimed {
		s.note(k, v, history.Claimed, "")
	}
	v.Claimed = true
	k.Rotation = &keyring.Rotation{Instance: v.Number, Declared: schedule.Declared}
	k, err = s.carryOut(ctx, rec, k, "rotate")
	return k, v.Number, err
}

// accountFor refuses to make a new version of a key that has an object missing,
// doubled or replaced, unless that version is being revoked.
func (s *Service) accountFor(ctx context.Context, k *keyring.Key, revoked map[int]keyring.Reason) error {
	for _, n := range k.Numbers() {
		if _, ok := revoked[n]; ok {
			continue
		}
		if _, err := s.observe(ctx, k, k.Versions[n]); err != nil {
			return err
		}
	}
	return nil
}

// handingOver reports whether an earlier, killed Rotate had committed its new
// version and was still bringing the HSM in line.
func (s *Service) handingOver(ctx context.Context, name string) (bool, error) {
	rec, err := s.Catalog.Load(ctx, name)
	if err != nil {
		return false, err
	}
	w := rec.Body.Work
	return w != nil && w.What == "rotate" && !slices.ContainsFunc(w.Versions, func(n int) bool {
		return rec.Body.Versions[n] == nil || rec.Body.Versions[n].Pending
	}), nil
}

// succeed makes v the key's next version: at once, or after the activation delay
// if there is a version that serves until then.
func (s *Service) succeed(k *keyring.Key, v *keyring.Version, schedule rotation.Schedule) {
	for _, other := range k.Versions { // a version that was waiting is overtaken; it has protected nothing
		if other != v && other.Waiting() {
			other.DestroyedAt = s.now()
			s.note(k, other, history.Destroyed, "overtaken by another rotation before it was activated")
		}
	}
	current := k.Current()
	if current != nil && schedule.ActivationDelay > 0 {
		v.ActivateAfter = s.now().Add(schedule.ActivationDelay)
		return
	}
	if current != nil {
		s.demote(k, current, schedule, "rotated")
	}
	s.activate(k, v, "rotated")
}

// demote takes from a version what only an active one may do; the overlap begins.
func (s *Service) demote(k *keyring.Key, v *keyring.Version, schedule rotation.Schedule, reason string) {
	v.DeactivatedAt = s.now()
	if schedule.Overlap > 0 {
		v.ProcessUntil = s.now().Add(schedule.Overlap)
	}
	s.note(k, v, history.Deactivated, reason)
}

// perform carries out steps on the key; those that are no longer due are passed
// over. Enforce and recover need nothing here: carryOut and settle see to them.
func (s *Service) perform(k *keyring.Key, schedule rotation.Schedule, steps []rotation.Step) {
	due := schedule.Pending(k, nil, s.now())
	for _, step := range steps {
		if !slices.Contains(due, step) {
			continue
		}
		v := k.Versions[step.Version]
		switch step.Verb {
		case rotation.Activate: // with its Demote, so that there is one active version at any time
			if current := k.Current(); current != nil {
				s.demote(k, current, schedule, "rotated")
			}
			s.activate(k, v, "activation delay over")
		case rotation.Retire:
			v.RetiredAt, v.RetiredBy = s.now(), schedule.RetireAction
			if schedule.RetireAction == keyring.RetireDestroys {
				v.DestroyedAt = s.now()
			}
			s.note(k, v, history.Retired, "overlap over")
		case rotation.Demote, rotation.Enforce, rotation.Recover:
		}
	}
}

// Advance is what an existing rotation instance does on a change: new revocations,
// pinning or letting go of a pin, and exactly the given steps. An instance that
// another has superseded changes nothing.
func (s *Service) Advance(ctx context.Context, name string, instance int, schedule rotation.Schedule, steps []rotation.Step) (*keyring.Key, error) {
	ctx, done, err := s.begun(ctx, name)
	if err != nil {
		return nil, err
	}
	defer done()
	rec, err := s.living(ctx, name)
	if err != nil {
		return nil, err
	}
	k := rec.Body.Clone()
	if k.Superseded(instance) {
		return s.observed(ctx, rec)
	}
	if err := s.revoke(ctx, k, schedule.Revoke); err != nil {
		return nil, err
	}
	if err := s.repin(k, schedule); err != nil {
		return nil, err
	}
	s.perform(k, schedule, steps)
	declared := &keyring.Rotation{Instance: instance, Declared: schedule.Declared}
	if !reflect.DeepEqual(k.Rotation, declared) {
		why := "its rotation"
		if changes := declared.Declared.Changes(k.Rotation); changes != "" {
			why += ": " + changes
		}
		s.note(k, k.Versions[instance], history.Updated, why)
	}
	k.Rotation = declared
	return s.carryOut(ctx, rec, k, "advance")
}

// Claim takes the newest version under a rotation that is being imported. The derivation
// key has no owner who could: a rotation would retire what secrets are derived with.
func (s *Service) Claim(ctx context.Context, name string) (*keyring.Key, int, error) {
	if err := keyring.ValidateName(name); err != nil {
		return nil, 0, err
	}
	ctx, done, err := s.begun(ctx, name)
	if err != nil {
		return nil, 0, err
	}
	defer done()
	rec, err := s.living(ctx, name)
	if err != nil {
		return nil, 0, err
	}
	k := rec.Body.Clone()
	newest := k.Newest()
	if k.Rotation == nil || !newest.Claimed {
		if k.Rotation == nil {
			k.Rotation = &keyring.Rotation{Instance: newest.Number}
		}
		newest.Claimed = true
		s.note(k, newest, history.Claimed, "imported")
		if rec, err = s.Catalog.Replace(ctx, rec, k); err != nil {
			return nil, 0, err
		}
	}
	instance := rec.Body.Rotation.Instance
	k, err = s.observed(ctx, rec)
	return k, instance, err
}

// Release lets a key go when a rotation instance is removed. It destroys nothing,
// and does nothing if another instance has taken over or the key is gone.
func (s *Service) Release(ctx context.Context, name string, instance int) error {
	ctx, done, err := s.begun(ctx, name)
	if err != nil {
		return err
	}
	defer done()
	rec, err := s.living(ctx, name)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if rec.Body.Rotation == nil || rec.Body.Rotation.Instance != instance {
		return nil
	}
	k := rec.Body.Clone()
	k.Rotation = nil
	v := k.Versions[instance]
	if v != nil {
		v.Claimed = true
	}
	s.note(k, v, history.Released, "")
	_, err = s.Catalog.Replace(ctx, rec, k)
	return err
}
