package keyring

import (
	"bytes"
	"crypto/ecdh"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// PublicKey is a SubjectPublicKeyInfo in DER (RFC 5280 section 4.1.2.7); the
// zero value is no key. In JSON it is a base64 string (RFC 4648 section 4).
//
// The encoding is done here because crypto/x509 knows neither secp256k1 nor
// Ed448. One key has one encoding: EC points are uncompressed and parameters are
// named curves, so that equal keys are equal bytes and have one fingerprint.
type PublicKey []byte

var (
	oidRSA = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1} // RFC 3279 section 2.3.1
	oidEC  = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}     // RFC 5480 section 2.1.1
)

// A curve's oid is the parameter of oidEC (RFC 5480 section 2.1.1.1, SEC 2
// appendix A.2.1) or, for Edwards keys, the algorithm itself (RFC 8410 section 3).
var curves = map[Algorithm]struct {
	oid  asn1.ObjectIdentifier
	crv  string // as in a JSON Web Key
	alg  string // the one signature algorithm of RFC 7518, RFC 8037 or RFC 8812
	size int    // octets of a coordinate or of an encoded Edwards point
}{
	ECP256:      {asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}, "P-256", "ES256", 32},
	ECP384:      {asn1.ObjectIdentifier{1, 3, 132, 0, 34}, "P-384", "ES384", 48},
	ECP521:      {asn1.ObjectIdentifier{1, 3, 132, 0, 35}, "P-521", "ES512", 66},
	ECSecp256k1: {asn1.ObjectIdentifier{1, 3, 132, 0, 10}, "secp256k1", "ES256K", 32},
	Ed25519:     {asn1.ObjectIdentifier{1, 3, 101, 112}, "Ed25519", "EdDSA", 32},
	Ed448:       {asn1.ObjectIdentifier{1, 3, 101, 113}, "Ed448", "EdDSA", 57},
}

type (
	subjectPublicKeyInfo struct {
		Algorithm pkix.AlgorithmIdentifier
		PublicKey asn1.BitString
	}
	rsaPublicKey struct{ N, E *big.Int } // RFC 8017 appendix A.1.1
)

// NewRSAPublicKey takes modulus and public exponent, big-endian; leading zeros
// do no harm. A modulus whose length is not one of the algorithms', or numbers
// that cannot be an RSA key, are fault.Invalid.
func NewRSAPublicKey(n, e []byte) (PublicKey, error) {
	key := rsaPublicKey{N: new(big.Int).SetBytes(n), E: new(big.Int).SetBytes(e)}
	if _, err := key.algorithm(); err != nil {
		return nil, err
	}
	bits, err := asn1.Marshal(key)
	if err != nil {
		return nil, invalidPublicKey("The RSA numbers cannot be encoded.", err)
	}
	return marshalPublicKey(oidRSA, asn1.NullRawValue, bits)
}

// NewECPublicKey takes an algorithm of the EC family and an uncompressed point,
// 04||X||Y (SEC 1 section 2.3.3). A point that has another form or is not on the
// curve is fault.Invalid.
func NewECPublicKey(a Algorithm, point []byte) (PublicKey, error) {
	if a.Family() != EC {
		return nil, invalidPublicKey(fmt.Sprintf("%s is not an algorithm on an EC curve.", a), nil)
	}
	if err := checkPoint(a, point); err != nil {
		return nil, err
	}
	curve, err := asn1.Marshal(curves[a].oid)
	if err != nil {
		return nil, invalidPublicKey("The curve cannot be encoded.", err)
	}
	return marshalPublicKey(oidEC, asn1.RawValue{FullBytes: curve}, point)
}

