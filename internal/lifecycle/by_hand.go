package lifecycle

import (
	"context"
	"fmt"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// RotateNow replaces the current version of a key, outside of any plan. The overlap and
// the activation delay are those of the rotation that manages the key; it stays in
// charge, and its period counts from here: what would have been due soon is not due any
// more. A key without a rotation gets the same, and no end to the overlap.
//
// A key whose rotation pins a version is fault.Protected, one whose next version waits
// for its activation fault.Conflict: it has been rotated. Killed after the hand-over was
// recorded, the next call finishes it and makes nothing new.
func (s *Service) RotateNow(ctx context.Context, name string) (*keyring.Key, error) {
	ctx, done, err := s.begun(ctx, name)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := keyring.ValidateName(name); err != nil { // the derivation key is nobody's to rotate
		return nil, err
	}
	handedOver, err := s.handingOver(ctx, name)
	if err != nil {
		return nil, err
	}
	rec, err := s.living(ctx, name)
	if err != nil {
		return nil, err
	}
	if handedOver {
		return s.observed(ctx, rec)
	}

	// 1. Whether the key is to be rotated now.
	k := rec.Body.Clone()
	schedule, err := managed(k)
	if err != nil {
		return nil, err
	}
	newest := k.Newest()
	switch {
	case schedule.Pinned != 0:
		return nil, pinned("rotate key", k, schedule)
	case newest.Waiting():
		return nil, &fault.Error{
			Kind: fault.Conflict, Op: "rotate key", Subject: versionSubject(name, newest.Number),
			Problem: fmt.Sprintf("The key has been rotated already: this version waits until %s to become active.", newest.ActivateAfter.Format("2006-01-02 15:04:05 MST")),
			Hint:    "Wait for that, and apply. If the current version has to go at once, revoke it.",
		}
	}
	if err := s.Check(ctx, k.Spec); err != nil {
		return nil, err
	}
	if err := s.accountFor(ctx, k, nil); err != nil {
		return nil, err
	}

	// 2. Record the intent, generate. Killed in here, nothing has changed.
	v := s.intend(k, "rotate", s.within())
	if rec, err = s.Catalog.Replace(ctx, rec, k); err != nil {
		return nil, err
	}
	if k, err = s.generate(ctx, rec, v.Number, s.within()); err != nil {
		return nil, err
	}

	// 3. Hand over, in one write, and 4. have the HSM follow.
	v = k.Versions[v.Number]
	v.Pending, v.Claimed = false, k.Rotation != nil
	s.succeed(k, v, schedule)
	return s.carryOut(ctx, rec, k, "rotate")
}

// Revoke ends one version of a key at once and for good, outside of any plan. A version
// that the key never had is fault.Invalid; one that was revoked before is no error. The
// revocation of the current version makes the key's rotation due, and nothing else: until
// then no version protects.
func (s *Service) Revoke(ctx context.Context, name string, version int, reason keyring.Reason) (*keyring.Key, error) {
	ctx, done, err := s.begun(ctx, name)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := keyring.ValidateName(name); err != nil {
		return nil, err
	}
	rec, err := s.living(ctx, name)
	if err != nil {
		return nil, err
	}
	k := rec.Body.Clone()
	if err := s.revoke(ctx, k, map[int]keyring.Reason{version: reason}); err != nil {
		return nil, err
	}
	return s.carryOut(ctx, rec, k, "revoke")
}
