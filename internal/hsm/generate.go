package hsm

import (
	"context"
	"errors"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

// Generate makes the objects of one version and proves them, see lifecycle.Token.
// On a failure nothing of the key is left, or the error is fault.Unavailable and
// says so.
func (t *Token) Generate(ctx context.Context, order lifecycle.Generation) (lifecycle.Generated, error) {
	// 1. The order itself.
	p, err := newPlan(order)
	if err != nil {
		return lifecycle.Generated{}, err
	}
	if err := t.checkVacant(ctx, p); err != nil {
		return lifecycle.Generated{}, err
	}
	// 2. Whether this token's word can be taken. Before anything is made.
	attested, err := t.attested(ctx)
	if err != nil {
		return lifecycle.Generated{}, err
	}
	// 3. The key. From here to the return a kill leaves one or both halves under
	// the id, which the caller has recorded.
	m, err := t.make(ctx, p)
	if err == nil {
		// 4. The proofs.
		var made lifecycle.Generated
		if made, err = t.examine(ctx, p, m, attested); err == nil {
			t.proofs.Store(m.secret.Handle, made.Fingerprint)
			return made, nil
		}
	}
	// 5. What failed is taken away again.
	if left := t.clear(ctx, p); left != nil {
		return lifecycle.Generated{}, uncertain(errors.Join(err, left), "generate key", subject(p.Ref),
			"The key failed, and what there is of it could not be removed.")
	}
	return lifecycle.Generated{}, failed(err, "generate key", subject(p.Ref), "No key was made; nothing is left of it on the token.")
}

// checkVacant refuses an id that is in use: a key under it would be the second.
// The scan in memory is enough; ids are random, so only a repeated call meets one.
func (t *Token) checkVacant(ctx context.Context, p plan) error {
	there, err := t.device.Lookup(ctx, cryptoki.CKA_ID, p.id)
	if err != nil {
		return err
	}
	for _, o := range there {
		if covers(o.Class) != keyring.None {
			return &fault.Error{
				Kind: fault.Conflict, Op: "generate key", Subject: subject(p.Ref), Problem: "There is already a " + classNames[o.Class] + " with this id.",
				Hint: "Apply again: the remains of the earlier run are removed first.",
			}
		}
	}
	return nil
}

// make has the token generate. A token that does not take the full template is
// asked again with leaner ones, and from then on with the one that it took at
// once: a refused template has made nothing.
func (t *Token) make(ctx context.Context, p plan) (material, error) {
	profile, err := t.device.Profile(ctx)
	if err != nil {
		return material{}, err
	}
	if profile.Reticent {
		p.lean = silent
	}
	if known, ok := t.lean.Load(p.Algorithm); ok {
		p.lean, _ = known.(int)
	}
	for learnt := false; ; learnt = true {
		m, err := t.generate(ctx, p)
		if err == nil && learnt {
			t.lean.Store(p.Algorithm, p.lean)
		}
		if err == nil {
			return t.silence(ctx, p, m)
		}
		if !templateRefused(err) || p.lean == silent {
			return m, err
		}
		p.lean++
	}
}

func templateRefused(err error) bool {
	code, ok := cryptoki.Code(err)
	return ok && (code == cryptoki.CKR_ATTRIBUTE_TYPE_INVALID || code == cryptoki.CKR_TEMPLATE_INCONSISTENT || code == cryptoki.CKR_ATTRIBUTE_VALUE_INVALID)
}

// silence switches off the flags of a new key that came on unasked. In place is safe
// here: a key that a kill damages is not in use yet, and the next run makes another.
func (t *Token) silence(ctx context.Context, p plan, m material) (material, error) {
	for _, o := range []*cryptoki.Object{&m.secret, &m.public} {
		if o.Handle == 0 || p.lean < bare {
			continue
		}
		list := changes(*o, p.Operations)
		if len(list) == 0 {
			continue
		}
		if err := t.device.SetAttributes(ctx, o.Handle, list); err != nil {
			if definite(err) {
				return m, nil // the key is not what was ordered, and is found out as such
			}
			return m, err
		}
		changed, err := t.reread(ctx, *o)
		if err != nil {
			return m, err
		}
		*o = changed
	}
	return m, nil
}

// reread reads an object again that was changed in place: a token may accept the
// change and not make it.
func (t *Token) reread(ctx context.Context, o cryptoki.Object) (cryptoki.Object, error) {
	found, err := t.device.Search(ctx, half(o.Class, o.Bytes(cryptoki.CKA_ID)))
	if err != nil {
		return o, err
	}
	for _, f := range found {
		if f.Handle == o.Handle {
			return f, nil
		}
	}
	return o, &fault.Error{
		Kind: fault.Unavailable, Op: "change key", Subject: describe(o), Problem: "The key could not be read again after the change.",
		Hint: "Apply again.",
	}
}

func (t *Token) generate(ctx context.Context, p plan) (material, error) {
	m := material{algorithm: p.Algorithm, allowed: p.allowed}
	mechanism := cryptoki.Mechanism{Code: p.shape.generate}
	var err error
	if p.Ref.Pair {
		m.public, m.secret, err = t.device.GenerateKeyPair(ctx, mechanism, p.publicTemplate(), p.privateTemplate())
	} else {
		m.secret, err = t.device.GenerateKey(ctx, mechanism, p.secretTemplate())
	}
	return m, err
}

// examine checks a new key against its order and tests what it was ordered for.
func (t *Token) examine(ctx context.Context, p plan, m material, attested bool) (lifecycle.Generated, error) {
	birth, err := checkBirth(p, m, attested)
	if err != nil {
		return lifecycle.Generated{}, err
	}
	if err := t.selfTest(ctx, m, p.Operations); err != nil {
		return lifecycle.Generated{}, failed(err, "self-test", subject(p.Ref), "The new key did not pass its self-test.")
	}
	made := lifecycle.Generated{Birth: birth}
	if p.Ref.Pair {
		if made.PublicKey, err = publicKey(m.public); err == nil {
			made.Fingerprint = made.PublicKey.Fingerprint()
		}
	} else {
		made.Fingerprint, err = t.checkValue(ctx, m)
	}
	return made, err
}

// clear destroys whatever is under the id of an order that failed. It works after
// cancellation too: what has begun in the HSM is brought to an end.
func (t *Token) clear(ctx context.Context, p plan) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), discardTimeout)
	defer cancel()
	there, err := t.device.Search(ctx, []cryptoki.Attribute{cryptoki.Bytes(cryptoki.CKA_ID, p.id)})
	if err != nil {
		return err
	}
	for _, o := range there {
		if covers(o.Class) == keyring.None {
			continue
		}
		if err := t.device.DestroyObject(ctx, o.Handle); err != nil && !gone(err) {
			return err
		}
	}
	return nil
}
