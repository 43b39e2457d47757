package credential

import (
	"context"
	"time"
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
}

// NewVerifier returns a verifier for the credentials of an environment. It does no I/O.
func NewVerifier(environment string, credentials []*Credential, d Deriver, now func() time.Time) (*Verifier, error) {
	return nil, errLater
}

// Verify says which principal signed a message. A *Rejection says why none did; any
// other error is a *fault.Error of the HSM, and says nothing about the signature.
func (v *Verifier) Verify(ctx context.Context, keyID string, message, signature []byte) (Principal, error) {
	return Principal{}, errLater
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
type Rejection struct {
	KeyID  string
	Reason Reason
}

func (r *Rejection) Error() string { return "credential " + r.KeyID + ": " + string(r.Reason) }

// KeyID is what a caller puts into its requests: environment, name and version.
func KeyID(environment, name string, version int) string { return "" }

// ParseKeyID reads what KeyID wrote; ok is false for anything else.
func ParseKeyID(id string) (environment, name string, version int, ok bool) { return }
