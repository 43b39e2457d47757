package hsm

import (
	"context"
	"slices"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// prober finds out by doing what a token can do. Everything it makes is a throw-away
// key and dropped at once.
type prober struct {
	token *Token
	known map[uint]cryptoki.MechanismInfo
	// switches is what came of switching operations off, by family: performed if
	// any of them still was, refused if all that could be tried were.
	switches map[keyring.Family]verdict
}

// tryAll tries every algorithm and notes what works. An algorithm that fails in a
// way which could also mean a broken token is tried once more at the end: if it
// fails again while others work, the answer is no, and if nothing works the token
// could not be asked.
func (p *prober) tryAll(ctx context.Context, works map[keyring.Algorithm]keyring.Operations) error {
	again := map[keyring.Algorithm]error{}
	for _, a := range keyring.Algorithms() {
		if _, ok := p.known[shapes[a].generate]; !ok || a.Family() == keyring.RSA {
			continue
		}
		ops, err := p.try(ctx, a)
		switch {
		case err != nil && unclear(err):
			again[a] = err
		case err != nil:
			return err
		case ops != keyring.None:
			works[a] = ops
		}
	}
	for a := range again {
		ops, err := p.try(ctx, a)
		if err != nil && (!unclear(err) || len(works) == 0) {
			return err
		}
		if err == nil && ops != keyring.None {
			works[a] = ops
		}
	}
	return nil
}

// try makes one key and tests each group of operations with it.
func (p *prober) try(ctx context.Context, a keyring.Algorithm) (keyring.Operations, error) {
	ops := a.Operations()
	m, err := p.token.throwaway(ctx, a, ops, false, nil)
	if err != nil && definite(err) && ops != a.DefaultOperations() {
		ops = a.DefaultOperations()
		m, err = p.token.throwaway(ctx, a, ops, false, nil)
	}
	if err != nil {
		if definite(err) {
			return keyring.None, nil
		}
		return keyring.None, err
	}
	defer p.token.discard(ctx, m.secret.Handle, m.public.Handle)
	if a.IsPair() {
		// tpm2-pkcs11 encodes the point of a P-521 key wrongly, and can neither sign with
		// such a key nor, after it was asked to, destroy it.
		if _, err := publicKey(m.public); err != nil {
			return keyring.None, nil // what cannot be published is of no use
		}
	}
	works := keyring.None
	for _, g := range groups {
		if ops&g == keyring.None {
			continue
		}
		// errUntested is definite too: what cannot be tried is not promised.
		if err := p.token.testGroup(ctx, m, ops&g, p.known); err == nil {
			works |= ops & g
		} else if !definite(err) {
			return keyring.None, err
		}
	}
	if _, done := p.switches[a.Family()]; !done && works != keyring.None {
		if p.switches[a.Family()], err = p.switchOff(ctx, m, works); err != nil {
			delete(p.switches, a.Family())
			return keyring.None, err
		}
	}
	return works, nil
}

// switchOff clears every flag of a throw-away key that could do the given
// operations, and tries them again. In place is safe here: a session key that a
// kill damages is lost anyway.
func (p *prober) switchOff(ctx context.Context, m material, works keyring.Operations) (verdict, error) {
	for _, o := range []cryptoki.Object{m.secret, m.public} {
		list := changes(o, keyring.None)
		if len(list) == 0 {
			continue
		}
		if err := p.token.device.SetAttributes(ctx, o.Handle, list); err != nil {
			if definite(err) {
				return performed, nil // cannot be switched off at all
			}
			return untried, err
		}
	}
	result := untried
	err := each(works, func(op keyring.Operations) error {
		v, err := p.token.attempt(ctx, m, op)
		// A mechanism that worked a moment ago and is turned down now is a no as well.
		if v == performed {
			result = performed
		} else if result != performed {
			result = refused
		}
		return err
	})
	return result, err
}

// enforcement is the worst that any family showed.
func (p *prober) enforcement() keyring.Enforcement {
	if len(p.switches) == 0 {
		return keyring.EnforcedAdvisory
	}
	for _, v := range p.switches {
		if v != refused {
			return keyring.EnforcedAdvisory
		}
	}
	return keyring.EnforcedByHSM
}

// restricts finds out whether CKA_ALLOWED_MECHANISMS is understood: a key that is
// restricted to a mechanism by which nothing can be done with it must do nothing.
func (p *prober) restricts(ctx context.Context, works map[keyring.Algorithm]keyring.Operations) (bool, error) {
	for _, a := range keyring.Algorithms() {
		op := works[a] & (keyring.Sign | keyring.Encrypt)
		if op == keyring.None {
			continue
		}
		if op.Has(keyring.Encrypt) {
			op = keyring.Encrypt
		}
		m, err := p.token.throwaway(ctx, a, op, false, []uint{shapes[a].generate})
		if err != nil {
			if definite(err) {
				return false, nil
			}
			return false, err
		}
		defer p.token.discard(ctx, m.secret.Handle, m.public.Handle)
		if p.token.lasting.Load() {
			// Not tried: tpm2-pkcs11 does not destroy a key any more by which it refused to
			// begin something, until the process has ended.
			return slices.Equal(m.secret.Ulongs(cryptoki.CKA_ALLOWED_MECHANISMS), []uint{shapes[a].generate}), nil
		}
		m.allowed = nil // so that the attempt dares
		v, err := p.token.attempt(ctx, m, op)
		return v != performed, err
	}
	return false, nil
}
