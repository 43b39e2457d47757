package hsm

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

// throwawayLabel is the CKA_LABEL of every key that is made to try things with.
const throwawayLabel = "terraform-provider-hsm probe"

// throwaway makes a key to try things with. It is a session key, which vanishes with
// the session at the latest, so that a kill leaves nothing. On a token that makes none
// it is a token key, and what a kill leaves is swept by the next run.
func (t *Token) throwaway(ctx context.Context, a keyring.Algorithm, ops keyring.Operations, extractable bool, allowed []uint) (material, error) {
	var raw [16]byte
	_, _ = rand.Read(raw[:]) // never fails
	p := plan{
		Generation: lifecycle.Generation{
			Ref:       keyring.Ref{ID: hex.EncodeToString(raw[:]), Label: throwawayLabel, Pair: a.IsPair()},
			Algorithm: a, Operations: ops, Extractable: extractable,
		},
		shape: shapes[a], id: raw[:], allowed: allowed, session: !t.lasting.Load(),
	}
	m, err := t.make(ctx, p)
	if err != nil && !p.session {
		if left := t.clear(ctx, p); left != nil {
			return m, left
		}
	}
	return m, err
}

// undisturbed runs trials. Those with token keys let no other write of this process in
// between: tpm2-pkcs11 numbers objects wrongly once the first of its list was destroyed
// while there were others, and on a new token a throw-away key is the first.
func (t *Token) undisturbed(ctx context.Context, f func(ctx context.Context) error) error {
	if t.lasting.Load() {
		return t.device.Alone(ctx, f)
	}
	return f(ctx)
}

// sweepThrowaways removes the token keys that a killed run left of its trials. They
// are known by their label, and nobody uses them: they never were anything.
func (t *Token) sweepThrowaways(ctx context.Context) error {
	left, err := t.device.Lookup(ctx, cryptoki.CKA_LABEL, []byte(throwawayLabel))
	if err != nil {
		return err
	}
	for _, o := range left {
		if covers(o.Class) == keyring.None || !o.Bool(cryptoki.CKA_TOKEN) {
			continue
		}
		if err := t.device.DestroyObject(ctx, o.Handle); err != nil && !gone(err) {
			return err
		}
	}
	return nil
}

// discardTimeout bounds the clearing up after a call whose context has ended.
const discardTimeout = 30 * time.Second

// discard destroys session objects. A failure is not worth a word: they vanish
// with the session. It works after cancellation too.
func (t *Token) discard(ctx context.Context, handles ...cryptoki.Handle) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), discardTimeout)
	defer cancel()
	for _, h := range handles {
		if h != 0 {
			_ = t.device.DestroyObject(ctx, h)
		}
	}
}

// twinAlgorithm is the algorithm of keys whose equality can be seen from outside,
// by what they compute: AES, or HMAC where the token has no AES.
func twinAlgorithm(known map[uint]cryptoki.MechanismInfo) (keyring.Algorithm, bool) {
	if len(material{algorithm: keyring.AES256}.bareCiphers(known)) > 0 {
		return keyring.AES256, true
	}
	if len(material{algorithm: keyring.HMACSHA256}.signatures(known, keyring.Sign)) > 0 {
		return keyring.HMACSHA256, true
	}
	return "", false
}

// twinTemplate is for a copy of such a key that comes out of an unwrapping or a
// derivation. Only a derivation has to be told the length.
func twinTemplate(a keyring.Algorithm, derived bool) []cryptoki.Attribute {
	list := []cryptoki.Attribute{
		cryptoki.Ulong(cryptoki.CKA_CLASS, cryptoki.CKO_SECRET_KEY),
		cryptoki.Ulong(cryptoki.CKA_KEY_TYPE, shapes[a].keyType),
		cryptoki.Bool(cryptoki.CKA_TOKEN, false),
		cryptoki.Bool(cryptoki.CKA_PRIVATE, true),
		cryptoki.Bool(cryptoki.CKA_SENSITIVE, true),
		cryptoki.Bool(cryptoki.CKA_EXTRACTABLE, false),
		cryptoki.Bool(cryptoki.CKA_ENCRYPT, a.Family() == keyring.AES),
		cryptoki.Bool(cryptoki.CKA_SIGN, a.Family() == keyring.HMAC),
	}
	if derived {
		list = append(list, cryptoki.Ulong(cryptoki.CKA_VALUE_LEN, shapes[a].length))
	}
	return list
}

// cargo is an extractable throw-away key to wrap. errUntested if the token can
// make none whose copies could be compared.
func (t *Token) cargo(ctx context.Context, known map[uint]cryptoki.MechanismInfo) (material, error) {
	a, ok := twinAlgorithm(known)
	if !ok {
		return material{}, errUntested
	}
	op := keyring.Encrypt
	if a.Family() == keyring.HMAC {
		op = keyring.Sign
	}
	m, err := t.throwaway(ctx, a, op, true, nil)
	if err != nil && definite(err) {
		return material{}, errUntested // a token without session keys: nothing is learnt about the key to test
	}
	return m, err
}

// twins reports whether two keys compute the same.
func (t *Token) twins(ctx context.Context, a keyring.Algorithm, known map[uint]cryptoki.MechanismInfo, one, other cryptoki.Handle) (bool, error) {
	var out [2][]byte
	for i, h := range []cryptoki.Handle{one, other} {
		m := material{algorithm: a, secret: cryptoki.Object{Handle: h}}
		var err error
		if a.Family() == keyring.AES {
			out[i], err = t.zeroBlock(ctx, m, known)
		} else {
			out[i], err = t.mac(ctx, m, known, testMessage)
		}
		if err != nil {
			return false, err
		}
	}
	return bytes.Equal(out[0], out[1]), nil
}

// mac makes a MAC with the key's first mechanism: CMAC for AES, the HMAC of its own
// hash for a generic secret. errUntested if the key may use none.
func (t *Token) mac(ctx context.Context, m material, known map[uint]cryptoki.MechanismInfo, message []byte) ([]byte, error) {
	usable := m.signatures(known, keyring.Sign)
	if len(usable) == 0 {
		return nil, errUntested
	}
	return t.device.Sign(ctx, usable[0].mechanism, m.secret.Handle, message)
}
