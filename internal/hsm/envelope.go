package hsm

import (
	"context"
	"errors"
	"fmt"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

// envelope is wrapped material with the way to open it: a key of the HSM, and the
// mechanisms by which that key may unwrap, of which one will do.
type envelope struct {
	token      *Token
	opener     material
	mechanisms []cipher
	wrapped    []byte
	// subject names the key that opens it to a person.
	subject string
	// ephemeral is an AES key that came with the material, and lives as long as the
	// session; 0 for none.
	ephemeral cryptoki.Handle
}

// unwrappings are the mechanisms of each form. OAEP does not tell its hash: each that is
// in use is tried, and none but the right one opens anything (RFC 8017 section 7.1.2).
// The mechanism 0x210A is RFC 5649 in SoftHSM and something else elsewhere, where
// 0x210B is RFC 5649: that one goes first.
var unwrappings = map[keyring.Wrapping][]cipher{
	keyring.RSAOAEP: cipherSchemes[keyring.RSA][:2],
	keyring.AESKeyWrapPad: {
		{code: cryptoki.CKM_AES_KEY_WRAP_KWP},
		{code: cryptoki.CKM_AES_KEY_WRAP_PAD},
	},
}

// open finds the key that unwraps the material. The form RSA_AES_KEY_WRAP is opened in
// the two steps that it is defined by, so that a token need not have a mechanism of
// that name: the AES key in front becomes a session object, and unwraps the rest.
func (t *Token) open(ctx context.Context, what lifecycle.Wrapped) (*envelope, error) {
	opener, err := t.opener(ctx, what.By)
	if err != nil {
		return nil, err
	}
	if opener.algorithm.Family() != what.Mechanism.Family() {
		return nil, unopened(describe(opener.secret), fmt.Sprintf("A key of %s does not unwrap %s.", opener.algorithm, what.Mechanism), "Name a wrapping key of the right algorithm.", nil)
	}
	if what.Mechanism != keyring.RSAAESKeyWrap {
		return t.seal(ctx, opener, what.Mechanism, what.Material)
	}
	size := opener.algorithm.Bits() / 8
	if len(what.Material) <= size {
		return nil, unopened(describe(opener.secret), fmt.Sprintf("The material has %d bytes; the AES key in front of it alone has %d.", len(what.Material), size),
			"The first part is the AES key, encrypted with RSA-OAEP, the second the key itself, wrapped with the AES key: give both, one after the other.", nil)
	}
	outer, err := t.seal(ctx, opener, keyring.RSAOAEP, what.Material[:size])
	if err != nil {
		return nil, err
	}
	key, err := outer.unwrap(ctx, ephemeralTemplate())
	if err != nil {
		return nil, err
	}
	inner, err := t.seal(ctx, material{algorithm: keyring.AES256, secret: key}, keyring.AESKeyWrapPad, what.Material[size:])
	if err != nil {
		t.discard(ctx, key.Handle)
		return nil, err
	}
	inner.ephemeral, inner.subject = key.Handle, "the AES key in front of the material" // it opened, so that the wrapping key is the right one
	return inner, nil
}

// ephemeralTemplate is for the AES key in front of the material.
func ephemeralTemplate() []cryptoki.Attribute {
	return []cryptoki.Attribute{
		cryptoki.Ulong(cryptoki.CKA_CLASS, cryptoki.CKO_SECRET_KEY),
		cryptoki.Ulong(cryptoki.CKA_KEY_TYPE, cryptoki.CKK_AES),
		cryptoki.Bool(cryptoki.CKA_TOKEN, false),
		cryptoki.Bool(cryptoki.CKA_PRIVATE, true),
		cryptoki.Bool(cryptoki.CKA_SENSITIVE, true),
		cryptoki.Bool(cryptoki.CKA_EXTRACTABLE, false),
		cryptoki.Bool(cryptoki.CKA_UNWRAP, true),
	}
}

// opener reads the key of a ref, which must be there and be one.
func (t *Token) opener(ctx context.Context, ref keyring.Ref) (material, error) {
	var m material
	err := t.onObjects(ctx, ref, func(h halves) (err error) {
		if len(h.secrets) != 1 {
			return &fault.Error{
				Kind: fault.Inconsistent, Op: "unwrap", Subject: subject(ref), Problem: fmt.Sprintf("There are %d private or secret keys of this id on the token; it takes one.", len(h.secrets)),
				Hint: "Refresh the wrapping key's own resource: it tells what has become of it.",
			}
		}
		secret, public := h.pairUp(h.secrets[0])
		m, err = newMaterial(ref, secret, public)
		return err
	})
	return m, err
}

func (t *Token) seal(ctx context.Context, opener material, form keyring.Wrapping, wrapped []byte) (*envelope, error) {
	known, err := t.device.Mechanisms(ctx)
	if err != nil {
		return nil, err
	}
	e := &envelope{token: t, opener: opener, wrapped: wrapped, subject: describe(opener.secret)}
	for _, c := range unwrappings[form] {
		if opener.mayUse(known, c.code, keyring.Unwrap) {
			e.mechanisms = append(e.mechanisms, c)
		}
	}
	if len(e.mechanisms) > 0 {
		return e, nil
	}
	return nil, &fault.Error{
		Kind: fault.Unsupported, Op: "unwrap", Subject: describe(opener.secret),
		Problem: fmt.Sprintf("The token has no mechanism for %s, or the key may not use it.", form),
		Hint:    "Use another mechanism, or a wrapping key whose allowed_mechanisms have it.",
	}
}

// unwrap makes a key of the material. That the key does not open it is fault.Invalid.
func (e *envelope) unwrap(ctx context.Context, template []cryptoki.Attribute) (cryptoki.Object, error) {
	var o cryptoki.Object
	err := first(e.mechanisms, keyring.Unwrap, func(c cipher) (err error) {
		o, err = e.token.device.Unwrap(ctx, c.fresh(), e.opener.secret.Handle, e.wrapped, template)
		if spoilt(err, keyring.Unwrap) && c.oaep != 0 {
			return unopened(e.subject, "OAEP with this hash does not open the material.", "", err) // the other hash may
		}
		return err
	})
	switch {
	case err == nil, templateRefused(err), gone(err), cryptoki.IsRefusal(err), fault.Is(err, fault.Unsupported):
		return o, err
	case definite(err), unclear(err) && e.token.answers(ctx):
		return o, e.noGood(err)
	}
	return o, err
}

// answers reports whether the token is there. It is asked when a failure may mean that
// the token is broken as well as that the material is: SoftHSM answers
// CKR_GENERAL_ERROR and CKR_FUNCTION_FAILED to material that is no good.
func (t *Token) answers(ctx context.Context) bool {
	_, err := t.device.Search(ctx, []cryptoki.Attribute{cryptoki.Ulong(cryptoki.CKA_CLASS, cryptoki.CKO_PUBLIC_KEY)})
	return err == nil
}

// close gives up what was only needed to open the envelope.
func (e *envelope) close(ctx context.Context) { e.token.discard(ctx, e.ephemeral) }

// noGood says that material does not open. What the token advised is left out: it answered,
// and nothing is wrong with it.
func (e *envelope) noGood(cause error) error {
	if e.ephemeral != 0 {
		return unopened(e.subject, "It does not open what is behind it: that was wrapped in another form, is damaged, or is no key of the algorithm that is declared.",
			"Wrap the key itself again: a private key as PKCS#8 in DER (not in PEM, and not as openssl writes an EC PRIVATE KEY or RSA PRIVATE KEY), a secret key as it is.", unadvised(cause))
	}
	return unopened(e.subject, "The key does not open the material: it was wrapped for another key or in another form, is damaged, or is no key of the algorithm that is declared.",
		"Wrap it again, for the public key or the secret key of the wrapping key's current version; a private key is wrapped as PKCS#8 in DER. For RSA, OAEP is with a hash that the token has: SoftHSM has SHA-1 only.",
		unadvised(cause))
}

// unadvised leaves the hints out of a chain of faults.
func unadvised(err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return err
	}
	bare := *f
	bare.Hint, bare.Cause = "", unadvised(f.Cause)
	return &bare
}

func unopened(subject, problem, hint string, cause error) error {
	return &fault.Error{Kind: fault.Invalid, Op: "unwrap", Subject: subject, Problem: problem, Hint: hint, Cause: cause}
}
