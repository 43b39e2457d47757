package notation

import (
	"fmt"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// pointOf returns the encoded point of a key that has to be of one algorithm.
func pointOf(key keyring.PublicKey, op string, want keyring.Algorithm) ([]byte, error) {
	algorithm, err := key.Algorithm()
	if err != nil {
		return nil, err
	}
	if algorithm != want {
		return nil, &fault.Error{
			Kind: fault.Invalid, Op: op, Problem: fmt.Sprintf("This is the public key of an %s key; such an address has an %s key.", algorithm, want),
			Hint: fmt.Sprintf("Give the public_key_pem of a key with algorithm = %q.", want),
		}
	}
	return key.Point()
}
