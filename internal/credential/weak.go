package credential

import (
	"bytes"

	"filippo.io/edwards25519"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// isWeak reports whether an Ed25519 key is no point, not in the one encoding that a
// point has, or of small order (RFC 8032 section 5.1): for such a point signatures can
// be made without any private key.
func isWeak(key keyring.PublicKey) bool {
	encoded, err := key.Point()
	if err != nil {
		return true
	}
	point, err := new(edwards25519.Point).SetBytes(encoded)
	if err != nil || !bytes.Equal(point.Bytes(), encoded) {
		return true
	}
	return new(edwards25519.Point).MultByCofactor(point).Equal(edwards25519.NewIdentityPoint()) == 1
}
