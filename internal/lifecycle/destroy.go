package lifecycle

import (
	"context"
	"fmt"
	"strings"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/history"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// Destroy removes a key as the record's OnDestroy says: it leaves it as it is, or
// makes the record a tombstone, so that numbers are never reused. A key that is
// protected, or that a rotation still manages or a policy names, is fault.Protected. A key that was
// removed already is no error; one that has no record at all is fault.Inconsistent.
func (s *Service) Destroy(ctx context.Context, name string) error {
	ctx, done, err := s.begun(ctx, name)
	if err != nil {
		return err
	}
	defer done()
	if err := s.Environment.Require(ctx, subject(name)); err != nil {
		return err
	}
	rec, err := s.open(ctx, name)
	switch {
	case fault.Is(err, fault.NotFound):
		return lost(name)
	case err != nil:
		return err
	case !rec.Body.Committed() || rec.Body.Tombstone != nil:
		return nil
	}
	if err := guarded(rec.Body); err != nil {
		return err
	}
	if rec.Body.Spec.OnDestroy == keyring.DestroyRetains {
		return nil
	}
	if err := s.unnamed(ctx, name); err != nil {
		return err
	}
	k := rec.Body.Clone()
	k.Tombstone = &keyring.Tombstone{At: s.now(), Actor: s.Actor, Action: k.Spec.OnDestroy}
	for _, n := range k.Numbers() {
		v := k.Versions[n]
		switch {
		case !v.DestroyedAt.IsZero():
		case k.Spec.OnDestroy == keyring.DestroyDestroys:
			v.DestroyedAt = s.now()
			s.note(k, v, history.Destroyed, "the key was removed")
		default:
			s.note(k, v, history.Disabled, "the key was removed")
		}
	}
	s.note(k, nil, history.Removed, "")
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

// unnamed refuses a key that something else names.
func (s *Service) unnamed(ctx context.Context, name string) error {
	if s.NamedBy == nil {
		return nil
	}
	by, err := s.NamedBy(ctx, name)
	if err != nil || len(by) == 0 {
		return err
	}
	return &fault.Error{
		Kind: fault.Protected, Op: "destroy key", Subject: subject(name), Problem: "It is still named by " + strings.Join(by, ", ") + ".",
		Hint: "Take the key out of what names it, apply that, and then remove the key. One apply cannot do both: Terraform removes a key before it changes what refers to it.",
	}
}
