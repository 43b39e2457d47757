package credential

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/history"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// Create issues a credential with its first version. The name of a removed credential
// goes on with the next number; one that is in use is fault.Exists, with the import
// block to use instead.
func (s *Service) Create(ctx context.Context, spec Spec) (*Credential, error) {
	if err := s.Check(ctx, spec, nil); err != nil {
		return nil, err
	}
	if err := s.Environment.Stamp(ctx); err != nil {
		return nil, err
	}

	// Most names are new. Of one that is not, numbers and history go on.
	c := &Credential{Versions: map[int]*Version{}}
	former, err := s.Store.Load(ctx, spec.Name)
	switch {
	case err == nil && former.Body.Tombstone == nil:
		return nil, nameTaken(spec.Name)
	case err == nil:
		c = former.Body.Clone()
	case !fault.Is(err, fault.NotFound):
		return nil, err
	}
	c.Spec, c.CreatedAt, c.Tombstone = spec, s.now(), nil
	if err := s.issue(ctx, c, "issued"); err != nil {
		return nil, err
	}
	var rec Record
	if former.Body == nil {
		rec, err = s.Store.Create(ctx, c)
	} else {
		rec, err = s.Store.Replace(ctx, former, c)
	}
	if fault.Is(err, fault.Exists) {
		return nil, nameTaken(spec.Name)
	}
	if err != nil {
		return nil, err
	}
	return rec.Body, nil
}

// issue adds the next version to a credential that is about to be written. The version
// before is replaced, and accepted until the overlap is over; one that was revoked, or
// has expired, has none.
func (s *Service) issue(ctx context.Context, c *Credential, why string) error {
	before := c.Newest()
	c.Counter++
	v := &Version{Number: c.Counter, CreatedAt: s.now()}
	if err := s.make(ctx, c, v); err != nil {
		return err
	}
	if before != nil && before.ReplacedAt.IsZero() {
		was := c.State(before, v.CreatedAt)
		before.ReplacedAt, before.AcceptedUntil = v.CreatedAt, v.CreatedAt
		if was != Revoked && was != Expired {
			before.AcceptedUntil = v.CreatedAt.Add(c.Spec.Overlap)
		}
	}
	c.Versions[v.Number] = v
	s.note(c, v.Number, history.Issued, why)
	return s.seal(ctx, c)
}

// make gives a new version what it is made of. A derivation key that is made here, and
// not used because of a kill, is there for the next secret.
func (s *Service) make(ctx context.Context, c *Credential, v *Version) error {
	if c.Spec.Type == PublicKey {
		_, algorithm, err := ParsePublicKey(c.Spec.PublicKey.PEM())
		if err == nil {
			err = c.refuseCompromised()
		}
		if err != nil {
			return err
		}
		v.PublicKey, v.Algorithm, v.Fingerprint = slices.Clone(c.Spec.PublicKey), algorithm, c.Spec.PublicKey.Fingerprint()
		return nil
	}
	root, err := s.Deriver.DerivationKey(ctx, s.relied)
	if err != nil {
		return err
	}
	salt := newSalt()
	key, err := derivation{s.Environment.Name(), c.Spec.Name, v.Number, c.Spec.Algorithm, salt}.secret(ctx, s.Deriver, root)
	if err != nil {
		return err
	}
	defer clear(key)
	v.Algorithm, v.Root, v.Salt, v.Fingerprint = c.Spec.Algorithm, root, hex.EncodeToString(salt), fingerprint(key)
	return nil
}

// refuseCompromised refuses a public key that was revoked because somebody else may have
// its private half: it must not come back under another number.
func (c *Credential) refuseCompromised() error {
	for _, n := range c.Numbers() {
		if v := c.Versions[n]; v.RevokedFor == keyring.KeyCompromise && bytes.Equal(v.PublicKey, c.Spec.PublicKey) {
			return refuse("public_key", fmt.Sprintf("This is the key of version %d, which was revoked as compromised.", n), "Make a new key.")
		}
	}
	return nil
}

// seal brings the sealed secret of a credential that is about to be written in line with
// its newest version and its recipients. What is in line already stays byte for byte.
func (s *Service) seal(ctx context.Context, c *Credential) error {
	v := c.Newest()
	if len(c.Spec.Recipients) == 0 || v.Algorithm.size() == 0 {
		c.Sealed = nil
		return nil
	}
	if c.Sealed != nil && c.Sealed.Version == v.Number && slices.Equal(c.Sealed.Recipients, c.Spec.Recipients) {
		return nil
	}
	key, err := derive(ctx, s.Deriver, s.Environment.Name(), c.Spec.Name, v)
	if err != nil {
		return err
	}
	defer clear(key)
	armored, err := seal(key, c.Spec.Recipients)
	if err != nil {
		return err
	}
	c.Sealed = &Sealed{Version: v.Number, Recipients: slices.Clone(c.Spec.Recipients), Armored: armored}
	return nil
}

func nameTaken(name string) error {
	return &fault.Error{
		Kind: fault.Exists, Op: "issue API credential", Subject: subject(name),
		Problem: "An API credential of this name exists already.",
		Hint: fmt.Sprintf("Choose another name, or manage the existing credential by importing it:\n\n"+
			"  import {\n    to = hsm_api_credential.NAME_OF_THE_RESOURCE\n    id = %q\n  }\n", name),
	}
}

func unknownVersion(n int) error {
	return refuse("revoke", fmt.Sprintf("There is no version %d.", n), "Name versions that there are; `versions` lists them.")
}
