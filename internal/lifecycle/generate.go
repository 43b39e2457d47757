package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/history"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// intend adds a pending version with the next number to a key and opens the
// intent to generate it. Nothing is written yet.
func (s *Service) intend(k *keyring.Key, what string, from source) *keyring.Version {
	k.Counter++
	v := &keyring.Version{
		Number: k.Counter, Algorithm: k.Spec.Algorithm, Extractable: k.Spec.Extractable,
		Operations: k.Spec.Operations, Mechanisms: slices.Clone(k.Spec.AllowedMechanisms),
		Ref:       keyring.NewRef(k.Spec.Name, k.Counter, k.Spec.Algorithm),
		CreatedAt: s.now(), Pending: true,
	}
	if from.imported {
		v.Ref.Imported = v.Algorithm
	}
	k.Versions[v.Number] = v
	s.begin(k, what, v.Number)
	return v
}

// source is where the material of a new version comes from.
type source struct {
	make func(context.Context, Generation) (Generated, error) // as Token.Generate
	what string                                               // of history
	how  string
	// imported says that the material was made elsewhere.
	imported bool
}

// within has the HSM generate the material.
func (s *Service) within() source { return source{make: s.Token.Generate, what: history.Generated} }

// generate makes the objects of the pending version n of rec, whose intent is
// already durable, and returns the key with the version filled in, still pending
// and unwritten. Killed in here, the record says which CKA_ID to destroy.
//
// On a failure that left nothing behind the intent is withdrawn. On an uncertain
// one it stays, and settle cleans up at the next opportunity.
func (s *Service) generate(ctx context.Context, rec Record, n int, from source) (*keyring.Key, error) {
	k := rec.Body.Clone()
	v := k.Versions[n]
	made, err := from.make(ctx, Generation{
		Ref: v.Ref, Algorithm: v.Algorithm, Operations: v.Operations, Mechanisms: v.Mechanisms, Extractable: v.Extractable,
	})
	if err == nil && from.imported {
		err = s.taken(ctx, k, made.Fingerprint)
	}
	if err != nil {
		if !fault.Is(err, fault.Unavailable) {
			if _, undo := s.settle(ctx, rec); undo != nil {
				err = errors.Join(err, undo)
			}
		}
		return nil, err
	}
	can, err := s.Token.Capabilities(ctx)
	if err != nil {
		return nil, err
	}
	v.PublicKey, v.Fingerprint, v.Birth, v.Enforcement = made.PublicKey, made.Fingerprint, made.Birth, can.Enforcement
	s.note(k, v, from.what, from.how)
	return k, nil
}

// taken refuses material that is a version of the key already: a version that was revoked
// must not come back under another number, nor two versions be one key, of which revoking
// one would leave the other. For the same reason it may be no version of another key, unless
// that one is destroyed and nobody has revoked it.
func (s *Service) taken(ctx context.Context, k *keyring.Key, fingerprint string) error {
	records, err := s.Catalog.List(ctx)
	if err != nil {
		return err
	}
	keys := []*keyring.Key{k}
	for _, rec := range records {
		if rec.Body.Spec.Name != k.Spec.Name {
			keys = append(keys, rec.Body)
		}
	}
	for _, other := range keys {
		for _, n := range other.Numbers() {
			v := other.Versions[n]
			if v.Fingerprint != fingerprint || other != k && !v.DestroyedAt.IsZero() && v.RevokedAt.IsZero() {
				continue
			}
			of := ""
			if other != k {
				of = fmt.Sprintf(" of the key %q", other.Spec.Name)
			}
			return &fault.Error{
				Kind: fault.Protected, Op: "import key", Subject: subject(k.Spec.Name),
				Problem: fmt.Sprintf("The material is that of version %d%s, which is %s.", n, of, other.State(v)),
				Hint:    "Wrap another key. If this one was sent by mistake, put wrapped_material_wo_version back to what it was.",
			}
		}
	}
	return nil
}
