package hsm

import (
	"bytes"
	"context"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// settlement brings the objects of one half of a key to a single one with the
// wanted flags. Usually there is one object; a run that was killed between copy
// and destroy has left two.
type settlement struct {
	token    *Token
	material material // the key, for proving a copy by using it
	wanted   keyring.Operations
	objects  []cryptoki.Object
	// wrote says that something on the token was changed.
	wrote bool
}

// settle returns the object that is left.
//
// At every moment one object that is known to be good is on the token: a copy is
// proven before its original is destroyed. A kill leaves the original alone, or
// both, in whichever order; settle starts from any of these.
func (s *settlement) settle(ctx context.Context) (cryptoki.Object, error) {
	keep := s.objects[0]
	for _, o := range s.objects {
		if len(changes(o, s.wanted)) == 0 {
			keep = o
			break
		}
	}
	if len(changes(keep, s.wanted)) > 0 {
		changed, err := s.change(ctx, keep)
		if err != nil {
			return keep, err
		}
		keep = changed
	} else if len(s.objects) > 1 {
		// What a killed run left is not trusted for its attributes alone.
		if err := s.use(ctx, keep); err != nil {
			return keep, err
		}
	}
	for _, o := range s.objects {
		if o.Handle == keep.Handle {
			continue
		}
		if err := s.token.device.DestroyObject(ctx, o.Handle); err != nil && !gone(err) {
			return keep, err
		}
		s.wrote = true
	}
	return keep, nil
}

// checkDoubles refuses (fault.Inconsistent) objects that share an id and are not
// one key; it comes before anything is destroyed. Doubles must be alike in all but
// the flags. Private halves that still may sign or agree are also held against the
// public half, because nothing that can be read of them tells two on one curve
// apart. What is left is somebody who gives a second private key the same id and
// label, and switches it off.
func (t *Token) checkDoubles(ctx context.Context, ref keyring.Ref, h halves) error {
	for _, objects := range [][]cryptoki.Object{h.secrets, h.publics} {
		for _, o := range objects {
			if !same(objects[0], o) {
				return strangers(o, nil)
			}
		}
	}
	if len(h.secrets) < 2 || len(h.publics) == 0 {
		return nil
	}
	for _, o := range h.secrets {
		secret, public := h.pairUp(o)
		m, err := newMaterial(ref, secret, public)
		if err != nil {
			return err
		}
		if err := t.belong(ctx, m); err != nil && definite(err) {
			return strangers(o, err)
		} else if err != nil {
			return err
		}
	}
	return nil
}

func strangers(o cryptoki.Object, cause error) error {
	return &fault.Error{
		Kind: fault.Inconsistent, Op: "change key", Subject: describe(o), Problem: "There are two different keys with this id.", Cause: cause,
		Hint: "One of them was made outside Terraform. Find out which with `pkcs11-tool --list-objects`, and give it another id.",
	}
}

// change returns an object with the wanted flags, or the same one unchanged if the
// token does not change flags.
func (s *settlement) change(ctx context.Context, o cryptoki.Object) (cryptoki.Object, error) {
	profile, err := s.token.device.Profile(ctx)
	if err != nil {
		return o, err
	}
	if profile.CopyToChange {
		return s.copy(ctx, o)
	}
	err = s.token.device.SetAttributes(ctx, o.Handle, changes(o, s.wanted))
	if err != nil {
		if definite(err) && !gone(err) {
			return o, nil
		}
		return o, err
	}
	s.wrote = true
	return s.token.reread(ctx, o)
}

// copy makes the change on a copy and proves it. The original stays for the caller
// to destroy; a kill before that leaves both.
func (s *settlement) copy(ctx context.Context, o cryptoki.Object) (cryptoki.Object, error) {
	copied, err := s.token.device.CopyObject(ctx, o.Handle, changes(o, s.wanted))
	if err != nil {
		if definite(err) && !gone(err) {
			return o, nil // a key that may not be copied can't be changed safely
		}
		return o, err
	}
	if same(o, copied) && len(changes(copied, s.wanted)) == 0 {
		err = s.use(ctx, copied)
	} else {
		err = strange(copied, "The copy that was made to change its flags is not like the original.")
	}
	if err != nil {
		// A copy that stays is an untried second key: then the outcome is uncertain.
		if left := s.token.device.DestroyObject(context.WithoutCancel(ctx), copied.Handle); left != nil {
			s.wrote = true
		}
		return o, err
	}
	s.wrote = true
	return copied, nil
}

// use proves an object by doing with it what it is to be allowed. For a key that is
// to do nothing there is no such proof; its attributes have to do.
func (s *settlement) use(ctx context.Context, o cryptoki.Object) error {
	m := s.material
	if o.Class == cryptoki.CKO_PUBLIC_KEY {
		m.public = o
	} else {
		m.secret = o
	}
	return s.token.selfTest(ctx, m, s.wanted)
}

// identity lists what two objects of one key have in common: everything but the
// flags. CKA_CHECK_VALUE, where a token shows it, is as good as comparing the keys.
var identity = []uint{
	cryptoki.CKA_ID, cryptoki.CKA_LABEL, cryptoki.CKA_KEY_TYPE, cryptoki.CKA_TOKEN, cryptoki.CKA_PRIVATE,
	cryptoki.CKA_SENSITIVE, cryptoki.CKA_EXTRACTABLE, cryptoki.CKA_LOCAL, cryptoki.CKA_ALWAYS_SENSITIVE, cryptoki.CKA_NEVER_EXTRACTABLE,
	cryptoki.CKA_VALUE_LEN, cryptoki.CKA_CHECK_VALUE, cryptoki.CKA_MODULUS, cryptoki.CKA_PUBLIC_EXPONENT,
	cryptoki.CKA_EC_PARAMS, cryptoki.CKA_EC_POINT, cryptoki.CKA_ALLOWED_MECHANISMS,
}

// same reports whether two objects can be one key.
func same(a, b cryptoki.Object) bool {
	if a.Class != b.Class {
		return false
	}
	for _, typ := range identity {
		if a.Has(typ) != b.Has(typ) || !bytes.Equal(a.Bytes(typ), b.Bytes(typ)) {
			return false
		}
	}
	return true
}
