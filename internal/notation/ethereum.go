package notation

import (
	"encoding/hex"

	"golang.org/x/crypto/sha3"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// EthereumAddress returns the address of a secp256k1 key, with the checksum of EIP-55 in
// its capitals. Another kind of key is fault.Invalid.
func EthereumAddress(key keyring.PublicKey) (string, error) {
	point, err := pointOf(key, "write Ethereum address", keyring.ECSecp256k1)
	if err != nil {
		return "", err
	}
	return checksummed(keccak256(point[1:])[12:]), nil
}

// checksummed writes a letter as a capital where the hash of all of them has a digit
// from eight (EIP-55).
func checksummed(address []byte) string {
	text := []byte(hex.EncodeToString(address))
	digits := hex.EncodeToString(keccak256(text))
	for i, c := range text {
		if c >= 'a' && digits[i] >= '8' {
			text[i] = c - 'a' + 'A'
		}
	}
	return "0x" + string(text)
}

// keccak256 is Keccak as it was before SHA-3 became a standard, which is Ethereum's.
func keccak256(data []byte) []byte {
	h := sha3.NewLegacyKeccak256()
	_, _ = h.Write(data) // a hash never fails
	return h.Sum(nil)
}
