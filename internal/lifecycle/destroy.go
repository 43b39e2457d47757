package lifecycle

import (
	"context"
	"fmt"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// Destroy removes a key's declaration as the record's OnDestroy says. The record
// stays as a tombstone in every case, so that numbers are never reused. A key
// that is protected, or that a rotation still manages, is fault.Protected. A key
// that is gone already is no error.
func (s *Service) Destroy(ctx context.Context, name string) error {
	defer s.lock(name)()
	rec, err := s.living(ctx, name)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := guarded(rec.Key); err != nil {
		return err
	}
	k := rec.Key.Clone()
	k.Tombstone = &keyring.Tombstone{At: s.now(), Actor: s.Actor, Action: k.Spec.OnDestroy}
	if k.Spec.OnDestroy == keyring.DestroyRetains {
		_, err := s.Catalog.Replace(ctx, rec, k)
		return err
	}
	for _, n := range k.Numbers() {
		v := k.Versions[n]
		if k.Spec.OnDestroy == keyring.DestroyDestroys && v.DestroyedAt.IsZero() {
			v.DestroyedAt = s.now()
		}
		v.Record(s.now(), string(k.Spec.OnDestroy)+"ed", s.Actor, "the key was removed")
	}
	s.begin(k, "destroy", k.Numbers()...)
	if rec, err = s.Catalog.Replace(ctx, rec, k); err != nil {
		return err
	}
	_, err = s.settle(ctx, rec)
	return err
}

func guarded(k *keyring.Key) error {
	protected := func(problem, hint string) error {
		return &fault.Error{Kind: fault.Protected, Op: "destroy key", Subject: subject(k.Spec.Name), Problem: problem, Hint: hint}
	}
	if k.Spec.DeletionProtection {
		return protected("The key is protected against deletion.",
			"Set deletion_protection = false and apply that first; the protection is kept on the token, so it also holds when the block is already gone (put it back, or import the key).")
	}
	if k.Rotation != nil {
		return protected(fmt.Sprintf("A rotation still manages the key (hsm_key_rotation with id \"%s/%d\").", k.Spec.Name, k.Rotation.Instance),
			"Destroy the rotation first. If it is no longer in any state, import it by the key's name and then destroy it.")
	}
	return nil
}
