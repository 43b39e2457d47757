package notation

import (
	"crypto/sha256"
	"fmt"

	"golang.org/x/crypto/ripemd160" //nolint:staticcheck,gosec // deprecated for new designs; it is what the address is defined by

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// bitcoinNetworks are the human-readable parts of BIP-173, by the network's name.
var bitcoinNetworks = map[string]string{"main": "bc", "test": "tb"}

// BitcoinAddress returns the address that pays to the hash of a secp256k1 key: P2WPKH,
// witness version 0 (BIP-141, BIP-173). The network is "main" or "test"; signet has the
// addresses of "test". Anything else is fault.Invalid.
func BitcoinAddress(key keyring.PublicKey, network string) (string, error) {
	human, ok := bitcoinNetworks[network]
	if !ok {
		return "", &fault.Error{
			Kind: fault.Invalid, Op: "write Bitcoin address", Subject: fmt.Sprintf("network %q", network),
			Problem: "There is no such network.", Hint: `Use "main" or "test".`,
		}
	}
	point, err := pointOf(key, "write Bitcoin address", keyring.ECSecp256k1)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(compressed(point))
	h := ripemd160.New() //nolint:gosec // see the import
	_, _ = h.Write(sum[:])
	return bech32(human, append([]byte{0}, fives(h.Sum(nil))...)), nil
}

// compressed is a point in the short form of SEC 1 section 2.3.3: the parity of Y, and X.
func compressed(point []byte) []byte {
	half := (len(point) - 1) / 2
	return append([]byte{2 + point[len(point)-1]&1}, point[1:1+half]...)
}
