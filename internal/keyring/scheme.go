package keyring

import (
	"crypto"
	_ "crypto/sha256" // the hashes of schemes
	_ "crypto/sha512"
	"encoding/asn1"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// Scheme is a way to make a signature or a MAC, hash and padding included, by the name
// that JSON Web Algorithms give it (RFC 7518 section 3.1, RFC 8037, RFC 8812).
type Scheme string

// The schemes.
const (
	ES256  Scheme = "ES256"
	ES384  Scheme = "ES384"
	ES512  Scheme = "ES512"
	ES256K Scheme = "ES256K"
	EdDSA  Scheme = "EdDSA"
	RS256  Scheme = "RS256"
	RS384  Scheme = "RS384"
	RS512  Scheme = "RS512"
	PS256  Scheme = "PS256"
	PS384  Scheme = "PS384"
	PS512  Scheme = "PS512"
	HS256  Scheme = "HS256"
	HS384  Scheme = "HS384"
	HS512  Scheme = "HS512"
)

type schemeFacts struct {
	algorithms []Algorithm
	hash       crypto.Hash // 0 where the message is signed whole
	// mechanisms carry it out, one as well as the other; those that take a digest which
	// was made outside the HSM are digesting.
	mechanisms, digesting []Mechanism
}

var rsaAlgorithms = []Algorithm{RSA2048, RSA3072, RSA4096}

var schemes = map[Scheme]schemeFacts{
	ES256:  {[]Algorithm{ECP256}, crypto.SHA256, []Mechanism{"CKM_ECDSA_SHA256"}, []Mechanism{"CKM_ECDSA"}},
	ES384:  {[]Algorithm{ECP384}, crypto.SHA384, []Mechanism{"CKM_ECDSA_SHA384"}, []Mechanism{"CKM_ECDSA"}},
	ES512:  {[]Algorithm{ECP521}, crypto.SHA512, []Mechanism{"CKM_ECDSA_SHA512"}, []Mechanism{"CKM_ECDSA"}},
	ES256K: {[]Algorithm{ECSecp256k1}, crypto.SHA256, []Mechanism{"CKM_ECDSA_SHA256"}, []Mechanism{"CKM_ECDSA"}},
	EdDSA:  {[]Algorithm{Ed25519, Ed448}, 0, []Mechanism{"CKM_EDDSA"}, nil},
	RS256:  {rsaAlgorithms, crypto.SHA256, []Mechanism{"CKM_SHA256_RSA_PKCS"}, []Mechanism{"CKM_RSA_PKCS"}},
	RS384:  {rsaAlgorithms, crypto.SHA384, []Mechanism{"CKM_SHA384_RSA_PKCS"}, []Mechanism{"CKM_RSA_PKCS"}},
	RS512:  {rsaAlgorithms, crypto.SHA512, []Mechanism{"CKM_SHA512_RSA_PKCS"}, []Mechanism{"CKM_RSA_PKCS"}},
	PS256:  {rsaAlgorithms, crypto.SHA256, []Mechanism{"CKM_SHA256_RSA_PKCS_PSS"}, []Mechanism{"CKM_RSA_PKCS_PSS"}},
	PS384:  {rsaAlgorithms, crypto.SHA384, []Mechanism{"CKM_SHA384_RSA_PKCS_PSS"}, []Mechanism{"CKM_RSA_PKCS_PSS"}},
	PS512:  {rsaAlgorithms, crypto.SHA512, []Mechanism{"CKM_SHA512_RSA_PKCS_PSS"}, []Mechanism{"CKM_RSA_PKCS_PSS"}},
	HS256:  {[]Algorithm{HMACSHA256}, 0, []Mechanism{"CKM_SHA256_HMAC"}, nil},
	HS384:  {[]Algorithm{HMACSHA384}, 0, []Mechanism{"CKM_SHA384_HMAC"}, nil},
	HS512:  {[]Algorithm{HMACSHA512}, 0, []Mechanism{"CKM_SHA512_HMAC"}, nil},
}

// Schemes lists every scheme, in the order of the constants.
func Schemes() []Scheme {
	return []Scheme{ES256, ES384, ES512, ES256K, EdDSA, RS256, RS384, RS512, PS256, PS384, PS512, HS256, HS384, HS512}
}

// SchemeNames lists every scheme by name.
func SchemeNames() []string {
	var names []string
	for _, s := range Schemes() {
		names = append(names, string(s))
	}
	return names
}

// Schemes lists by what a key of this algorithm signs or makes a MAC, the usual one
// first; none for AES.
func (a Algorithm) Schemes() []Scheme {
	var own []Scheme
	for _, s := range Schemes() {
		if slices.Contains(schemes[s].algorithms, a) {
			own = append(own, s)
		}
	}
	return own
}

// Hash is what a message is hashed with before it is signed, 0 where it is signed whole.
func (s Scheme) Hash() crypto.Hash { return schemes[s].hash }

// Mechanisms lists by what a token can carry the scheme out: on a message, or on a digest
// of one. A message can be hashed outside the HSM, so what takes a digest serves both.
func (s Scheme) Mechanisms(isDigest bool) []Mechanism {
	facts := schemes[s]
	if isDigest {
		return facts.digesting
	}
	return slices.Concat(facts.mechanisms, facts.digesting)
}

// IsECDSA reports whether signatures are two numbers, r and s.
func (s Scheme) IsECDSA() bool { return slices.Contains([]Scheme{ES256, ES384, ES512, ES256K}, s) }

// Encoded returns a signature as X.509, TLS and openssl have it: that of ECDSA, which a
// token gives as r and s of equal length, as a sequence in DER (RFC 3279 section 2.2.3),
// any other as it is.
func (s Scheme) Encoded(signature []byte) ([]byte, error) {
	if !s.IsECDSA() {
		return signature, nil
	}
	half := len(signature) / 2
	return asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:])})
}

