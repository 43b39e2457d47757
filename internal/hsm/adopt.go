package hsm

import (
	"context"
	"encoding/hex"
	"errors"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
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
// and by using the private half. fault.Inconsistent if they do not; nil also where
// nothing can be shown.
func (t *Token) belong(ctx context.Context, m material) error {
	err := t.together(ctx, m)
	if err == nil || errors.Is(err, errUntested) || definite(err) && !fault.Is(err, fault.Inconsistent) {
		return nil
	}
	return failed(err, "find key", describe(m.public), "The public key does not go with the private key of the same id.")
}