// NewEdwardsPublicKey takes Ed25519 or Ed448 and an encoded point of 32 or 57
// octets (RFC 8032 sections 5.1.2 and 5.2.2). Any other length is fault.Invalid;
// whether the octets decode to a point is left to whoever verifies with it.
func NewEdwardsPublicKey(a Algorithm, point []byte) (PublicKey, error) {
	if a.Family() != Edwards {
		return nil, invalidPublicKey(fmt.Sprintf("%s is not an algorithm on an Edwards curve.", a), nil)
	}
	if len(point) != curves[a].size {
		return nil, invalidPublicKey(fmt.Sprintf("An %s key has %d octets, not %d.", a, curves[a].size, len(point)), nil)
	}
	return marshalPublicKey(curves[a].oid, asn1.RawValue{}, point)
}

// PEM returns the key as a "PUBLIC KEY" block (RFC 7468 section 13) with a final
// newline; empty for no key.
func (p PublicKey) PEM() string {
	if len(p) == 0 {
		return ""
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: p}))
}

// Fingerprint returns the SHA-256 of the DER in lower-case hexadecimal; empty
// for no key.
func (p PublicKey) Fingerprint() string {
	if len(p) == 0 {
		return ""
	}
	sum := sha256.Sum256(p)
	return hex.EncodeToString(sum[:])
}

// Algorithm says which kind of key it is. Anything that the constructors would
// not have made is fault.Invalid.
func (p PublicKey) Algorithm() (Algorithm, error) {
	m, err := p.parse()
	return m.algorithm, err
}

// Point returns the encoded point of a key on a curve: uncompressed (SEC 1 section
// 2.3.3) or as of RFC 8032. An RSA key is fault.Invalid.
func (p PublicKey) Point() ([]byte, error) {
	m, err := p.parse()
	if err == nil && m.algorithm.Family() == RSA {
		err = invalidPublicKey("An RSA key has no point.", nil)
	}
	if err != nil {
		return nil, err
	}
	return m.point, nil
}

// publicMaterial is a public key taken apart: rsa for RSA, point for the curves.
type publicMaterial struct {
	algorithm Algorithm
	rsa       rsaPublicKey
	point     []byte
}

// parse takes the key apart and insists on the one encoding by making it again.
func (p PublicKey) parse() (publicMaterial, error) {
	var info subjectPublicKeyInfo
	rest, err := asn1.Unmarshal(p, &info)
	if err != nil || len(rest) != 0 {
		return publicMaterial{}, invalidPublicKey("This is not a SubjectPublicKeyInfo in DER.", err)
	}
	m, again := publicMaterial{point: info.PublicKey.Bytes}, PublicKey(nil)
	switch oid := info.Algorithm.Algorithm; {
	case oid.Equal(oidRSA):
		if rest, err := asn1.Unmarshal(m.point, &m.rsa); err != nil || len(rest) != 0 || m.rsa.N.Sign() < 0 || m.rsa.E.Sign() < 0 {
			return publicMaterial{}, invalidPublicKey("The RSA numbers in it are not readable.", err)
		}
		if m.algorithm, err = m.rsa.algorithm(); err == nil {
			again, err = NewRSAPublicKey(m.rsa.N.Bytes(), m.rsa.E.Bytes())
		}
	case oid.Equal(oidEC):
		var curve asn1.ObjectIdentifier
		if _, err := asn1.Unmarshal(info.Algorithm.Parameters.FullBytes, &curve); err != nil {
			return publicMaterial{}, invalidPublicKey("It does not name its curve.", err)
		}
		if m.algorithm, err = algorithmOf(curve, EC); err == nil {
			again, err = NewECPublicKey(m.algorithm, m.point)
		}
	default:
		if m.algorithm, err = algorithmOf(oid, Edwards); err == nil {
			again, err = NewEdwardsPublicKey(m.algorithm, m.point)
		}
	}
	if err != nil {
		return publicMaterial{}, err
	}
	if !bytes.Equal(p, again) {
		return publicMaterial{}, invalidPublicKey("It is not encoded as the standards say (RFC 3279, RFC 5480, RFC 8410).", nil)
	}
	return m, nil
}

