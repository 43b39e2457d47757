package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// derivationKey is the environment's key from which secrets are derived. It is a key
// like any other, under a name that no owner can give one: made by the same code, and
// recovered by it. It is never listed, imported or removed.
var derivationKey = keyring.Spec{
	Name: keyring.DerivationKeyName, Algorithm: keyring.HMACSHA256, Operations: keyring.Sign,
	Enabled: true, DeletionProtection: true, OnDestroy: keyring.DestroyDisables,
}

// CheckDerivation refuses (fault.Unsupported) a token on which no derivation key could
// be made. It changes nothing.
func (s *Service) CheckDerivation(ctx context.Context) error { return s.Check(ctx, derivationKey) }

// DerivationKey returns the number of the version to derive new secrets with, and makes
// the key if the environment has none, or puts its flags right if somebody changed
// them. Two runs that make it at once get one key.
func (s *Service) DerivationKey(ctx context.Context) (int, error) {
	k, err := s.Read(ctx, derivationKey.Name, Known{})
	if fault.Is(err, fault.NotFound) {
		k, err = s.Create(ctx, derivationKey)
		if fault.Is(err, fault.Exists) { // another call, or run, was faster
			k, err = s.Read(ctx, derivationKey.Name, Known{})
		}
	}
	if err == nil && slices.ContainsFunc(k.Numbers(), func(n int) bool { return k.Versions[n].Enforcement == keyring.EnforcementDrifted }) {
		k, err = s.Update(ctx, derivationKey)
	}
	if err != nil {
		return 0, err
	}
	v := k.Current()
	if v == nil {
		return 0, underivable(0, "It has no version that may be used.")
	}
	return v.Number, nil
}

// MAC returns the HMAC-SHA-256 of a message by a version of the derivation key, 32
// bytes. That the object is the recorded key is made sure of the first time it is used.
func (s *Service) MAC(ctx context.Context, version int, message []byte) ([]byte, error) {
	root, err := s.root(ctx, version)
	if err != nil {
		return nil, err
	}
	mac, err := s.Token.MAC(ctx, root, message)
	if fault.Is(err, fault.NotFound) {
		return nil, underivable(version, "Its record is there, and its object is not on the token.")
	}
	return mac, err
}

// root returns where a version of the derivation key is, once it is proven that it is
// there and the one that was recorded.
func (s *Service) root(ctx context.Context, version int) (keyring.Ref, error) {
	s.mu.Lock()
	ref, proven := s.roots[version]
	s.mu.Unlock()
	if proven {
		return ref, nil
	}
	defer s.lock(derivationKey.Name)()
	if err := s.Environment.Require(ctx, subject(derivationKey.Name)); err != nil {
		return keyring.Ref{}, err
	}
	rec, err := s.Catalog.Load(ctx, derivationKey.Name)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return keyring.Ref{}, err
	}
	if err != nil || rec.Body.Versions[version] == nil || rec.Body.Versions[version].Pending {
		return keyring.Ref{}, underivable(version, "There is no record of it.")
	}
	v := rec.Body.Versions[version]
	_, err = s.observe(ctx, rec.Body, v)
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Kind == fault.Inconsistent {
		return keyring.Ref{}, underivable(version, f.Problem) // its hint is for keys that have an owner
	}
	if err != nil {
		return keyring.Ref{}, err
	}
	s.mu.Lock()
	s.roots[version] = v.Ref
	s.mu.Unlock()
	return v.Ref, nil
}

func underivable(version int, problem string) error {
	return &fault.Error{
		Kind: fault.Inconsistent, Op: "derive secret", Subject: fmt.Sprintf("derivation key version %d", version), Problem: problem,
		Hint: "Restore the token from a backup that has the key: without it no shared secret of this environment can be derived again.",
	}
}
