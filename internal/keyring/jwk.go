package keyring

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
)

// jwk is a public JSON Web Key (RFC 7517) on curves (RFC 7518 section 6.2, RFC
// 8037, RFC 8812) or of RSA (RFC 7518 section 6.3). The fields stand in the order
// of their names, which is the order that a thumbprint is taken in.
type jwk struct {
	Alg string `json:"alg,omitempty"`
	Crv string `json:"crv,omitempty"`
	E   string `json:"e,omitempty"`
	Kid string `json:"kid,omitempty"`
	Kty string `json:"kty"`
	N   string `json:"n,omitempty"`
	X   string `json:"x,omitempty"`
	Y   string `json:"y,omitempty"`
}

// JWK returns the key as a JSON Web Key on one line, members in the order of
// their names, so that the same key always gives the same text. Its kid is the
// SHA-256 thumbprint of RFC 7638. It has an alg where the kind of key leaves only
// one signature algorithm: ES256, ES384, ES512, ES256K or EdDSA, and none for
// RSA. Coordinates keep their leading zeros. No key, or one that the
// constructors would not have made, is fault.Invalid.
func (p PublicKey) JWK() (string, error) {
	key, err := p.webKey()
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(key)
	return string(text), err
}

// JWKS returns the keys as a JSON Web Key Set (RFC 7517 section 5) on one line,
// each as JWK gives it, in the order given; a key that is given twice is in the
// set once. No keys make an empty set. Fails as JWK does.
func JWKS(keys []PublicKey) (string, error) {
	set := struct {
		Keys []jwk `json:"keys"`
	}{Keys: []jwk{}}
	seen := make(map[string]bool, len(keys))
	for _, p := range keys {
		key, err := p.webKey()
		if err != nil {
			return "", err
		}
		if !seen[key.Kid] {
			seen[key.Kid] = true
			set.Keys = append(set.Keys, key)
		}
	}
	text, err := json.Marshal(set)
	return string(text), err
}

// Thumbprint returns the SHA-256 thumbprint of RFC 7638 in base64url without padding:
// what JWK gives as kid. Fails as JWK does.
func (p PublicKey) Thumbprint() (string, error) {
	key, err := p.webKey()
	return key.Kid, err
}

func (p PublicKey) webKey() (jwk, error) {
	m, err := p.parse()
	if err != nil {
		return jwk{}, err
	}
	curve, encode := curves[m.algorithm], base64.RawURLEncoding.EncodeToString
	var key jwk
	switch m.algorithm.Family() {
	case RSA:
		key = jwk{Kty: "RSA", N: encode(m.rsa.N.Bytes()), E: encode(m.rsa.E.Bytes())}
	case EC:
		key = jwk{Kty: "EC", Crv: curve.crv, X: encode(m.point[1 : 1+curve.size]), Y: encode(m.point[1+curve.size:])}
	default:
		key = jwk{Kty: "OKP", Crv: curve.crv, X: encode(m.point)}
	}
	// The members required of a key type, and only these, are in place now: what
	// the thumbprint is taken of (RFC 7638 section 3.2, RFC 8037 section 2).
	text, err := json.Marshal(key)
	if err != nil {
		return jwk{}, err
	}
	sum := sha256.Sum256(text)
	key.Kid, key.Alg = encode(sum[:]), curve.alg
	return key, nil
}