// Scheme returns what a version signs by: as wanted, or, if nothing is, the usual one of
// its algorithm that its allowed mechanisms permit. What the version cannot do is
// fault.Invalid.
func (v *Version) Scheme(wanted Scheme, isDigest bool) (Scheme, error) {
	invalid := func(problem, hint string) (Scheme, error) {
		return "", &fault.Error{Kind: fault.Invalid, Op: "sign", Problem: problem, Hint: hint}
	}
	own := v.Algorithm.Schemes()
	if len(own) == 0 {
		return invalid(fmt.Sprintf("There is no scheme by which an %s key signs.", v.Algorithm), "Use a pair, or an HMAC key.")
	}
	if wanted != "" && !slices.Contains(own, wanted) {
		return invalid(fmt.Sprintf("An %s key does not sign by %s.", v.Algorithm, wanted), "It signs by "+joined(own)+".")
	}
	if isDigest && own[0].Hash() == 0 {
		return invalid(fmt.Sprintf("An %s key signs the message itself, not a digest of it.", v.Algorithm), "Give the message.")
	}
	for _, s := range own {
		if (wanted == "" || s == wanted) && v.permits(s, isDigest) {
			return s, nil
		}
	}
	if wanted == "" {
		return invalid("The key's allowed_mechanisms permit none of the schemes "+joined(own)+".", "Allow one of their mechanisms, and rotate the key.")
	}
	return invalid(fmt.Sprintf("The key's allowed_mechanisms do not permit %s.", wanted), fmt.Sprintf("Allow one of %s, and rotate the key.", joined(wanted.Mechanisms(isDigest))))
}

func (v *Version) permits(s Scheme, isDigest bool) bool {
	return len(v.Mechanisms) == 0 || slices.ContainsFunc(s.Mechanisms(isDigest), func(m Mechanism) bool { return slices.Contains(v.Mechanisms, m) })
}

func joined[T ~string](list []T) string {
	var names []string
	for _, each := range list {
		names = append(names, string(each))
	}
	return strings.Join(names, ", ")
}
