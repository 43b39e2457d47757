package lifecycle

import (
	"context"
	"fmt"
	"slices"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/history"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/rotation"
)

// Bring is Create for a key whose first version is made of material from elsewhere,
// which comes in wrapped, as spec.Import says.
func (s *Service) Bring(ctx context.Context, spec keyring.Spec, material []byte) (*keyring.Key, error) {
	return s.create(ctx, spec, s.unwrapping(spec, material))
}

// Renew is Update, and gives the key a next version of new material from elsewhere, as
// spec.Import says. The new version takes over as by a rotation: what it replaces still
// processes for as long as the overlap of the rotation that manages the key, or, if there
// is none, until somebody retires it.
//
// Material that has the version which the key has already is not taken in again: so a run
// that follows a killed one does not take it in twice.
func (s *Service) Renew(ctx context.Context, spec keyring.Spec, material []byte) (*keyring.Key, error) {
	ctx, done, err := s.begun(ctx, spec.Name)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := s.Check(ctx, spec); err != nil {
		return nil, err
	}
	rec, err := s.living(ctx, spec.Name)
	if err != nil {
		return nil, err
	}
	k := rec.Body.Clone()
	if k.Spec.Import.IsSame(spec.Import) {
		k.Ask(spec)
		return s.carryOut(ctx, rec, k, "renew")
	}
	schedule, err := managed(k)
	if err != nil {
		return nil, err
	}
	if schedule.Pinned != 0 {
		return nil, pinned("import key", k, schedule)
	}

	// 1. Record the intent. What is asked of the key changes when it has the version.
	from, err := s.unwrapping(spec, material)(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.accountFor(ctx, k, nil); err != nil {
		return nil, err
	}
	former := k.Spec
	k.Spec = spec
	v := s.intend(k, "renew", from)
	k.Spec = former
	if rec, err = s.Catalog.Replace(ctx, rec, k); err != nil {
		return nil, err
	}

	// 2. Unwrap. Killed in here, nothing has changed.
	if k, err = s.generate(ctx, rec, v.Number, from); err != nil {
		return nil, err
	}

	// 3. Hand over, in one write, and 4. have the HSM follow.
	k.Ask(spec)
	v = k.Versions[v.Number]
	v.Pending, v.Claimed = false, k.Rotation != nil
	s.succeed(k, v, schedule)
	return s.carryOut(ctx, rec, k, "renew")
}

// managed is the schedule of the rotation that manages a key, or one that says nothing.
func managed(k *keyring.Key) (rotation.Schedule, error) {
	if k.Rotation == nil {
		return rotation.Schedule{RetireAction: keyring.RetireDisables}, nil
	}
	return rotation.Declared(k.Rotation.Declared)
}

func pinned(op string, k *keyring.Key, schedule rotation.Schedule) error {
	return &fault.Error{
		Kind: fault.Protected, Op: op, Subject: subject(k.Spec.Name),
		Problem: fmt.Sprintf("The key's rotation pins version %d, and a new version would take its place.", schedule.Pinned),
		Hint:    "Take pinned_version out of the hsm_key_rotation first.",
	}
}

// unwrapping is the origin of a version whose material is unwrapped.
func (s *Service) unwrapping(spec keyring.Spec, material []byte) origin {
	return func(ctx context.Context) (source, error) {
		if spec.Import == nil || len(material) == 0 {
			return source{}, NoMaterial(spec.Name)
		}
		openers, err := s.openers(ctx, spec)
		if err != nil {
			return source{}, err
		}
		return source{
			what: history.Imported, how: fmt.Sprintf("material version %d, by %s with key %s", spec.Import.Version, spec.Import.Mechanism, spec.Import.WrappingKey), imported: true,
			make: func(ctx context.Context, order Generation) (made Generated, err error) {
				for _, opener := range openers { // each leaves nothing behind that does not open it
					made, err = s.Token.Unwrap(ctx, order, Wrapped{Material: material, Mechanism: spec.Import.Mechanism, By: opener.Ref})
					if !fault.Is(err, fault.Invalid) {
						break
					}
				}
				return made, err
			},
		}, nil
	}
}

// NoMaterial is the refusal of an import that has nothing to take in.
func NoMaterial(name string) error {
	return &fault.Error{
		Kind: fault.Invalid, Op: "import key", Subject: subject(name), Problem: "There is no material to import.",
		Hint: "Give import.wrapped_material_wo in the run that imports. It is in no state, so it has to be given again for another import, as for a key that replaces this one.",
	}
}

// openers lists the versions of the wrapping key that may unwrap, the newest first:
// what was wrapped before a rotation comes in during its overlap.
func (s *Service) openers(ctx context.Context, spec keyring.Spec) ([]*keyring.Version, error) {
	name := spec.Import.WrappingKey
	if err := keyring.ValidateName(name); err != nil {
		return nil, err
	}
	rec, err := s.Catalog.Load(ctx, name)
	if fault.Is(err, fault.NotFound) || err == nil && (!rec.Body.Committed() || rec.Body.Tombstone != nil) {
		return nil, &fault.Error{
			Kind: fault.NotFound, Op: "import key", Subject: subject(spec.Name), Problem: fmt.Sprintf("There is no key %q to unwrap its material.", name),
			Hint: "Give the id of an hsm_key of this environment, whose operations have \"unwrap\".",
		}
	}
	if err != nil {
		return nil, err
	}
	return s.openersOf(rec.Body, spec)
}

func (s *Service) openersOf(k *keyring.Key, spec keyring.Spec) ([]*keyring.Version, error) {
	var able []*keyring.Version
	for _, n := range slices.Backward(k.Numbers()) {
		v := k.Versions[n]
		if !v.Pending && v.Algorithm.Family() == spec.Import.Mechanism.Family() && v.Operations.Has(keyring.Unwrap) && k.MayProcess(v, s.now()) {
			able = append(able, v)
		}
	}
	if len(able) == 0 {
		return nil, &fault.Error{
			Kind: fault.Unsupported, Op: "import key", Subject: subject(spec.Name),
			Problem: fmt.Sprintf("The key %q has no version that may unwrap %s.", k.Spec.Name, spec.Import.Mechanism),
			Hint:    "Its operations have to have \"unwrap\", its algorithm has to go with the mechanism (AES_KEY_WRAP_PAD is for AES, the others are for RSA), and it has to be enabled.",
		}
	}
	return able, nil
}

// CheckImport refuses an import for which there is no wrapping key that will do. planned is
// the wrapping key as it is going to be, if that is known to change, and may be nil.
func (s *Service) CheckImport(ctx context.Context, spec keyring.Spec, planned *keyring.Key) error {
	_, err := s.openers(ctx, spec)
	switch {
	case planned == nil:
	case fault.Is(err, fault.NotFound):
		_, err = s.openersOf(planned, spec)
	case err == nil && !(planned.Spec.Enabled && planned.Spec.Operations.Has(keyring.Unwrap)): // not for much longer
		_, err = s.openersOf(keyring.Prospective(planned.Spec), spec)
	}
	return err
}

// checkImport refuses a wrapping key that is there and will not do. One that is not there
// may be made before it is needed.
func (s *Service) checkImport(ctx context.Context, spec keyring.Spec) error {
	if spec.Import == nil {
		return nil
	}
	if stamped, err := s.Environment.Check(ctx); err != nil || !stamped {
		return err
	}
	if recorded, err := s.Catalog.Load(ctx, spec.Name); err == nil && recorded.Body.Spec.Import.IsSame(spec.Import) {
		return nil // it is in already, and does not need the key again
	}
	if _, err := s.openers(ctx, spec); !fault.Is(err, fault.NotFound) {
		return err
	}
	return nil
}
