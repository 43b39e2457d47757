package notation

import (
	"math/big"
	"slices"
	"strings"
)

// base58Alphabet leaves out what is easily mistaken: 0, O, I and l (draft-msporny-base58).
const base58Alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// base58 writes octets as a number in base 58. Leading zeros, which a number does not
// have, are written one by one.
func base58(octets []byte) string {
	n, base, digit := new(big.Int).SetBytes(octets), big.NewInt(58), new(big.Int)
	var reversed []byte
	for n.Sign() > 0 {
		n.DivMod(n, base, digit)
		reversed = append(reversed, base58Alphabet[digit.Int64()])
	}
	var b strings.Builder
	for i := 0; i < len(octets) && octets[i] == 0; i++ {
		b.WriteByte(base58Alphabet[0])
	}
	for _, digit := range slices.Backward(reversed) {
		b.WriteByte(digit)
	}
	return b.String()
}
