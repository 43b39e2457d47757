package hsm

import (
	"context"
	"errors"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

// Unwrap makes the objects of one version of material that was made elsewhere, see
// lifecycle.Token. As with Generate, on a failure nothing of the key is left, or the
// error is fault.Unavailable and says so.
//
// Nobody else changes objects meanwhile: what it makes on the way are objects of the
// session, which are gone when a failure of somebody else's costs that.
func (t *Token) Unwrap(ctx context.Context, order lifecycle.Generation, what lifecycle.Wrapped) (made lifecycle.Generated, err error) {
	err = t.device.Alone(ctx, func(ctx context.Context) error {
		made, err = t.unwrapAlone(ctx, order, what)
		return err
	})
	return made, err
}

func (t *Token) unwrapAlone(ctx context.Context, order lifecycle.Generation, what lifecycle.Wrapped) (lifecycle.Generated, error) {
	// 1. The order itself, and whether this token's word can be taken.
	p, err := newPlan(order)
	if err != nil {
		return lifecycle.Generated{}, err
	}
	p.imported = true
	if err := t.checkVacant(ctx, p); err != nil {
		return lifecycle.Generated{}, err
	}
	attested, err := t.attested(ctx)
	if err != nil {
		return lifecycle.Generated{}, err
	}

	// 2. The way in, and what the material is, by session objects: a kill leaves none.
	e, err := t.open(ctx, what)
	if err != nil {
		return lifecycle.Generated{}, failed(err, "import key", subject(p.Ref), "The material could not be unwrapped; nothing of it is on the token.")
	}
	defer e.close(ctx)
	public, err := t.assay(ctx, p, e)
	if err != nil {
		return lifecycle.Generated{}, failed(err, "import key", subject(p.Ref), "The material was not taken in; nothing of it is on the token.")
	}

	// 3. The key. From here to the return a kill leaves one or both halves under the id,
	// which the caller has recorded.
	m, err := t.takeIn(ctx, p, e, public)
	if err == nil {
		// 4. The proofs.
		var made lifecycle.Generated
		if made, err = t.examine(ctx, p, m, attested); err == nil && p.Ref.Pair {
			err = t.belong(ctx, m)
		}
		if err == nil {
			t.proofs.Store(m.secret.Handle, made.Fingerprint)
			return made, nil
		}
	}
	// 5. What failed is taken away again.
	if left := t.clear(ctx, p); left != nil {
		return lifecycle.Generated{}, uncertain(errors.Join(err, left), "import key", subject(p.Ref),
			"The key failed, and what there is of it could not be removed.")
	}
	return lifecycle.Generated{}, failed(err, "import key", subject(p.Ref), "No key was made; nothing is left of it on the token.")
}

// takeIn unwraps the material for good, and puts its public half beside it.
func (t *Token) takeIn(ctx context.Context, p plan, e *envelope, public []cryptoki.Attribute) (material, error) {
	m := material{algorithm: p.Algorithm, allowed: p.allowed}
	secret, lean, err := t.leanly(p, func(p plan) (cryptoki.Object, error) { return e.unwrap(ctx, p.unwrappedTemplate()) })
	if err != nil {
		return m, err
	}
	m.secret = secret
	if p.Ref.Pair {
		half, publicLean, err := t.leanly(p, func(p plan) (cryptoki.Object, error) { return t.device.CreateObject(ctx, p.publicObject(public)) })
		if err != nil {
			return m, err
		}
		m.public, lean = half, max(lean, publicLean)
	}
	p.lean = lean
	return t.silence(ctx, p, m)
}

// leanly makes an object by templates that say less and less, until the token takes one.
func (t *Token) leanly(p plan, do func(plan) (cryptoki.Object, error)) (cryptoki.Object, int, error) {
	for {
		o, err := do(p)
		if err == nil || !templateRefused(err) || p.lean == silent {
			return o, p.lean, err
		}
		p.lean++
	}
}
