package hsm

import (
	"bytes"
	"context"
	"slices"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// transports lists the ways to wrap a key that are tried, in this order. The
// mechanism 0x210A is key wrap with padding in SoftHSM and plain PKCS #7 padding
// elsewhere; both take a key of 32 bytes.
var transports = map[keyring.Family][]cipher{
	keyring.AES: {
		{code: cryptoki.CKM_AES_KEY_WRAP},     // SP 800-38F, RFC 3394
		{code: cryptoki.CKM_AES_KEY_WRAP_KWP}, // SP 800-38F, RFC 5649
		{code: cryptoki.CKM_AES_KEY_WRAP_PAD},
		{code: cryptoki.CKM_AES_CBC_PAD, iv: 16},
		{code: cryptoki.CKM_AES_GCM, iv: 12},
	},
	keyring.RSA: cipherSchemes[keyring.RSA],
}

func (m material) transports(known map[uint]cryptoki.MechanismInfo, op keyring.Operations) []cipher {
	var usable []cipher
	for _, c := range transports[m.algorithm.Family()] {
		if m.mayUse(known, c.code, op) {
			usable = append(usable, c)
		}
	}
	return usable
}

// testTransport wraps a throw-away key and unwraps it again. That the copy is the
// same key is proven by using both.
func (t *Token) testTransport(ctx context.Context, m material, ops keyring.Operations, known map[uint]cryptoki.MechanismInfo) error {
	if !ops.Has(keyring.Wrap | keyring.Unwrap) {
		return t.testAlone(ctx, m, ops)
	}
	cargo, err := t.cargo(ctx, known)
	if err != nil {
		return err
	}
	defer t.discard(ctx, cargo.secret.Handle)
	return first(m.transports(known, keyring.Wrap), keyring.Wrap, func(c cipher) error {
		mechanism := c.fresh()
		wrapped, err := t.device.Wrap(ctx, mechanism, m.performer(keyring.Wrap).Handle, cargo.secret.Handle)
		if err != nil {
			return err
		}
		copied, err := t.device.Unwrap(ctx, mechanism, m.secret.Handle, wrapped, twinTemplate(cargo.algorithm, false))
		if err != nil {
			return wrongIf(err, keyring.Unwrap, m, "The token does not unwrap what it wrapped.")
		}
		defer t.discard(ctx, copied.Handle)
		same, err := t.twins(ctx, cargo.algorithm, known, cargo.secret.Handle, copied.Handle)
		if err == nil && !same {
			return wrong(m, "The token unwraps to another key than it wrapped.", nil)
		}
		return err
	})
}

// tryWrap wraps a throw-away key, to see whether it is let.
func (t *Token) tryWrap(ctx context.Context, m material, key cryptoki.Handle, known map[uint]cryptoki.MechanismInfo) error {
	usable := m.transports(known, keyring.Wrap)
	if len(usable) == 0 {
		return errUntested
	}
	cargo, err := t.cargo(ctx, known)
	if err != nil {
		return err
	}
	defer t.discard(ctx, cargo.secret.Handle)
	return first(usable, keyring.Wrap, func(c cipher) error {
		_, err := t.device.Wrap(ctx, c.fresh(), key, cargo.secret.Handle)
		return err
	})
}

// tryUnwrap unwraps a made-up key, to see whether it is let.
func (t *Token) tryUnwrap(ctx context.Context, m material, key cryptoki.Handle, known map[uint]cryptoki.MechanismInfo) error {
	twin, ok := twinAlgorithm(known)
	if !ok {
		return errUntested
	}
	return first(m.transports(known, keyring.Unwrap), keyring.Unwrap, func(c cipher) error {
		wrapped := m.dummy(c)
		if m.algorithm.Family() == keyring.AES {
			wrapped = bytes.Repeat([]byte{1}, 40) // as long as a wrapped key of 32 bytes
		}
		made, err := t.device.Unwrap(ctx, c.fresh(), key, wrapped, twinTemplate(twin, false))
		if err == nil {
			t.discard(ctx, made.Handle)
		}
		return err
	})
}

// testAgreement derives a secret with the key and the public half of a throw-away
// pair, and again the other way round. That both sides got the same is proven by
// using the derived keys; it also proves that the public half belongs to the key.
func (t *Token) testAgreement(ctx context.Context, m material, known map[uint]cryptoki.MechanismInfo) error {
	twin, ok := twinAlgorithm(known)
	if !ok || !m.mayUse(known, cryptoki.CKM_ECDH1_DERIVE, keyring.Derive) {
		return errUntested
	}
	peer, err := t.throwaway(ctx, m.algorithm, keyring.Derive, false, nil)
	if err != nil {
		return err
	}
	defer t.discard(ctx, peer.secret.Handle, peer.public.Handle)
	ours, err := t.agree(ctx, m.secret.Handle, m.algorithm, peer.public, twin)
	if err != nil {
		return err
	}
	defer t.discard(ctx, ours)
	theirs, err := t.agree(ctx, peer.secret.Handle, m.algorithm, m.public, twin)
	if err != nil {
		return err
	}
	defer t.discard(ctx, theirs)
	same, err := t.twins(ctx, twin, known, ours, theirs)
	if err == nil && !same {
		return wrong(m, "The two sides of a key agreement derive different secrets.", nil)
	}
	return err
}

// tryDerive derives a secret with the key's own public half, to see whether it is
// let; no second pair is needed for that.
func (t *Token) tryDerive(ctx context.Context, m material, key cryptoki.Handle, known map[uint]cryptoki.MechanismInfo) error {
	twin, ok := twinAlgorithm(known)
	if !ok || m.public.Handle == 0 || !m.mayUse(known, cryptoki.CKM_ECDH1_DERIVE, keyring.Derive) {
		return errUntested
	}
	made, err := t.agree(ctx, key, m.algorithm, m.public, twin)
	if err == nil {
		t.discard(ctx, made)
	}
	return err
}

// agree does one side of ECDH (SP 800-56A section 5.7.1.2, without a key
// derivation function: the result is thrown away).
func (t *Token) agree(ctx context.Context, private cryptoki.Handle, a keyring.Algorithm, public cryptoki.Object, twin keyring.Algorithm) (cryptoki.Handle, error) {
	point, ok := unwrapPoint(public.Bytes(cryptoki.CKA_EC_POINT), shapes[a].point)
	if !ok {
		return 0, strange(public, "Its CKA_EC_POINT is not a point.")
	}
	mechanism := cryptoki.Mechanism{Code: cryptoki.CKM_ECDH1_DERIVE, Params: cryptoki.ECDH{KDF: cryptoki.CKD_NULL, Public: slices.Clone(point)}}
	return t.device.Derive(ctx, mechanism, private, twinTemplate(twin, true))
}
