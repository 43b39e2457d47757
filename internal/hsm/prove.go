package hsm

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

// Prove tells whether the objects of a ref are the recorded key, see lifecycle.Token.
// A proof is remembered with the object's handle, which never denotes another object:
// a run that reads a key several times uses it once.
func (t *Token) Prove(ctx context.Context, ref keyring.Ref, recorded keyring.PublicKey, fingerprint string) (lifecycle.Proof, error) {
	if ref.Pair {
		fingerprint = recorded.Fingerprint()
	}
	var proof lifecycle.Proof
	err := t.onObjects(ctx, ref, func(h halves) (err error) {
		proof, err = t.proveObjects(ctx, ref, h, fingerprint)
		return err
	})
	return proof, err
}

func (t *Token) proveObjects(ctx context.Context, ref keyring.Ref, h halves, fingerprint string) (lifecycle.Proof, error) {
	if !h.whole(ref) {
		return lifecycle.Untried, nil
	}
	secret, public := h.pairUp(h.secrets[0])
	m, err := newMaterial(ref, secret, public)
	if err != nil {
		return lifecycle.Untried, err
	}
	if proven, ok := t.proofs.Load(m.secret.Handle); ok && proven == fingerprint {
		return lifecycle.Proven, nil
	}
	if ref.Pair {
		err = t.provePair(ctx, m, fingerprint)
	} else {
		err = t.proveSecret(ctx, m, fingerprint)
	}
	switch {
	case err == nil:
		t.proofs.Store(m.secret.Handle, fingerprint)
		return lifecycle.Proven, nil
	case fault.Is(err, fault.Inconsistent):
		return lifecycle.Disproven, nil
	case errors.Is(err, errUntested), definite(err): // the token would not do it: nothing was learnt
		return lifecycle.Untried, nil
	}
	return lifecycle.Untried, err
}

// provePair compares the public half with the record. From there on the record's
// public key and the object's are one, and the private half has to go with it.
func (t *Token) provePair(ctx context.Context, m material, fingerprint string) error {
	shown, err := publicKey(m.public)
	if err != nil {
		return err
	}
	if shown.Fingerprint() != fingerprint {
		return strange(m.public, "It is not the public key that was recorded.")
	}
	return t.together(ctx, m)
}

// proveSecret computes the check value again. What the record has may have been
// computed in another way than the key's flags permit now, because the operations of
// a key can change: every way is tried before two values that differ mean two keys.
func (t *Token) proveSecret(ctx context.Context, m material, fingerprint string) error {
	if fingerprint == "" {
		return errUntested
	}
	if recorded, ok := strings.CutPrefix(fingerprint, shownPrefix); ok {
		shown := m.secret.Bytes(cryptoki.CKA_CHECK_VALUE)
		if len(shown) == 0 {
			return errUntested
		}
		return unlessEqual(m, recorded, hex.EncodeToString(shown))
	}
	missing, err := t.compare(ctx, m, fingerprint)
	if !missing || !fault.Is(err, fault.Inconsistent) {
		return err
	}
	// A copy that lives as long as the session may do what the key may not. A key that
	// cannot be copied is held to the ways that its flags permit, or whoever replaces a
	// key would only have to forbid copying.
	copied, refused := t.device.CopyObject(ctx, m.secret.Handle, []cryptoki.Attribute{
		cryptoki.Bool(cryptoki.CKA_TOKEN, false), cryptoki.Bool(cryptoki.CKA_ENCRYPT, true), cryptoki.Bool(cryptoki.CKA_SIGN, true),
	})
	if refused != nil {
		if definite(refused) {
			return err
		}
		return refused
	}
	defer t.discard(ctx, copied.Handle)
	m.secret = copied
	_, err = t.compare(ctx, m, fingerprint)
	return err
}

// compare computes the check value in the ways that the flags permit, until one is the
// recorded one. fault.Inconsistent if none is, errUntested if nothing could be
// computed; missing says that there is another way, which is not permitted.
func (t *Token) compare(ctx context.Context, m material, fingerprint string) (missing bool, err error) {
	known, err := t.device.Mechanisms(ctx)
	if err != nil {
		return false, err
	}
	err = errUntested
	for _, compute := range t.checkOutputs(m, known) {
		out, failure := compute(ctx)
		if failure != nil {
			if !errors.Is(failure, errUntested) && !definite(failure) {
				return false, failure
			}
			missing = true
			continue
		}
		if err = unlessEqual(m, fingerprint, CheckValue(m.algorithm, out)); err == nil {
			return false, nil
		}
	}
	return missing, err
}

func unlessEqual(m material, recorded, shown string) error {
	if recorded == shown {
		return nil
	}
	return strange(m.secret, "Its check value is not the one that was recorded.")
}

// together uses the private half of a pair, in the first way that its flags permit, to
// show that the public half belongs to it: by a signature, by opening what was sealed
// with the public half, by a key agreement. fault.Inconsistent if it does not;
// errUntested, or the token's refusal, where nothing can be shown.
func (t *Token) together(ctx context.Context, m material) error {
	if m.algorithm.Family() == keyring.RSA {
		if private := m.secret.Bytes(cryptoki.CKA_MODULUS); private != nil && !bytes.Equal(trim(private), trim(m.public.Bytes(cryptoki.CKA_MODULUS))) {
			return strange(m.public, "It is not the public half of the private key with the same id: their moduli differ.")
		}
	}
	algorithm, err := recognise(m.public)
	if err != nil {
		return err
	}
	if algorithm != m.algorithm {
		return strange(m.public, "It is not on the curve of the private key with the same id.")
	}
	known, err := t.device.Mechanisms(ctx)
	if err != nil {
		return err
	}
	may := permitted(m.secret)
	switch {
	case m.secret.Bool(cryptoki.CKA_ALWAYS_AUTHENTICATE): // asks for the PIN at each use
	case may.Has(keyring.Sign):
		err := t.testSign(ctx, m, keyring.Sign, known)
		if errors.Is(err, errUntested) && permitted(m.public).Has(keyring.Verify) {
			err = t.testSign(ctx, m, keyring.Sign|keyring.Verify, known)
		}
		return err
	case may.Has(keyring.Decrypt):
		return t.testUnseal(ctx, m, known)
	case may.Has(keyring.Derive):
		return t.testAgreement(ctx, m, known)
	}
	return errUntested
}

func trim(number []byte) []byte { return bytes.TrimLeft(number, "\x00") }
