package notation

import "strings"

// The alphabet, and the coefficients of the checksum's generator (BIP-173).
const bech32Alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

var bech32Generator = [...]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3}

// bech32 writes a human-readable part in lower case, and values of five bits, with the
// checksum of BIP-173.
func bech32(human string, values []byte) string {
	var b strings.Builder
	b.WriteString(human + "1")
	for _, v := range append(values, bech32Checksum(human, values)...) {
		b.WriteByte(bech32Alphabet[v])
	}
	return b.String()
}

func bech32Checksum(human string, values []byte) []byte {
	var expanded []byte
	for i := range len(human) {
		expanded = append(expanded, human[i]>>5)
	}
	expanded = append(expanded, 0)
	for i := range len(human) {
		expanded = append(expanded, human[i]&31)
	}
	expanded = append(append(expanded, values...), make([]byte, 6)...)
	remainder := bech32Polymod(expanded) ^ 1
	checksum := make([]byte, 6)
	for i := range checksum {
		checksum[i] = byte(remainder >> (5 * (5 - i)) & 31)
	}
	return checksum
}

func bech32Polymod(values []byte) uint32 {
	remainder := uint32(1)
	for _, v := range values {
		top := remainder >> 25
		remainder = remainder&0x1ffffff<<5 ^ uint32(v)
		for i, coefficient := range bech32Generator {
			if top>>i&1 == 1 {
				remainder ^= coefficient
			}
		}
	}
	return remainder
}

// fives regroups octets into values of five bits; zeros fill up the last one.
func fives(octets []byte) []byte {
	var values []byte
	held, bits := uint32(0), 0
	for _, octet := range octets {
		held, bits = held<<8|uint32(octet), bits+8
		for ; bits >= 5; bits -= 5 {
			values = append(values, byte(held>>(bits-5)&31))
		}
	}
	if bits > 0 {
		values = append(values, byte(held<<(5-bits)&31))
	}
	return values
}
