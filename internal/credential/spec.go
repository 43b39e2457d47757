package credential

import (
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// Type says what a caller proves itself with.
type Type string

// The types.
const (
	PublicKey    Type = "public_key"    // a signature; only the caller has the private key
	SharedSecret Type = "shared_secret" // a MAC with a secret that both sides know
)

// Algorithm is how a version's signatures are made.
type Algorithm string

// The algorithms. The first two are for shared secrets, with 32 and 64 bytes of
// secret; the others follow from the public key. ECDSA signatures are over the
// SHA-256 of the message and are r and s, 32 bytes each, one after the other (RFC
// 7518 section 3.4, RFC 8812 section 3.2); with secp256k1 s has to be low.
const (
	HMACSHA256     Algorithm = "hmac-sha256"
	HMACSHA512     Algorithm = "hmac-sha512"
	Ed25519        Algorithm = "ed25519"
	ECDSAP256      Algorithm = "ecdsa-p256"
	ECDSASecp256k1 Algorithm = "ecdsa-secp256k1"
)

// Spec is what an owner asks of a credential.
type Spec struct {
	Name    string            `json:"name"`
	Owner   string            `json:"owner"` // a person or a team
	Tags    map[string]string `json:"tags,omitempty"`
	Enabled bool              `json:"enabled"`
	Type    Type              `json:"type"`

	// Algorithm and PublicKey hold for the next version, as with keys: another one
	// makes a new version. Exactly one is given, as the Type says.
	Algorithm Algorithm         `json:"algorithm,omitempty"`
	PublicKey keyring.PublicKey `json:"public_key,omitempty"`

	// Recipients are what a shared secret is sealed to: age recipients (age1…,
	// age1pq1…) and SSH public keys, as written.
	Recipients []string `json:"recipients,omitempty"`

	// ExpiresAt ends the credential, ValidFor each version that long after it was
	// made; at most one is set.
	ExpiresAt time.Time     `json:"expires_at,omitzero"`
	ValidFor  time.Duration `json:"valid_for,omitempty"`

	// RotateEvery is how long a version serves before it is due for a successor; 0 is
	// for ever. Overlap is how long a replaced version is still accepted; 0 is not at
	// all, and with more than RotateEvery there are more than two accepted at a time.
	RotateEvery       time.Duration     `json:"rotate_every,omitempty"`
	Overlap           time.Duration     `json:"overlap,omitempty"`
	RotateWhenChanged map[string]string `json:"rotate_when_changed,omitempty"`

	Revoke map[int]keyring.Reason `json:"revoke,omitempty"`

	// Declared is the configuration that the fields above were read from.
	Declared Declaration `json:"declared,omitzero"`
}

// Declaration is how a configuration puts what Spec holds in other terms, word for
// word, so that importing a credential gives back what was written.
type Declaration struct {
	PublicKey   string `json:"public_key,omitempty"` // PEM or OpenSSH
	ExpiresAt   string `json:"expires_at,omitempty"`
	ValidFor    string `json:"valid_for,omitempty"`
	RotateEvery string `json:"rotate_every,omitempty"`
	Overlap     string `json:"overlap,omitempty"`
}
