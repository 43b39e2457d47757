package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/rotation"
)

// derivationKey is the environment's key from which secrets are derived. It is a key
// like any other, under a name that no owner can give one: made by the same code, and
// recovered by it. It is never listed, imported or removed.
var derivationKey = keyring.Spec{
	Name: keyring.DerivationKeyName, Algorithm: keyring.HMACSHA256, Operations: keyring.Sign,
	Enabled: true, DeletionProtection: true, OnDestroy: keyring.DestroyDisables,
}

// Relied tells whether something living depends on what was derived earlier. A key that is
// not there is then a key that was lost, and another one in its place would hide that.
type Relied = func(ctx context.Context) (bool, error)

// CheckDerivation refuses a token on which no derivation key could be made
// (fault.Unsupported), or on which the one that is relied on was lost
// (fault.Inconsistent). It changes nothing.
func (s *Service) CheckDerivation(ctx context.Context, relied Relied) error {
	if err := s.Check(ctx, derivationKey); err != nil {
		return err
	}
	_, err := s.root(ctx, current)
	if !fault.Is(err, fault.Inconsistent) {
		return err
	}
	if on, asked := relied(ctx); asked != nil {
		return asked
	} else if on {
		return err
	}
	return nil
}

// Derivable refuses (fault.Inconsistent) a version of the derivation key that nothing can
// be derived with any more: it is not there, or is not the one that was recorded.
func (s *Service) Derivable(ctx context.Context, version int) error {
	_, err := s.root(ctx, version)
	return err
}

// DerivationKey returns the number of the version to derive new secrets with, and makes
// the key if the environment has none, or puts its flags right if somebody changed
// them. Two runs that make it at once get one key. A key that was lost is replaced by its
// next version, unless it is relied on (fault.Inconsistent).
//
// Whoever comes second waits for the run that makes it: nobody has asked for that key
// and could ask again.
func (s *Service) DerivationKey(ctx context.Context, relied Relied) (int, error) {
	for n := 1; ; n++ {
		number, err := s.derivationKey(ctx, relied)
		if !fault.Is(err, fault.Conflict) || n == derivationTries {
			return number, err
		}
		if pause(ctx, derivationPause) != nil {
			return 0, err
		}
	}
}

// pause waits, unless the caller stops waiting.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A rival takes a moment to make a derivation key; it is waited for ten seconds.
const (
	derivationTries = 100
	derivationPause = 100 * time.Millisecond
)

func (s *Service) derivationKey(ctx context.Context, relied Relied) (int, error) {
	k, err := s.Read(ctx, derivationKey.Name, Known{})
	if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Inconsistent) {
		on, asked := relied(ctx)
		switch {
		case asked != nil:
			return 0, asked
		case on: // or made since it was looked for
			if _, err := s.root(ctx, current); err != nil {
				return 0, err
			}
			k, err = s.Read(ctx, derivationKey.Name, Known{})
		case fault.Is(err, fault.NotFound):
			k, err = s.Create(ctx, derivationKey)
			if fault.Is(err, fault.Exists) { // another call, or run, was faster
				k, err = s.Read(ctx, derivationKey.Name, Known{})
			}
		default:
			k, err = s.replaceDerivationKey(ctx)
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
		return 0, underivable(current, "It has no version that may be used.")
	}
	return v.Number, nil
}

// replaceDerivationKey writes off the versions of a key that was lost, and makes the next.
func (s *Service) replaceDerivationKey(ctx context.Context) (*keyring.Key, error) {
	rec, err := s.Catalog.Load(ctx, derivationKey.Name)
	if err != nil {
		return nil, err
	}
	schedule := rotation.Schedule{Revoke: map[int]keyring.Reason{}, RetireAction: keyring.RetireDisables}
	for n, v := range rec.Body.Versions {
		if !v.Pending && v.RevokedAt.IsZero() {
			schedule.Revoke[n] = keyring.CessationOfOperation
		}
	}
	k, _, err := s.Rotate(ctx, derivationKey.Name, schedule)
	s.mu.Lock()
	clear(s.roots)
	s.mu.Unlock()
	return k, err
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

// current stands for the version to derive new secrets with.
const current = 0

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
	var v *keyring.Version
	switch {
	case err != nil:
	case version == current:
		v = rec.Body.Current()
	default:
		v = rec.Body.Versions[version]
	}
	if v == nil || v.Pending {
		return keyring.Ref{}, underivable(version, "There is no record of it.")
	}
	_, err = s.observe(ctx, rec.Body, v)
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Kind == fault.Inconsistent {
		return keyring.Ref{}, underivable(v.Number, f.Problem) // its hint is for keys that have an owner
	}
	if err != nil {
		return keyring.Ref{}, err
	}
	s.mu.Lock()
	s.roots[v.Number], s.roots[version] = v.Ref, v.Ref
	s.mu.Unlock()
	return v.Ref, nil
}

func underivable(version int, problem string) error {
	what := "derivation key"
	if version != current {
		what = fmt.Sprintf("derivation key version %d", version)
	}
	return &fault.Error{
		Kind: fault.Inconsistent, Op: "derive secret", Subject: what, Problem: problem,
		Hint: "Restore the token from a backup that has the key: without it no shared secret of this environment can be derived again. If it is lost for good, " +
			"agree to that: take every API credential of the type shared_secret out of the configuration, run `terraform apply -refresh=false`, and declare them anew. " +
			"They go on with the next numbers, and with secrets from a new key.",
	}
}
