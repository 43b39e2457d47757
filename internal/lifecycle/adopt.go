package lifecycle

import (
	"context"
	"fmt"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/history"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// Import shows a recorded key to whoever wants to take it under management. It
// changes nothing: an import block is carried out by every plan. A key that a
// removal disabled is shown as disabled; Restore switches it on. A key that was
// destroyed is fault.NotFound.
func (s *Service) Import(ctx context.Context, name string) (*keyring.Key, error) {
	if err := keyring.ValidateName(name); err != nil {
		return nil, err
	}
	return s.Read(ctx, name, Known{Imported: true})
}

// Adopt takes over a key that was made elsewhere. Its objects stay as they are;
// its birth certificate is recorded as found, and the token stamped if it bears no
// stamp yet. Without a name the object's label serves. A key that is recorded
// already is returned as by Import.
func (s *Service) Adopt(ctx context.Context, where Locator, name string) (*keyring.Key, error) {
	if err := s.Environment.Stamp(ctx); err != nil {
		return nil, err
	}
	found, err := s.Token.Find(ctx, where)
	if err != nil {
		return nil, err
	}
	records, err := s.Catalog.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, rec := range records {
		for _, v := range rec.Body.Versions {
			if v.Ref.ID == found.Ref.ID {
				return s.Import(ctx, rec.Body.Spec.Name)
			}
		}
	}
	if name == "" {
		name = found.Ref.Label
	}
	if err := keyring.ValidateName(name); err != nil {
		return nil, &fault.Error{
			Kind: fault.Invalid, Op: "adopt key", Subject: fmt.Sprintf("object %q", found.Ref.Label),
			Problem: "The object's label cannot serve as the key's name.", Cause: err,
			Hint: "Give the name in the import id: append ?x-name=NAME to the PKCS#11 URI.",
		}
	}
	ctx, done, err := s.begun(ctx, name)
	if err != nil {
		return nil, err
	}
	defer done()

	now := s.now()
	k := &keyring.Key{
		Spec: keyring.Spec{
			Name: name, Algorithm: found.Algorithm, Operations: found.Operations, AllowedMechanisms: found.Mechanisms,
			Extractable: found.Extractable, Enabled: true, DeletionProtection: true, OnDestroy: keyring.DestroyDisables,
		},
		CreatedAt: now, Counter: 1, Versions: map[int]*keyring.Version{},
	}
	if err := k.Spec.Validate(); err != nil {
		return nil, err
	}
	can, err := s.Token.Capabilities(ctx)
	if err != nil {
		return nil, err
	}
	v := &keyring.Version{
		Number: 1, Algorithm: found.Algorithm, Operations: found.Operations, Mechanisms: found.Mechanisms,
		Extractable: found.Extractable, Ref: found.Ref,
		PublicKey: found.PublicKey, Fingerprint: found.Fingerprint, Birth: found.Birth, Enforcement: can.Enforcement, CreatedAt: now,
	}
	k.Versions[1] = v
	s.note(k, v, history.Adopted, "")
	s.activate(k, v, "adopted")
	rec, err := s.Catalog.Create(ctx, k)
	if fault.Is(err, fault.Exists) {
		return nil, nameTaken(name)
	}
	if err != nil {
		return nil, err
	}
	return s.observed(ctx, rec)
}
