package hsm

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"errors"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// verdict is how a single operation ended that was tried on a key.
type verdict uint8

const (
	untried   verdict = iota // no known mechanism applies, nothing was learnt
	refused                  // the token would not do it with this key
	performed                // the token did it
)

// attempt tries one operation on a key, whatever its flags say. "Could not tell"
// is an error: the token did not answer the question.
//
// The input of what undoes or checks something (verify, decrypt, unwrap) is made
// up where it has to be: being told that it is no good proves that the operation
// was performed. An operation is always carried through to its end, so that no
// session is left with one begun.
func (t *Token) attempt(ctx context.Context, m material, op keyring.Operations) (verdict, error) {
	key := m.performer(op)
	if key.Handle == 0 {
		return untried, nil
	}
	err := t.perform(ctx, m, key.Handle, op)
	switch {
	case err == nil, spoilt(err, op):
		return performed, nil
	case cryptoki.IsRefusal(err):
		return refused, nil
	case errors.Is(err, errUntested), unusable(err):
		return untried, nil
	}
	return untried, err
}

// perform does one operation with the first mechanism that the token takes for
// it. The error of the last mechanism is returned if it took none, errUntested if
// there was none to try or nothing was learnt.
func (t *Token) perform(ctx context.Context, m material, key cryptoki.Handle, op keyring.Operations) error {
	err := t.performAny(ctx, m, key, op)
	if err == nil || !unclear(err) || op&(keyring.Verify|keyring.Decrypt|keyring.Unwrap) == 0 {
		return err
	}
	// SoftHSM answers CKR_GENERAL_ERROR to a wrapped key that is no good, NSS
	// CKR_DEVICE_ERROR to such a MAC, and so does a token that is failing. If it still
	// shows the key it is the former.
	o := m.performer(op)
	found, lost := t.device.Search(ctx, half(o.Class, o.Bytes(cryptoki.CKA_ID)))
	if lost != nil || len(found) == 0 {
		return err
	}
	return errUntested
}

func (t *Token) performAny(ctx context.Context, m material, key cryptoki.Handle, op keyring.Operations) error {
	known, err := t.device.Mechanisms(ctx)
	if err != nil {
		return err
	}
	switch op {
	case keyring.Sign:
		return first(m.signatures(known, op), op, func(s signature) error {
			_, err := t.device.Sign(ctx, s.mechanism, key, s.input(testMessage))
			return err
		})
	case keyring.Verify:
		return first(m.signatures(known, op), op, func(s signature) error {
			return t.device.Verify(ctx, s.mechanism, key, s.input(testMessage), bytes.Repeat([]byte{1}, m.signatureSize(s)))
		})
	case keyring.Encrypt:
		return first(m.ciphers(known, op), op, func(c cipher) error {
			_, err := t.device.Encrypt(ctx, c.fresh(), key, c.plain())
			return err
		})
	case keyring.Decrypt:
		return first(m.ciphers(known, op), op, func(c cipher) error {
			_, err := t.device.Decrypt(ctx, c.fresh(), key, m.dummy(c))
			return err
		})
	case keyring.Wrap:
		return t.tryWrap(ctx, m, key, known)
	case keyring.Unwrap:
		return t.tryUnwrap(ctx, m, key, known)
	case keyring.Derive:
		return t.tryDerive(ctx, m, key, known)
	}
	return errUntested
}

// first goes through mechanisms until one is taken or the answer is about the key.
func first[M any](mechanisms []M, op keyring.Operations, do func(M) error) error {
	err := errUntested
	for _, mechanism := range mechanisms {
		if err = do(mechanism); err == nil || spoilt(err, op) || !unusable(err) {
			return err
		}
	}
	return err
}

// dummy is a ciphertext to try decryption with: of RSA a good one, made here with
// the public half, because tokens answer a bad one with anything; of a plain
// block mode any block will do.
func (m material) dummy(c cipher) []byte {
	if key := m.rsaPublic(); key != nil {
		if made, err := c.seal(key, c.plain()); err == nil {
			return made
		}
	}
	if m.algorithm.Family() == keyring.RSA {
		return bytes.Repeat([]byte{1}, m.algorithm.Bits()/8)
	}
	return bytes.Repeat([]byte{1}, 48)
}

// rsaPublic is the public half as Go knows it, nil if there is none.
func (m material) rsaPublic() *rsa.PublicKey {
	if m.algorithm.Family() != keyring.RSA || m.public.Handle == 0 {
		return nil
	}
	spki, err := publicKey(m.public)
	if err != nil {
		return nil
	}
	parsed, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil
	}
	key, _ := parsed.(*rsa.PublicKey)
	return key
}
