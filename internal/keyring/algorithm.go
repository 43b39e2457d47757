package keyring

import (
	"fmt"
	"slices"
	"strings"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// Algorithm names a kind of key together with its size, as users write it.
type Algorithm string

// The algorithms.
const (
	AES128      Algorithm = "AES_128"
	AES192      Algorithm = "AES_192"
	AES256      Algorithm = "AES_256"
	HMACSHA256  Algorithm = "HMAC_SHA256"
	HMACSHA384  Algorithm = "HMAC_SHA384"
	HMACSHA512  Algorithm = "HMAC_SHA512"
	RSA2048     Algorithm = "RSA_2048"
	RSA3072     Algorithm = "RSA_3072"
	RSA4096     Algorithm = "RSA_4096"
	ECP256      Algorithm = "EC_P256"
	ECP384      Algorithm = "EC_P384"
	ECP521      Algorithm = "EC_P521"
	ECSecp256k1 Algorithm = "EC_SECP256K1"
	Ed25519     Algorithm = "ED25519"
	Ed448       Algorithm = "ED448"
)

// Family groups the algorithms that share key types, mechanisms and operations.
type Family uint8

// The families.
const (
	AES     Family = iota + 1 // symmetric block cipher
	HMAC                      // keyed hash, a generic secret as long as the digest
	RSA                       // pair; sizes in bits of the modulus
	EC                        // pair on a short Weierstrass curve
	Edwards                   // pair on an Edwards curve (RFC 8032)
)

type algorithmFacts struct {
	family   Family
	bits     int // AES and HMAC: key length; RSA: modulus; EC and Edwards: field size
	possible Operations
	usual    Operations
}

const (
	symmetric  = Encrypt | Decrypt | Wrap | Unwrap | Sign | Verify // Sign and Verify by AES-CMAC
	asymmetric = Sign | Verify | Encrypt | Decrypt | Wrap | Unwrap
	signature  = Sign | Verify
)

var algorithms = map[Algorithm]algorithmFacts{
	AES128:      {AES, 128, symmetric, Encrypt | Decrypt},
	AES192:      {AES, 192, symmetric, Encrypt | Decrypt},
	AES256:      {AES, 256, symmetric, Encrypt | Decrypt},
	HMACSHA256:  {HMAC, 256, signature, signature},
	HMACSHA384:  {HMAC, 384, signature, signature},
	HMACSHA512:  {HMAC, 512, signature, signature},
	RSA2048:     {RSA, 2048, asymmetric, signature},
	RSA3072:     {RSA, 3072, asymmetric, signature},
	RSA4096:     {RSA, 4096, asymmetric, signature},
	ECP256:      {EC, 256, signature | Derive, signature},
	ECP384:      {EC, 384, signature | Derive, signature},
	ECP521:      {EC, 521, signature | Derive, signature},
	ECSecp256k1: {EC, 256, signature | Derive, signature},
	Ed25519:     {Edwards, 255, signature, signature},
	Ed448:       {Edwards, 448, signature, signature},
}

// Algorithms lists every algorithm, in the order of the constants.
func Algorithms() []Algorithm {
	return []Algorithm{
		AES128, AES192, AES256, HMACSHA256, HMACSHA384, HMACSHA512, RSA2048, RSA3072, RSA4096,
		ECP256, ECP384, ECP521, ECSecp256k1, Ed25519, Ed448,
	}
}

// AlgorithmNames lists every algorithm by name.
func AlgorithmNames() []string {
	names := make([]string, 0, len(algorithms))
	for _, a := range Algorithms() {
		names = append(names, string(a))
	}
	return names
}

// ParseAlgorithm returns the named algorithm; fault.Invalid lists the known ones.
func ParseAlgorithm(name string) (Algorithm, error) {
	if _, ok := algorithms[Algorithm(name)]; !ok {
		return "", &fault.Error{
			Kind: fault.Invalid, Op: "read algorithm", Subject: fmt.Sprintf("algorithm %q", name),
			Problem: "There is no such algorithm.", Hint: "Use one of " + strings.Join(AlgorithmNames(), ", ") + ".",
		}
	}
	return Algorithm(name), nil
}

// Family returns the algorithm's family, 0 if the algorithm is unknown.
func (a Algorithm) Family() Family { return algorithms[a].family }

// Bits returns the key length (AES, HMAC), modulus length (RSA) or field size
// (EC, Edwards) in bits.
func (a Algorithm) Bits() int { return algorithms[a].bits }

// IsPair reports whether a version is a key pair, as opposed to one secret key.
func (a Algorithm) IsPair() bool { return slices.Contains([]Family{RSA, EC, Edwards}, a.Family()) }

// Operations returns what a key of this algorithm can be asked to do at all.
func (a Algorithm) Operations() Operations { return algorithms[a].possible }

// DefaultOperations returns what a key of this algorithm does when nothing is said.
func (a Algorithm) DefaultOperations() Operations { return algorithms[a].usual }
