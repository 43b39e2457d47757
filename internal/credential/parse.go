package credential

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// algorithms ties a key's algorithm to that of the signatures made with it.
var algorithms = map[keyring.Algorithm]Algorithm{
	keyring.Ed25519: Ed25519, keyring.ECP256: ECDSAP256, keyring.ECSecp256k1: ECDSASecp256k1,
}

const howToMakeKey = "Give an Ed25519, ECDSA P-256 or secp256k1 public key, as PEM (`openssl pkey -in KEY -pubout`) or in OpenSSH's format (the .pub file of `ssh-keygen -t ed25519`)."

// ParsePublicKey reads a public key as PEM (SubjectPublicKeyInfo, RFC 5280) or in
// OpenSSH's format: Ed25519, ECDSA on P-256 or secp256k1. Anything else is
// fault.Invalid, with the Subject "public_key"; the text itself never gets into the
// error. The same key gives the same result in both formats.
func ParsePublicKey(text string) (keyring.PublicKey, Algorithm, error) {
	if IsPrivate(text) {
		return nil, "", refuseKey("This is a private key, which nobody but the caller must have. It is not repeated here.",
			"Treat that key as disclosed: make a new one, and give its public half.", nil)
	}
	var key keyring.PublicKey
	var err error
	if strings.Contains(text, "-----BEGIN ") {
		key, err = parsePEM(text)
	} else {
		key, err = parseOpenSSH(text)
	}
	if err != nil {
		return nil, "", err
	}
	kind, err := key.Algorithm()
	if err != nil {
		return nil, "", refuseKey("The key cannot be read, or is on a curve that is not supported.", howToMakeKey, err)
	}
	algorithm, ok := algorithms[kind]
	if !ok {
		return nil, "", refuseKey(fmt.Sprintf("Keys of the kind %s are not supported.", kind), howToMakeKey, nil)
	}
	if algorithm == Ed25519 && isWeak(key) {
		return nil, "", refuseKey("The key is weak: it is no proper point of the curve, or one with which anyone can make signatures.", howToMakeKey, nil)
	}
	return key, algorithm, nil
}

func refuseKey(problem, hint string, cause error) error {
	return &fault.Error{Kind: fault.Invalid, Op: "read public key", Subject: "public_key", Problem: problem, Hint: hint, Cause: cause}
}

func parsePEM(text string) (keyring.PublicKey, error) {
	block, rest := pem.Decode([]byte(strings.TrimSpace(text)))
	switch {
	case block == nil:
		return nil, refuseKey("The PEM block cannot be decoded.", howToMakeKey, nil)
	case len(bytes.TrimSpace(rest)) > 0 || !strings.HasPrefix(strings.TrimSpace(text), "-----BEGIN "):
		return nil, refuseKey("There is something beside the PEM block. A credential's version has one key.", howToMakeKey, nil)
	case block.Type == "CERTIFICATE":
		return nil, refuseKey("This is a certificate, not a public key.", "Take the key out of it: `openssl x509 -in CERTIFICATE -pubkey -noout`.", nil)
	case block.Type != "PUBLIC KEY":
		return nil, refuseKey(fmt.Sprintf("A PEM block %q is not a public key of the supported form.", block.Type), howToMakeKey, nil)
	}
	return keyring.PublicKey(block.Bytes), nil
}

func parseOpenSSH(text string) (keyring.PublicKey, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, refuseKey("It is empty.", howToMakeKey, nil)
	}
	if strings.ContainsAny(text, "\n\r") {
		return nil, refuseKey("It has several lines. A credential's version has one key.", howToMakeKey, nil)
	}
	parsed, _, options, _, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil || len(options) > 0 {
		return nil, refuseKey("It is neither PEM nor a public key in OpenSSH's format.", howToMakeKey, nil) // the cause may quote the text
	}
	held, ok := parsed.(ssh.CryptoPublicKey)
	if !ok {
		return nil, refuseKey(fmt.Sprintf("OpenSSH keys of the type %s are not supported.", parsed.Type()), howToMakeKey, nil)
	}
	switch key := held.CryptoPublicKey().(type) {
	case ed25519.PublicKey:
		if parsed.Type() == ssh.KeyAlgoED25519 {
			return keyring.NewEdwardsPublicKey(keyring.Ed25519, key)
		}
	case *ecdsa.PublicKey:
		if point, err := key.ECDH(); err == nil && point.Curve() == ecdh.P256() && parsed.Type() == ssh.KeyAlgoECDSA256 {
			return keyring.NewECPublicKey(keyring.ECP256, point.Bytes())
		}
	}
	return nil, refuseKey(fmt.Sprintf("OpenSSH keys of the type %s are not supported.", parsed.Type()), howToMakeKey, nil)
}

// privateMarks are what only private keys have in them: PEM of every kind, PuTTY, age,
// and JSON Web Keys with a private member.
var privateMarks = []string{"PRIVATE KEY", "PUTTY-USER-KEY-FILE", "AGE-SECRET-KEY-", `"D":`, `"D" :`, "PRIVATE-LINES"}

// IsPrivate reports whether a text that was meant to be public looks like a private key
// (PEM, OpenSSH, PuTTY, JWK, age). It must not be shown to anyone then.
func IsPrivate(text string) bool {
	upper := strings.ToUpper(text)
	return slices.ContainsFunc(privateMarks, func(mark string) bool { return strings.Contains(upper, mark) })
}
