package credential

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"maps"
	"math/big"
	"time"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	secp256k1ecdsa "github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// Principal is a caller who has proven who it is.
type Principal struct {
	Environment string
	Name        string // of the credential
	Owner       string
	Tags        map[string]string
	Version     int
}

// Verifier tells callers by what they sign. It works on the credentials that it was
// made with: make another one when they change. Its methods may be called from several
// goroutines.
type Verifier struct {
	environment string
	deriver     Deriver
	now         func() time.Time
	callers     map[string]*caller // by key id
}

// caller is one version of a credential, ready to verify with.
type caller struct {
	credential *Credential
	version    *Version
	principal  Principal
	verify     func(message, signature []byte) bool // nil for a shared secret
}

// NewVerifier returns a verifier for the credentials of an environment. A public key
// that cannot be read is fault.Inconsistent: it was read before it was recorded. No I/O.
func NewVerifier(environment string, credentials []*Credential, d Deriver, now func() time.Time) (*Verifier, error) {
	v := &Verifier{environment: environment, deriver: d, now: now, callers: map[string]*caller{}}
	for _, c := range credentials {
		c := c.Clone()
		for n, version := range c.Versions {
			each := &caller{credential: c, version: version, principal: Principal{
				Environment: environment, Name: c.Spec.Name, Owner: c.Spec.Owner, Tags: c.Spec.Tags, Version: n,
			}}
			if version.Algorithm.size() == 0 {
				var err error
				if each.verify, err = verification(version); err != nil {
					return nil, &fault.Error{
						Kind: fault.Inconsistent, Op: "read API credential", Subject: versionSubject(c.Spec.Name, n),
						Problem: "Its recorded public key cannot be read.", Hint: "Restore the token's backup, or give the credential another public key.", Cause: err,
					}
				}
			}
			v.callers[KeyID(environment, c.Spec.Name, n)] = each
		}
	}
	return v, nil
}

// Verify says which principal signed a message. A *Rejection says why none did; any
// other error is a *fault.Error of the HSM, and says nothing about the signature.
//
// What is public is looked at first: whether the key id is known, and whether its
// version is accepted now. Neither is kept from whoever sends a key id. Only then the
// signature is checked, a MAC in constant time. The shared secret is derived for that,
// and overwritten before Verify returns.
func (v *Verifier) Verify(ctx context.Context, keyID string, message, signature []byte) (Principal, error) {
	c, ok := v.callers[keyID]
	if !ok {
		return Principal{}, &Rejection{keyID, Unknown}
	}
	if state := c.credential.State(c.version, v.now()); state != Active && state != Overlapping {
		return Principal{}, &Rejection{keyID, rejections[state]}
	}
	var good bool
	if c.verify != nil {
		good = c.verify(message, signature)
	} else {
		var err error
		if good, err = v.verifyMAC(ctx, c, message, signature); err != nil {
			return Principal{}, err
		}
	}
	if !good {
		return Principal{}, &Rejection{keyID, BadSignature}
	}
	who := c.principal
	who.Tags = maps.Clone(who.Tags)
	return who, nil
}

// rejections are the reasons to reject a version in a state.
var rejections = map[State]Reason{Expired: IsExpired, Revoked: IsRevoked, Superseded: IsSuperseded, Suspended: IsSuspended}

func (v *Verifier) verifyMAC(ctx context.Context, c *caller, message, signature []byte) (bool, error) {
	key, err := derive(ctx, v.deriver, v.environment, c.credential.Spec.Name, c.version)
	if err != nil {
		return false, err
	}
	defer clear(key)
	digest := sha256.New
	if c.version.Algorithm == HMACSHA512 {
		digest = sha512.New
	}
	mac := hmac.New(digest, key)
	mac.Write(message)
	return hmac.Equal(mac.Sum(nil), signature), nil
}

// verification is how signatures with a version's public key are verified.
func verification(v *Version) (func(message, signature []byte) bool, error) {
	point, err := v.PublicKey.Point()
	if err != nil {
		return nil, err
	}
	switch v.Algorithm {
	case Ed25519:
		key := ed25519.PublicKey(bytes.Clone(point))
		return func(message, signature []byte) bool { return ed25519.Verify(key, message, signature) }, nil
	case ECDSAP256:
		key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
		if err != nil {
			return nil, err
		}
		return func(message, signature []byte) bool {
			if len(signature) != 64 {
				return false
			}
			digest := sha256.Sum256(message)
			return ecdsa.Verify(key, digest[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:]))
		}, nil
	case ECDSASecp256k1:
		key, err := secp256k1.ParsePubKey(point)
		if err != nil {
			return nil, err
		}
		return func(message, signature []byte) bool { return verifySecp256k1(key, message, signature) }, nil
	}
	return nil, fmt.Errorf("there is no way to verify %q", v.Algorithm)
}

// verifySecp256k1 takes r and s, of which s has to be in the lower half: of the two that
// are good for a message only one is accepted (BIP 146), so that nobody can turn a
// signature into another one.
func verifySecp256k1(key *secp256k1.PublicKey, message, signature []byte) bool {
	if len(signature) != 64 {
		return false
	}
	var r, s secp256k1.ModNScalar
	if r.SetByteSlice(signature[:32]) || s.SetByteSlice(signature[32:]) || r.IsZero() || s.IsZero() || s.IsOverHalfOrder() {
		return false
	}
	digest := sha256.Sum256(message)
	return secp256k1ecdsa.NewSignature(&r, &s).Verify(digest[:], key)
}

// Reason says why a caller was rejected.
type Reason string

// The reasons.
const (
	Unknown      Reason = "unknown"       // no such key id in this environment
	IsExpired    Reason = "expired"       //
	IsRevoked    Reason = "revoked"       // or removed
	IsSuperseded Reason = "superseded"    // its overlap is over
	IsSuspended  Reason = "suspended"     // the credential is disabled
	BadSignature Reason = "bad signature" //
)

// Rejection is why a caller is not who it says.
type Rejection struct { //nolint:errname // it is a verdict, which happens to travel as an error
	KeyID  string
	Reason Reason
}

// Error says who was rejected and why. The key id is whatever was sent, so it is quoted.
func (r *Rejection) Error() string { return fmt.Sprintf("API credential %q: %s", r.KeyID, r.Reason) }
