package lifecycle

import (
	"context"
	"crypto"
	"errors"
	"fmt"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// Content is what is to be signed.
type Content struct {
	Message []byte
	Digest  []byte // instead of the message: its hash, which is the scheme's
}

// Signature is what was signed, and by whom.
type Signature struct {
	Version *keyring.Version
	Scheme  keyring.Scheme
	Bytes   []byte // of ECDSA r and s of equal length, see keyring.Scheme.Encoded
}

// Use is what a version of a key is about to do.
type Use struct {
	Key     string
	Version int
	Signing
}

// Signer returns the version of a key that signs now, and by which scheme: as wanted, or
// the usual one if that is empty. Everything but NotFound that is in the way is said as
// for Sign: a disabled or revoked key is fault.Protected, one that is not for signing, or
// not by that scheme, is fault.Invalid. Nothing is signed.
func (s *Service) Signer(ctx context.Context, name string, wanted keyring.Scheme, isDigest bool) (*keyring.Version, keyring.Scheme, error) {
	k, err := s.Recorded(ctx, name)
	if err != nil {
		return nil, "", err
	}
	return SignerOf(k, wanted, isDigest)
}

// Recorded returns a key as its record says, for SignerOf; it is not to be changed. The
// environment's own keys are nobody's to sign with.
func (s *Service) Recorded(ctx context.Context, name string) (*keyring.Key, error) {
	if err := keyring.ValidateName(name); err != nil {
		return nil, err
	}
	if stamped, err := s.Environment.Check(ctx); err != nil {
		return nil, err
	} else if !stamped {
		return nil, unstamped(name)
	}
	rec, err := s.Catalog.Load(ctx, name)
	return rec.Body, err
}

// NextSignerOf is SignerOf for a key that is going to be rotated: the version that signs
// then is as the key is asked to be, whatever has become of the one before.
func NextSignerOf(k *keyring.Key, wanted keyring.Scheme, isDigest bool) (*keyring.Version, keyring.Scheme, error) {
	if k.Committed() && k.Tombstone == nil {
		k = keyring.Prospective(k.Spec)
	}
	return SignerOf(k, wanted, isDigest)
}

// SignerOf is Signer for a key that is recorded, or going to be made.
func SignerOf(k *keyring.Key, wanted keyring.Scheme, isDigest bool) (*keyring.Version, keyring.Scheme, error) {
	name := k.Spec.Name
	refuse := func(kind fault.Kind, problem, hint string) (*keyring.Version, keyring.Scheme, error) {
		return nil, "", &fault.Error{Kind: kind, Op: "sign", Subject: subject(name), Problem: problem, Hint: hint}
	}
	if !k.Committed() || k.Tombstone != nil {
		return nil, "", removed(name, k)
	}
	v := k.Current()
	switch {
	case v == nil:
		return refuse(fault.Protected, "Its current version was revoked, and has no successor yet.", "Apply the rotation of the key, which makes one.")
	case k.State(v) != keyring.Active:
		return refuse(fault.Protected, "The key is disabled.", "Set enabled = true to use it again.")
	case !v.Operations.Has(keyring.Sign):
		return refuse(fault.Invalid, fmt.Sprintf("The key may %s, not sign.", v.Operations), `Put "sign" into its operations, or use another key.`)
	}
	scheme, err := v.Scheme(wanted, isDigest)
	if f, ok := errors.AsType[*fault.Error](err); ok {
		about := *f
		about.Subject = subject(name)
		err = &about
	}
	return v, scheme, err
}

// Sign has the version of a key that may sign do so, see Signer. What is signed may name
// that version, so that compose is asked for it when it is known which one signs. That
// the object is the recorded key is made sure of first, and Signing has been told.
func (s *Service) Sign(ctx context.Context, name string, wanted keyring.Scheme, isDigest bool, compose func(*keyring.Version, keyring.Scheme) (Content, error)) (*Signature, error) {
	defer s.lock(name)() // no rotation of this run comes between what is composed and what is signed
	k, err := s.Recorded(ctx, name)
	if err != nil {
		return nil, err
	}
	v, scheme, err := SignerOf(k, wanted, isDigest)
	if err != nil {
		return nil, err
	}
	if _, err := s.observe(ctx, k, v); err != nil {
		return nil, err
	}
	content, err := compose(v, scheme)
	if err != nil {
		return nil, err
	}
	order := Signing{Scheme: scheme, Input: content.Message, IsDigest: isDigest}
	if isDigest {
		order.Input = content.Digest
		if want := scheme.Hash().Size(); len(order.Input) != want {
			return nil, wrongDigest(name, scheme.Hash(), len(order.Input))
		}
	}
	if s.Signing != nil {
		if err := s.Signing(ctx, Use{Key: name, Version: v.Number, Signing: order}); err != nil {
			return nil, err
		}
	}
	made, err := s.Token.SignBy(ctx, v.Ref, order)
	if err != nil {
		return nil, err
	}
	return &Signature{Version: v, Scheme: scheme, Bytes: made}, nil
}

func wrongDigest(name string, hash crypto.Hash, length int) error {
	return &fault.Error{
		Kind: fault.Invalid, Op: "sign", Subject: subject(name), Problem: fmt.Sprintf("A digest of %d bytes is not one of %s, which has %d.", length, hash, hash.Size()),
		Hint: "Hash the message with " + hash.String() + ", or give the message itself.",
	}
}

// Random returns n bytes of the token's random number generator.
func (s *Service) Random(ctx context.Context, n int) ([]byte, error) {
	if err := s.Guard(ctx); err != nil {
		return nil, err
	}
	return s.Token.Random(ctx, n)
}
