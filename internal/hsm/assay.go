package hsm

import (
	"context"
	"encoding/asn1"
	"fmt"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// assay finds out what wrapped material is, with objects that vanish with the session,
// and refuses (fault.Invalid) what is not of the ordered algorithm. Of a private key it
// returns the value of the public half, which fits it by proof.
func (t *Token) assay(ctx context.Context, p plan, e *envelope) ([]cryptoki.Attribute, error) {
	sample := p
	sample.session, sample.Mechanisms, sample.allowed = true, nil, nil
	sample.Ref.Label, sample.id = throwawayLabel, []byte(throwawayLabel)
	sample.Operations = sampled[p.Algorithm.Family()]
	o, _, err := t.leanly(sample, func(p plan) (cryptoki.Object, error) { return e.unwrap(ctx, p.unwrappedTemplate()) })
	if err != nil {
		return nil, err
	}
	defer t.discard(ctx, o.Handle)
	if !p.Ref.Pair {
		return nil, t.assaySecret(ctx, p, sample, e, o)
	}
	is, err := recognise(o)
	if err != nil {
		return nil, err
	}
	if is != p.Algorithm {
		return nil, foreign(p, "an "+string(is)+" key")
	}
	if is.Family() == keyring.RSA {
		public := []cryptoki.Attribute{
			cryptoki.Bytes(cryptoki.CKA_MODULUS, o.Bytes(cryptoki.CKA_MODULUS)), cryptoki.Bytes(cryptoki.CKA_PUBLIC_EXPONENT, o.Bytes(cryptoki.CKA_PUBLIC_EXPONENT)),
		}
		return public, t.fits(ctx, o, is, public)
	}
	return t.publicPoint(ctx, o, is)
}

// sampled is what a sample may do: as much as it takes to find out what it is.
var sampled = map[keyring.Family]keyring.Operations{
	keyring.AES: keyring.Encrypt, keyring.HMAC: keyring.Sign, keyring.RSA: keyring.Sign, keyring.EC: keyring.Sign | keyring.Derive,
}

func foreign(p plan, is string) error {
	return &fault.Error{
		Kind: fault.Invalid, Op: "import key", Subject: subject(p.Ref),
		Problem: fmt.Sprintf("The material is %s; declared is %s.", is, p.Algorithm), Hint: "Correct algorithm, or wrap the right key.",
	}
}

// assaySecret compares the length of a secret key, which is all that tells one from
// another. A token that does not tell it (SoftHSM, of a key that it unwrapped) is asked
// to wrap one more sample, with a key that goes away with the session: what comes out
// is longer than the sample by a known number of bytes (RFC 3394), and dropped.
func (t *Token) assaySecret(ctx context.Context, p, sample plan, e *envelope, o cryptoki.Object) error {
	size := length(o)
	if size == 0 {
		sample.Extractable = true
		loose, _, err := t.leanly(sample, func(p plan) (cryptoki.Object, error) { return e.unwrap(ctx, p.unwrappedTemplate()) })
		if err != nil {
			return err
		}
		defer t.discard(ctx, loose.Handle)
		scale, err := t.throwaway(ctx, keyring.AES256, keyring.Wrap, false, nil)
		if err != nil {
			return err
		}
		defer t.discard(ctx, scale.secret.Handle)
		wrapped, err := t.device.Wrap(ctx, cryptoki.Mechanism{Code: cryptoki.CKM_AES_KEY_WRAP}, scale.secret.Handle, loose.Handle)
		switch {
		case err != nil && !definite(err) && (!unclear(err) || !t.answers(ctx)):
			return err
		case err != nil || len(wrapped) < 8:
			return foreign(p, "a key of a length that is not a multiple of 8 bytes")
		}
		size = uint(len(wrapped)) - 8
	}
	if size != p.shape.length {
		return foreign(p, fmt.Sprintf("a key of %d bits", 8*size))
	}
	return nil
}

// publicPoint finds the public half of a private key on a curve, of which a token tells
// no more than the curve, see keyring.BasePoint. Of the two points that are left, the
// one is right by which a signature verifies.
func (t *Token) publicPoint(ctx context.Context, o cryptoki.Object, a keyring.Algorithm) ([]cryptoki.Attribute, error) {
	base := cryptoki.Mechanism{Code: cryptoki.CKM_ECDH1_DERIVE, Params: cryptoki.ECDH{KDF: cryptoki.CKD_NULL, Public: keyring.BasePoint(a)}}
	shared, err := t.device.Derive(ctx, base, o.Handle, []cryptoki.Attribute{
		cryptoki.Ulong(cryptoki.CKA_CLASS, cryptoki.CKO_SECRET_KEY),
		cryptoki.Ulong(cryptoki.CKA_KEY_TYPE, cryptoki.CKK_GENERIC_SECRET),
		cryptoki.Ulong(cryptoki.CKA_VALUE_LEN, uint((a.Bits()+7)/8)),
		cryptoki.Bool(cryptoki.CKA_TOKEN, false),
		cryptoki.Bool(cryptoki.CKA_PRIVATE, true),
		cryptoki.Bool(cryptoki.CKA_SENSITIVE, false), // it is half of a public key
		cryptoki.Bool(cryptoki.CKA_EXTRACTABLE, true),
	})
	if err != nil {
		return nil, failed(err, "import key", "the material", "The public half of the private key could not be found out.")
	}
	defer t.discard(ctx, shared)
	x, err := t.device.Value(ctx, shared)
	if err != nil {
		return nil, failed(err, "import key", "the material", "The public half of the private key could not be found out.")
	}
	points, err := keyring.PointsAt(a, x)
	if err != nil {
		return nil, err
	}
	for _, point := range points {
		encoded, err := asn1.Marshal(point)
		if err != nil {
			return nil, strange(o, "Its public point cannot be encoded: "+err.Error()+".")
		}
		public := []cryptoki.Attribute{cryptoki.Bytes(cryptoki.CKA_EC_PARAMS, shapes[a].params), cryptoki.Bytes(cryptoki.CKA_EC_POINT, encoded)}
		if err = t.fits(ctx, o, a, public); err == nil || !fault.Is(err, fault.Inconsistent) {
			return public, err
		}
	}
	return nil, strange(o, "Its signatures verify with neither of the public keys that it could have.")
}

// fits has the private key sign and verifies with the public half, which is not on the
// token yet.
func (t *Token) fits(ctx context.Context, o cryptoki.Object, a keyring.Algorithm, value []cryptoki.Attribute) error {
	public := cryptoki.Object{Class: cryptoki.CKO_PUBLIC_KEY, Attrs: map[uint][]byte{
		cryptoki.CKA_KEY_TYPE: cryptoki.Ulong(cryptoki.CKA_KEY_TYPE, shapes[a].keyType).Value,
	}}
	for _, attribute := range value {
		public.Attrs[attribute.Type] = attribute.Value
	}
	err := t.together(ctx, material{algorithm: a, secret: o, public: public})
	if err != nil && !fault.Is(err, fault.Inconsistent) {
		return failed(err, "import key", "the material", "It could not be shown which public key belongs to the private key.")
	}
	return err
}
