package hsm

import (
	"context"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// Permit makes the objects of a ref allow exactly the given operations and tries
// the others, see lifecycle.Token. A ref whose secret or private key is not on the
// token is fault.NotFound, by positive evidence; a public half that is missing is
// passed over, because what has to be taken away is not in it.
//
// A token that does not let flags be switched off is no error: the operations are
// tried, and the answer says who enforces. One that does not let them be switched
// on is fault.Unsupported.
func (t *Token) Permit(ctx context.Context, ref keyring.Ref, allowed keyring.Operations) (keyring.Enforcement, error) {
	raw, err := id(ref)
	if err != nil {
		return "", err
	}
	t.changes.Lock()
	defer t.changes.Unlock()

	// 1. What is there now, on the token and not in memory.
	h, err := t.search(ctx, ref, raw)
	if err != nil {
		return "", failed(err, "change key", subject(ref), "The key could not be looked up.")
	}
	if len(h.secrets) == 0 {
		return "", &fault.Error{
			Kind: fault.NotFound, Op: "change key", Subject: subject(ref), Problem: "The " + classNames[secretClass(ref.Pair)] + " is not on the token.",
			Hint: "Somebody destroyed it outside Terraform. Rotate the key, or revoke this version.",
		}
	}
	secret, public := h.pairUp(h.secrets[0])
	m, err := newMaterial(ref, secret, public)
	if err != nil {
		return "", err
	}
	wanted := allowed & m.algorithm.Operations()
	if err := t.checkDoubles(ctx, ref, h); err != nil {
		return "", err
	}

	// 2. The private half first: it holds what must not be done any longer.
	wrote := false
	for _, objects := range [][]cryptoki.Object{h.secrets, h.publics} {
		if len(objects) == 0 {
			continue
		}
		s := settlement{token: t, material: m, wanted: wanted & covers(objects[0].Class), objects: objects}
		kept, err := s.settle(ctx)
		if err != nil && (wrote || s.wrote) {
			return "", uncertain(err, "change key", subject(ref), "Only a part of the change was made.")
		}
		if err != nil {
			return "", failed(err, "change key", subject(ref), "Nothing was changed.")
		}
		wrote = wrote || s.wrote
		if kept.Class == cryptoki.CKO_PUBLIC_KEY {
			m.public = kept
		} else {
			m.secret = kept
		}
		if missing := s.wanted &^ permitted(kept); missing != keyring.None {
			return "", &fault.Error{
				Kind: fault.Unsupported, Op: "change key", Subject: subject(ref),
				Problem: "The token does not let the key " + missing.String() + " again.",
				Hint:    "Rotate the key: a new version is made with what it may do.",
			}
		}
	}

	// 3. Whether it is so.
	return t.enforcement(ctx, m, m.algorithm.Operations()&^wanted)
}

// enforcement tries what was taken away. If nothing could be tried, the probe's
// word on the token stands for the key.
func (t *Token) enforcement(ctx context.Context, m material, taken keyring.Operations) (keyring.Enforcement, error) {
	tried := false
	result := keyring.EnforcedByHSM
	err := each(taken, func(op keyring.Operations) error {
		v, err := t.attempt(ctx, m, op)
		tried = tried || v != untried
		if v == performed {
			result = keyring.EnforcedAdvisory
		}
		return err
	})
	if err != nil {
		return "", uncertain(err, "try key", describe(m.secret), "The key was changed, but it could not be found out whether the token enforces it.")
	}
	if tried {
		return result, nil
	}
	c, err := t.Capabilities(ctx)
	if err != nil {
		return "", err
	}
	return c.Enforcement, nil
}
