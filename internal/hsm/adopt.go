package hsm

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

// describeFound tells what a key made elsewhere is and may do, from its attributes.
// The two halves of a pair are shown to belong together where the key's flags let
// it be shown, because the public half is what will be published.
func (t *Token) describeFound(ctx context.Context, m material, attested bool) (lifecycle.Found, error) {
	f := lifecycle.Found{
		Ref: keyring.Ref{
			ID: hex.EncodeToString(m.secret.Bytes(cryptoki.CKA_ID)), Label: string(m.secret.Bytes(cryptoki.CKA_LABEL)), Pair: m.algorithm.IsPair(),
		},
		Algorithm:   m.algorithm,
		Operations:  permitted(m.secret) & m.algorithm.Operations(),
		Extractable: m.secret.Bool(cryptoki.CKA_EXTRACTABLE),
		Birth:       certificate(m.secret, attested),
	}
	for _, code := range m.allowed {
		f.Mechanisms = append(f.Mechanisms, keyring.Mechanism(cryptoki.MechanismName(code)))
	}
	var err error
	if !f.Ref.Pair {
		f.Fingerprint, err = t.checkValue(ctx, m)
		return f, err
	}
	f.Operations |= permitted(m.public) & m.algorithm.Operations()
	if f.PublicKey, err = publicKey(m.public); err != nil {
		return f, err
	}
	f.Fingerprint = f.PublicKey.Fingerprint()
	return f, t.belong(ctx, m)
}

// belong shows that the halves of a pair belong together: by the modulus for RSA,
// by a signature for the curves, by a key agreement where only that is permitted.
// fault.Inconsistent if they do not; nil also where nothing can be shown.
func (t *Token) belong(ctx context.Context, m material) error {
	if m.algorithm.Family() == keyring.RSA {
		if private := m.secret.Bytes(cryptoki.CKA_MODULUS); private != nil && !bytes.Equal(trim(private), trim(m.public.Bytes(cryptoki.CKA_MODULUS))) {
			return strange(m.public, "It is not the public half of the private key with the same id: their moduli differ.")
		}
		return nil
	}
	known, err := t.device.Mechanisms(ctx)
	if err != nil {
		return err
	}
	algorithm, err := recognise(m.public)
	if err != nil {
		return err
	}
	if algorithm != m.algorithm {
		return strange(m.public, "It is not on the curve of the private key with the same id.")
	}
	switch {
	case permitted(m.secret).Has(keyring.Sign):
		err = t.testSign(ctx, m, keyring.Sign, known)
	case permitted(m.secret).Has(keyring.Derive):
		err = t.testAgreement(ctx, m, known)
	}
	if err != nil && !errors.Is(err, errUntested) {
		return failed(err, "find key", describe(m.public), "The public key does not go with the private key of the same id.")
	}
	return nil
}

func trim(number []byte) []byte { return bytes.TrimLeft(number, "\x00") }
