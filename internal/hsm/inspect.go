package hsm

import (
	"bytes"
	"context"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

// halves are the objects of a ref by what they are for. Objects of other classes
// under the same id (a certificate, a data object) are none of our business.
type halves struct {
	secrets []cryptoki.Object // secret keys, or private halves
	publics []cryptoki.Object // none for a secret key
}

func split(ref keyring.Ref, objects []cryptoki.Object) halves {
	var h halves
	for _, o := range objects {
		switch {
		case o.Class == secretClass(ref.Pair):
			h.secrets = append(h.secrets, o)
		case o.Class == cryptoki.CKO_PUBLIC_KEY && ref.Pair:
			h.publics = append(h.publics, o)
		}
	}
	return h
}

// whole reports whether there is one of each, as it should be.
func (h halves) whole(ref keyring.Ref) bool {
	return len(h.secrets) == 1 && (!ref.Pair || len(h.publics) == 1)
}

// attempts is how often an answer is sought while another process changes the
// objects under our hands.
const attempts = 3

// Inspect looks at the objects of a ref, see lifecycle.Token. The scan in memory
// answers for a key that is whole; anything else is looked for on the token again,
// and what is missing counts as missing only on positive evidence.
func (t *Token) Inspect(ctx context.Context, ref keyring.Ref, try keyring.Operations) (lifecycle.Sighting, error) {
	var seen lifecycle.Sighting
	err := t.onObjects(ctx, ref, func(h halves) (err error) {
		seen, err = t.sight(ctx, ref, h, try)
		return err
	})
	return seen, err
}

// onObjects does something with the objects of a ref, and again if another process
// replaced one of them since they were read.
func (t *Token) onObjects(ctx context.Context, ref keyring.Ref, do func(halves) error) error {
	raw, err := id(ref)
	if err != nil {
		return err
	}
	objects, err := t.device.Lookup(ctx, cryptoki.CKA_ID, raw)
	if err != nil {
		return err
	}
	h := split(ref, objects)
	if !h.whole(ref) {
		if h, err = t.search(ctx, ref, raw); err != nil {
			return err
		}
	}
	for n := 1; ; n++ {
		err := do(h)
		if err == nil || !gone(err) || n == attempts {
			return err
		}
		if h, err = t.search(ctx, ref, raw); err != nil {
			return err
		}
	}
}

// search looks for the objects of a ref on the token itself. A half that is not
// in the result is not on the token, by positive evidence: some tokens hide an
// object for a moment while another process changes it.
func (t *Token) search(ctx context.Context, ref keyring.Ref, raw []byte) (halves, error) {
	for n := 1; ; n++ {
		objects, err := t.device.Search(ctx, []cryptoki.Attribute{cryptoki.Bytes(cryptoki.CKA_ID, raw)})
		if err != nil {
			return halves{}, err
		}
		h := split(ref, objects)
		if len(h.secrets) == 0 {
			err = t.device.ConfirmAbsent(ctx, half(secretClass(ref.Pair), raw))
		}
		if err == nil && ref.Pair && len(h.publics) == 0 {
			err = t.device.ConfirmAbsent(ctx, half(cryptoki.CKO_PUBLIC_KEY, raw))
		}
		if err == nil {
			return h, nil
		}
		if !fault.Is(err, fault.Conflict) || n == attempts { // Conflict: it appeared after all
			return halves{}, err
		}
	}
}

// sight reads the objects and tries operations on them.
func (t *Token) sight(ctx context.Context, ref keyring.Ref, h halves, try keyring.Operations) (lifecycle.Sighting, error) {
	seen := lifecycle.Sighting{Secrets: len(h.secrets), Publics: len(h.publics)}
	for i, o := range h.publics {
		key, err := publicKey(o)
		if err != nil {
			return seen, err
		}
		// Two public halves that differ leave it open which one is meant.
		if i == 0 {
			seen.PublicKey, seen.PublicLabel = key, string(o.Bytes(cryptoki.CKA_LABEL))
		} else if !bytes.Equal(seen.PublicKey, key) {
			seen.PublicKey = nil
		}
	}
	seen.Fingerprint = seen.PublicKey.Fingerprint()
	for _, o := range append(h.secrets, h.publics...) {
		seen.Permitted |= permitted(o)
		secret, public := h.pairUp(o)
		m, err := newMaterial(ref, secret, public)
		if err != nil {
			return seen, err
		}
		if o.Handle == m.secret.Handle && seen.Algorithm == "" {
			seen.Algorithm, seen.Birth = m.algorithm, certificate(o, false)
			seen.Extractable, seen.SecretLabel = o.Bool(cryptoki.CKA_EXTRACTABLE), string(o.Bytes(cryptoki.CKA_LABEL))
		}
		err = each(try&covers(o.Class)&m.algorithm.Operations()&^permitted(o), func(op keyring.Operations) error {
			v, err := t.attempt(ctx, m, op)
			switch v {
			case performed:
				seen.Performed |= op
			case refused:
				seen.Refused |= op
			}
			return err
		})
		if err != nil {
			return seen, err
		}
	}
	seen.Refused &^= seen.Performed // of two objects, one that does it is enough
	return seen, nil
}

// pairUp joins an object with the other half, if there is one.
func (h halves) pairUp(o cryptoki.Object) (secret, public cryptoki.Object) {
	if o.Class == cryptoki.CKO_PUBLIC_KEY {
		public = o
		if len(h.secrets) > 0 {
			secret = h.secrets[0]
		}
		return secret, public
	}
	if len(h.publics) > 0 {
		public = h.publics[0]
	}
	return o, public
}
