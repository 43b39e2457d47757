package lifecycle

import (
	"context"
	"errors"
	"fmt"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/rotation"
)

// auditKey is what an environment's key to sign the audit log by is asked to be. Like the
// derivation key it is a key like any other, under a name that no owner can give one.
func (s *Service) auditKey(ctx context.Context) (keyring.Spec, error) {
	spec := keyring.Spec{
		Name: keyring.AuditKeyName, Operations: keyring.Sign, Enabled: true, DeletionProtection: true, OnDestroy: keyring.DestroyDisables,
	}
	can, err := s.Token.Capabilities(ctx)
	if err != nil {
		return spec, err
	}
	for _, spec.Algorithm = range []keyring.Algorithm{keyring.Ed25519, keyring.ECP256} {
		if can.Algorithms[spec.Algorithm].Has(keyring.Sign) {
			return spec, nil
		}
	}
	return spec, &fault.Error{
		Kind: fault.Unsupported, Op: "prepare audit log", Subject: "audit key",
		Problem: "This token can make neither an ED25519 nor an EC_P256 key, one of which signs the checkpoints of the audit log.",
		Hint:    "Leave audit out of the provider's configuration, or use a token that has elliptic curves. Each record on the token holds its own history in any case.",
	}
}

// PrepareAuditKey makes the key that signs the audit log if the environment has none. One
// that was lost is not replaced (fault.Inconsistent): whoever took it away would have
// silenced the log.
func (s *Service) PrepareAuditKey(ctx context.Context) error {
	if err := s.Environment.Stamp(ctx); err != nil {
		return err
	}
	_, err := s.signer(ctx)
	if !fault.Is(err, fault.NotFound) {
		return err
	}
	spec, err := s.auditKey(ctx)
	if err != nil {
		return err
	}
	_, err = s.Create(ctx, spec)
	for n := 1; fault.Is(err, fault.Conflict) || fault.Is(err, fault.Exists); n++ { // another run, or call, makes it
		if _, err = s.signer(ctx); err == nil || n == derivationTries {
			break
		}
		if paused := pause(ctx, derivationPause); paused != nil {
			return paused
		}
		if fault.Is(err, fault.NotFound) {
			_, err = s.Create(ctx, spec)
		}
	}
	return err
}

// CheckAuditKey is PrepareAuditKey for an environment whose key is not to be made: one that
// there is not yet is no error.
func (s *Service) CheckAuditKey(ctx context.Context) error {
	if stamped, err := s.Environment.Check(ctx); err != nil || !stamped {
		return err
	}
	_, err := s.signer(ctx)
	if fault.Is(err, fault.NotFound) {
		_, err = s.auditKey(ctx)
	}
	return err
}

// SignAudit signs a message by the current version of the audit key, and returns that
// version with the signature: of Ed25519, or of ECDSA with SHA-256 as ASN.1.
func (s *Service) SignAudit(ctx context.Context, message []byte) (*keyring.Version, []byte, error) {
	v, err := s.signer(ctx)
	if err != nil {
		return nil, nil, err
	}
	scheme, err := v.Scheme("", false)
	if err != nil {
		return nil, nil, err
	}
	raw, err := s.Token.SignBy(ctx, v.Ref, Signing{Scheme: scheme, Input: message})
	if fault.Is(err, fault.NotFound) {
		err = &fault.Error{
			Kind: fault.Inconsistent, Op: "sign audit log", Subject: fmt.Sprintf("audit key version %d", v.Number),
			Problem: "Its record is there, and its object is not on the token.", Hint: hintAuditKey,
		}
	}
	if err != nil {
		return nil, nil, err
	}
	signature, err := scheme.Encoded(raw)
	return v, signature, err
}

// AuditKeys returns the versions of the audit key, none if there is no such key. The
// objects are not looked at.
func (s *Service) AuditKeys(ctx context.Context) ([]*keyring.Version, error) {
	if stamped, err := s.Environment.Check(ctx); err != nil || !stamped {
		return nil, err
	}
	rec, err := s.Catalog.Load(ctx, keyring.AuditKeyName)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var versions []*keyring.Version
	for _, n := range rec.Body.Numbers() {
		if v := rec.Body.Versions[n]; !v.Pending {
			versions = append(versions, v)
		}
	}
	return versions, nil
}

// RotateAuditKey gives the audit log a new key to be signed by. What the old one signed
// stays verifiable; it signs nothing more.
func (s *Service) RotateAuditKey(ctx context.Context) (*keyring.Version, error) {
	schedule := rotation.Schedule{RetireAction: keyring.RetireDisables}
	k, n, err := s.Rotate(ctx, keyring.AuditKeyName, schedule)
	if err == nil && n == 1 { // it claimed the version that there was
		k, n, err = s.Rotate(ctx, keyring.AuditKeyName, schedule)
	}
	if err != nil {
		return nil, err
	}
	return k.Versions[n], nil
}

// RenewAuditKey gives the log a new key after the one that there was got lost, as an operator
// says: versions that are not on the token as they were recorded are revoked, and the next one
// is made. What they signed stays verifiable by the recorded public keys. A key of which
// nothing is lost stays as it is.
func (s *Service) RenewAuditKey(ctx context.Context) error {
	rec, err := s.Catalog.Load(ctx, keyring.AuditKeyName)
	if err != nil {
		return err
	}
	unsound, err := s.unsound(ctx, rec.Body)
	if err != nil || len(unsound) == 0 && rec.Body.Current() != nil {
		return err
	}
	lost := map[int]keyring.Reason{}
	for n := range unsound {
		lost[n] = keyring.Unspecified
	}
	_, _, err = s.Rotate(ctx, keyring.AuditKeyName, rotation.Schedule{RetireAction: keyring.RetireDisables, Revoke: lost})
	return err
}

const hintAuditKey = "Restore the token from a backup that has the key. If it is lost for good, find out how, and say so with `terraform-provider-hsm audit settle -reason …`: " +
	"it revokes that version and makes another one, and the log goes on. What the lost one signed stays verifiable by its public key."

// signer returns the version of the audit key that signs, proven to be there and the one
// that was recorded. A key that there never was is fault.NotFound.
func (s *Service) signer(ctx context.Context) (*keyring.Version, error) {
	rec, err := s.Catalog.Load(ctx, keyring.AuditKeyName)
	if err != nil {
		return nil, err
	}
	k := rec.Body
	if !k.Committed() {
		return nil, removed(keyring.AuditKeyName, k)
	}
	v := k.Current()
	if v == nil {
		return nil, &fault.Error{
			Kind: fault.Inconsistent, Op: "sign audit log", Subject: "audit key", Problem: "It has no version that may sign.", Hint: hintAuditKey,
		}
	}
	s.mu.Lock()
	proven := s.signs == v.Ref
	s.mu.Unlock()
	if proven {
		return v, nil
	}
	defer s.lock(keyring.AuditKeyName)()
	_, err = s.observe(ctx, k, v)
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Kind == fault.Inconsistent {
		err = &fault.Error{Kind: fault.Inconsistent, Op: "sign audit log", Subject: fmt.Sprintf("audit key version %d", v.Number), Problem: f.Problem, Hint: hintAuditKey}
	}
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.signs = v.Ref
	s.mu.Unlock()
	return v, nil
}
