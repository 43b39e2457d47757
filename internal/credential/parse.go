package credential

import (
	"bytes"
	"crypto/elliptic"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// algorithms ties a key's algorithm to that of the signatures made with it.
var algorithms = map[keyring.Algorithm]Algorithm{
	keyring.Ed25519: Ed25519, keyring.ECP256: ECDSAP256, keyring.ECSecp256k1: ECDSASecp256k1,
}

// What a SubjectPublicKeyInfo calls the kinds of keys and curves that are supported (RFC
// 5480 section 2.1.1, RFC 8410 section 3, SEC 2 appendix A.2.1).
const (
	oidEC        = "1.2.840.10045.2.1"
	oidP256      = "1.2.840.10045.3.1.7"
	oidSecp256k1 = "1.3.132.0.10"
	oidEd25519   = "1.3.101.112"
)

// foreign names kinds of keys and curves that are well known and not supported.
var foreign = map[string]string{
	"1.2.840.113549.1.1.1": "RSA", "1.2.840.113549.1.1.10": "RSA-PSS", "1.2.840.10040.4.1": "DSA",
	"1.2.840.10045.3.1.1": "EC_P192", "1.3.132.0.33": "EC_P224", "1.3.132.0.34": string(keyring.ECP384), "1.3.132.0.35": string(keyring.ECP521),
	"1.3.101.110": "X25519", "1.3.101.111": "X448", "1.3.101.113": string(keyring.Ed448),
}

const howToMakeKey = "Give an Ed25519, ECDSA P-256 or secp256k1 public key, as PEM (`openssl genpkey -algorithm ed25519 -out KEY`, then `openssl pkey -in KEY -pubout`) " +
	"or in OpenSSH's format (the .pub file that `ssh-keygen -t ed25519` writes)."

// ParsePublicKey reads a public key as PEM (SubjectPublicKeyInfo, RFC 5280 section
// 4.1.2.7) or in OpenSSH's format (RFC 4253 section 6.6): Ed25519, ECDSA on P-256 or, as
// PEM, on secp256k1. Anything else is fault.Invalid, with the Subject "public_key"; no
// part of the text gets into the error. The same key gives the same result in both
// formats, and with a compressed point.
func ParsePublicKey(text string) (keyring.PublicKey, Algorithm, error) {
	text = strings.TrimSpace(text)
	if IsPrivate(text) {
		return nil, "", refuseKey("This is a private key, which nobody but the caller must have. It is not repeated here.",
			"Treat that key as disclosed: make a new one, and give its public half.")
	}
	read := parseOpenSSH
	if strings.Contains(text, beginPEM) {
		read = parsePEM
	}
	key, err := read(text)
	if err != nil {
		return nil, "", err
	}
	kind, err := key.Algorithm()
	if err != nil {
		return nil, "", refuseMalformed(err)
	}
	algorithm, ok := algorithms[kind]
	if !ok {
		return nil, "", refuseKind(string(kind))
	}
	if algorithm == Ed25519 && isWeak(key) {
		return nil, "", refuseKey("The key is weak: it is no proper point of the curve, or one with which anyone can make signatures.", howToMakeKey)
	}
	return key, algorithm, nil
}

func refuseKey(problem, hint string) error {
	return &fault.Error{Kind: fault.Invalid, Op: "read public key", Subject: "public_key", Problem: problem, Hint: hint}
}

func refuseKind(kind string) error {
	return refuseKey(fmt.Sprintf("%s keys are not supported.", kind), howToMakeKey)
}

// refuseMalformed says what keyring says is wrong with a key.
func refuseMalformed(err error) error {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return refuseKey(f.Problem, howToMakeKey)
	}
	return refuseKey("The key cannot be read.", howToMakeKey)
}

const beginPEM = "-----BEGIN "

func parsePEM(text string) (keyring.PublicKey, error) {
	block, rest := pem.Decode([]byte(text))
	switch {
	case strings.Count(text, beginPEM) > 1:
		return nil, refuseKey("There are several PEM blocks. A version of a credential has one key.", howToMakeKey)
	case block == nil:
		return nil, refuseKey("The PEM block cannot be decoded.", howToMakeKey)
	case len(bytes.TrimSpace(rest)) > 0 || len(block.Headers) > 0 || !strings.HasPrefix(text, beginPEM):
		return nil, refuseKey("There is something beside the key.", howToMakeKey)
	case strings.HasSuffix(block.Type, "CERTIFICATE REQUEST"):
		return nil, refuseKey("This is a request for a certificate, not a public key.", "Take the key out of it: `openssl req -in FILE -pubkey -noout`.")
	case strings.HasSuffix(block.Type, "CERTIFICATE"):
		return nil, refuseKey("This is a certificate, not a public key.", "Take the key out of it: `openssl x509 -in FILE -pubkey -noout`.")
	case block.Type == "RSA PUBLIC KEY":
		return nil, refuseKind("RSA")
	case block.Type != "PUBLIC KEY":
		return nil, refuseKey("This kind of PEM block is not a public key: that has the label PUBLIC KEY.", howToMakeKey)
	}
	return parseDER(block.Bytes)
}

// parseDER looks at a SubjectPublicKeyInfo as far as it takes to say what is wrong with a
// foreign kind, and to write a compressed point out. The rest is up to keyring.
func parseDER(der []byte) (keyring.PublicKey, error) {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if rest, err := asn1.Unmarshal(der, &info); err != nil || len(rest) > 0 {
		return nil, refuseKey("In the PEM block is not a public key (SubjectPublicKeyInfo).", howToMakeKey)
	}
	kind := info.Algorithm.Algorithm.String()
	if curve := (asn1.ObjectIdentifier{}); kind == oidEC {
		if _, err := asn1.Unmarshal(info.Algorithm.Parameters.FullBytes, &curve); err != nil {
			return nil, refuseKey("The key does not name its curve.", "Write it with a named curve: `openssl ec -pubin -in KEY -param_enc named_curve`.")
		}
		kind = curve.String()
	}
	if name, ok := foreign[kind]; ok {
		return nil, refuseKind(name)
	}
	if kind != oidEd25519 && kind != oidP256 && kind != oidSecp256k1 {
		return nil, refuseKey("The kind of the key, or its curve, is not supported.", howToMakeKey)
	}
	point := info.Key.RightAlign()
	if len(point) != 33 || info.Key.BitLength != 8*len(point) || point[0]&^1 != 2 {
		return keyring.PublicKey(der), nil
	}
	written, err := decompress(kind, point)
	if err != nil {
		return nil, refuseMalformed(err)
	}
	return written, nil
}

// decompress writes a point in the compressed form of SEC 1 section 2.3.3 out.
func decompress(curve string, point []byte) (keyring.PublicKey, error) {
	switch curve {
	case oidP256:
		if x, y := elliptic.UnmarshalCompressed(elliptic.P256(), point); x != nil {
			return keyring.NewECPublicKey(keyring.ECP256, uncompressed(x, y))
		}
	case oidSecp256k1:
		if key, err := secp256k1.ParsePubKey(point); err == nil {
			return keyring.NewECPublicKey(keyring.ECSecp256k1, key.SerializeUncompressed())
		}
	}
	return nil, refuseKey("The point is not on a curve that is supported.", howToMakeKey)
}

func uncompressed(x, y *big.Int) []byte {
	point := make([]byte, 65)
	point[0] = 4
	x.FillBytes(point[1:33])
	y.FillBytes(point[33:])
	return point
}
