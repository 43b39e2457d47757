package credential

import "github.com/keystead/terraform-provider-hsm/internal/keyring"

// ParsePublicKey reads a public key as PEM (SubjectPublicKeyInfo, RFC 5280) or in
// OpenSSH's format: Ed25519, ECDSA on P-256 or secp256k1. Everything else is
// fault.Invalid or fault.Unsupported; the text itself never gets into the error. IsPrivate
// tells a private key apart, which must not be shown with its context either.
func ParsePublicKey(text string) (keyring.PublicKey, Algorithm, error) { return nil, "", errLater }

// IsPrivate reports whether a text that was meant to be public looks like a private key
// (PEM, OpenSSH, PuTTY, JWK, age).
func IsPrivate(text string) bool { return false }

// ParseRecipient refuses (fault.Invalid) what a secret cannot be sealed to. The text
// itself never gets into the error.
func ParseRecipient(text string) error { return errLater }

// CheckRecipients refuses (fault.Invalid) recipients that cannot be used together: age
// does not mix post-quantum ones with others.
func CheckRecipients(recipients []string) error { return errLater }
