package notation

import "github.com/keystead/terraform-provider-hsm/internal/keyring"

// SolanaAddress returns the address of an Ed25519 key: the key itself, in base 58.
// Another kind of key is fault.Invalid.
func SolanaAddress(key keyring.PublicKey) (string, error) {
	point, err := pointOf(key, "write Solana address", keyring.Ed25519)
	if err != nil {
		return "", err
	}
	return base58(point), nil
}