func algorithmOf(oid asn1.ObjectIdentifier, family Family) (Algorithm, error) {
	for a, c := range curves {
		if a.Family() == family && c.oid.Equal(oid) {
			return a, nil
		}
	}
	return "", &fault.Error{Kind: fault.Invalid, Op: "read public key", Problem: fmt.Sprintf("The kind of key or curve %s is not known here.", oid), Hint: hintKinds}
}

func (k rsaPublicKey) algorithm() (Algorithm, error) {
	if k.N.Bit(0) == 0 || k.E.Bit(0) == 0 || k.E.BitLen() < 2 || k.E.Cmp(k.N) >= 0 {
		return "", invalidPublicKey("These numbers are not an RSA modulus and exponent.", nil)
	}
	for _, a := range []Algorithm{RSA2048, RSA3072, RSA4096} {
		if a.Bits() == k.N.BitLen() {
			return a, nil
		}
	}
	return "", &fault.Error{
		Kind: fault.Invalid, Op: "read public key", Problem: fmt.Sprintf("An RSA modulus of %d bits is not one of 2048, 3072 and 4096.", k.N.BitLen()), Hint: hintKinds,
	}
}

// hintKinds is for keys that no other form would help.
const hintKinds = "Use another key: of RSA with 2048, 3072 or 4096 bits, on P-256, P-384, P-521 or secp256k1, Ed25519 or Ed448."

func marshalPublicKey(oid asn1.ObjectIdentifier, parameters asn1.RawValue, bits []byte) (PublicKey, error) {
	der, err := asn1.Marshal(subjectPublicKeyInfo{
		Algorithm: pkix.AlgorithmIdentifier{Algorithm: oid, Parameters: parameters},
		PublicKey: asn1.BitString{Bytes: bits, BitLength: 8 * len(bits)},
	})
	if err != nil {
		return nil, invalidPublicKey("The key cannot be encoded.", err)
	}
	return der, nil
}

func checkPoint(a Algorithm, point []byte) error {
	if len(point) != 1+2*curves[a].size || point[0] != 4 {
		return invalidPublicKey(fmt.Sprintf("A point on %s is 04||X||Y with %d octets each.", curves[a].crv, curves[a].size), nil)
	}
	var err error
	on := true
	switch a {
	case ECP256:
		_, err = ecdh.P256().NewPublicKey(point)
	case ECP384:
		_, err = ecdh.P384().NewPublicKey(point)
	case ECP521:
		_, err = ecdh.P521().NewPublicKey(point)
	default:
		on = onSecp256k1(new(big.Int).SetBytes(point[1:33]), new(big.Int).SetBytes(point[33:]))
	}
	if err != nil || !on {
		return invalidPublicKey("The point is not on the curve "+curves[a].crv+".", nil)
	}
	return nil
}

// primeSecp256k1 is p = 2²⁵⁶ - 2³² - 977 (SEC 2 section 2.4.1).
func primeSecp256k1() *big.Int {
	one := big.NewInt(1)
	p := new(big.Int).Lsh(one, 256)
	return p.Sub(p, new(big.Int).Lsh(one, 32)).Sub(p, big.NewInt(977))
}

// onSecp256k1 checks y² = x³ + 7 modulo p. The numbers are public, so that math/big's
// varying time gives nothing away.
func onSecp256k1(x, y *big.Int) bool {
	p := primeSecp256k1()
	if x.Cmp(p) >= 0 || y.Cmp(p) >= 0 {
		return false
	}
	left := new(big.Int).Exp(y, big.NewInt(2), p)
	right := new(big.Int).Exp(x, big.NewInt(3), p)
	right.Add(right, big.NewInt(7)).Mod(right, p)
	return left.Cmp(right) == 0
}

func invalidPublicKey(problem string, cause error) error {
	return &fault.Error{Kind: fault.Invalid, Op: "read public key", Problem: problem, Cause: cause}
}
