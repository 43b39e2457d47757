package hsm

import (
	"context"
	"errors"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// groups are the operations that are tested together: what one does, the other
// undoes or checks.
var groups = []keyring.Operations{
	keyring.Sign | keyring.Verify, keyring.Encrypt | keyring.Decrypt, keyring.Wrap | keyring.Unwrap, keyring.Derive,
}

// selfTest performs each of the operations with a key, with mechanisms that the
// key may use and the token has. An operation for which no such mechanism is among
// those that are known here (a key restricted to CKM_AES_CCM, say) is not tested;
// the others are all the same.
func (t *Token) selfTest(ctx context.Context, m material, ops keyring.Operations) error {
	known, err := t.device.Mechanisms(ctx)
	if err != nil {
		return err
	}
	for _, g := range groups {
		if ops&g == keyring.None {
			continue
		}
		if err := t.testGroup(ctx, m, ops&g, known); err != nil && !errors.Is(err, errUntested) {
			return err
		}
	}
	return nil
}

// testGroup tests one group, errUntested if there is nothing to test it with.
func (t *Token) testGroup(ctx context.Context, m material, ops keyring.Operations, known map[uint]cryptoki.MechanismInfo) error {
	switch {
	case ops&(keyring.Sign|keyring.Verify) != 0:
		return t.testSign(ctx, m, ops, known)
	case ops&(keyring.Encrypt|keyring.Decrypt) != 0:
		return t.testCipher(ctx, m, ops, known)
	case ops&(keyring.Wrap|keyring.Unwrap) != 0:
		return t.testTransport(ctx, m, ops, known)
	case ops.Has(keyring.Derive):
		return t.testAgreement(ctx, m, known)
	}
	return errUntested
}
