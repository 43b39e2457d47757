package lifecycle

import (
	"context"

	"github.com/keystead/terraform-provider-hsm/internal/catalog"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// Generation is an order for one new version.
type Generation struct {
	Ref         keyring.Ref
	Algorithm   keyring.Algorithm
	Operations  keyring.Operations
	Mechanisms  []keyring.Mechanism // CKA_ALLOWED_MECHANISMS; nil leaves the attribute out
	Extractable bool
}

// Wrapped is material that was made elsewhere, and the way to open it.
type Wrapped struct {
	Material  []byte // as it was wrapped; it is of no use without the key
	Mechanism keyring.Wrapping
	By        keyring.Ref // the key that unwraps it: a secret key, or a pair
}

// Generated is what came of an order.
type Generated struct {
	PublicKey   keyring.PublicKey // nil for a secret key
	Fingerprint string
	Birth       keyring.Birth
}

// Sighting is what the token holds for one Ref.
type Sighting struct {
	// Secrets counts private (pair) or secret keys, Publics public keys with the
	// ref's CKA_ID. One secret, and one public for a pair, is as it should be.
	Secrets, Publics int
	// Permitted is what the objects' flags allow. It is the union over all objects.
	Permitted keyring.Operations
	// Refused is what was tried and refused by the token although, or because, a
	// flag is off; Performed is what was tried with its flag off and was done.
	Refused, Performed keyring.Operations
	PublicKey          keyring.PublicKey // as on the token, nil if there is no public object
	Fingerprint        string            // of PublicKey; empty for secret keys
	// Algorithm and Birth are what the private or secret key says of itself, empty if
	// there is none; of doubles it is the first. Whether the token tells the truth in
	// it is not found out here: Birth.Attested is false.
	Algorithm keyring.Algorithm
	Birth     keyring.Birth
	// Extractable is what the private or secret key says now. It can be switched off for
	// good, and never on.
	Extractable bool
	// SecretLabel and PublicLabel are the objects' CKA_LABEL; of doubles, the first's.
	SecretLabel, PublicLabel string
}

// Proof is what came of using a key to see whether it is the recorded one.
type Proof uint8

// The outcomes. Untried is a key that may do nothing by which it could be told from
// another, or with which the token does none of it.
const (
	Untried Proof = iota
	Proven
	Disproven
)

// Locator finds a key that was made elsewhere. Empty fields match everything.
type Locator struct {
	ID    string // CKA_ID, lower-case hexadecimal
	Label string // CKA_LABEL
	Class string // "private", "public" or "secret-key", as in RFC 7512's type; empty is any
}

// Found is a key that was made elsewhere, as the token describes it.
type Found struct {
	Ref         keyring.Ref
	Algorithm   keyring.Algorithm
	Operations  keyring.Operations
	Mechanisms  []keyring.Mechanism
	Extractable bool
	PublicKey   keyring.PublicKey
	Fingerprint string
	Birth       keyring.Birth
}

// Signing is an order for one signature, or MAC.
type Signing struct {
	Scheme   keyring.Scheme
	Input    []byte // the message, or a digest of it with the scheme's hash
	IsDigest bool
}

// Token is the HSM as the lifecycle needs it. Calls may come from several
// goroutines. Every error is a *fault.Error; Unavailable means that the outcome
// is unknown, any other kind that nothing was done.
type Token interface {
	// Info describes the token. Needs no login. May be retried.
	Info(ctx context.Context) (keyring.TokenInfo, error)
	// Warnings lists what an operator should know of the token although nothing
	// failed, as noticed by now, in whole sentences. No I/O.
	Warnings() []string
	// Capabilities tells what the token can do; logs in and may make and drop
	// session objects. The answer is kept for the life of the Token.
	Capabilities(ctx context.Context) (keyring.Capabilities, error)
	// Generate makes the objects of one version on the token, reads them back,
	// checks the birth certificate against what this token is known to report,
	// and runs a self-test of every ordered operation. On any failure it destroys
	// what it made before it returns; a kill may leave one or both halves, or
	// objects without attributes, under the ref's CKA_ID. Not to be retried with
	// the same Ref before Destroy.
	Generate(ctx context.Context, order Generation) (Generated, error)
	// Unwrap is Generate for material that was made elsewhere: the token unwraps it, and
	// it is never outside in clear. What it is, is found out on an object that vanishes
	// with the session, so that material of another kind than the order says leaves
	// nothing on the token: fault.Invalid, as for material that By does not open. The
	// order is not extractable.
	Unwrap(ctx context.Context, order Generation, what Wrapped) (Generated, error)
	// Inspect counts and reads the objects of a ref, and tries on them those of
	// the operations in try whose flags are off (every flag that is on is
	// believed). A ref without objects gives zero counts and no error, and only
	// as positive evidence: see fault.NotFound. May be retried.
	Inspect(ctx context.Context, ref keyring.Ref, try keyring.Operations) (Sighting, error)
	// Prove tells whether the objects of a ref, one of each kind, are the key that was
	// recorded, by using it once as its flags permit: a pair has to fit the recorded
	// public key, a secret key has to compute the recorded fingerprint. Nothing but a
	// use can tell: every attribute can be copied to another key. A proof holds for the
	// life of the objects and is not repeated. Changes nothing. May be retried.
	Prove(ctx context.Context, ref keyring.Ref, recorded keyring.PublicKey, fingerprint string) (Proof, error)
	// MAC returns the HMAC of a message by the secret key of a ref, which is of an HMAC
	// algorithm, with that algorithm's hash. A key that is not there is fault.NotFound,
	// by positive evidence, several are fault.Inconsistent. May be retried.
	MAC(ctx context.Context, ref keyring.Ref, message []byte) ([]byte, error)
	// SignBy signs by the private or secret key of a ref, which is of one of the scheme's
	// algorithms. An ECDSA signature is r and s of equal length. A key that is not there
	// is fault.NotFound, by positive evidence, several are fault.Inconsistent; a token
	// that has none of the scheme's mechanisms is fault.Unsupported. May be retried.
	SignBy(ctx context.Context, ref keyring.Ref, order Signing) ([]byte, error)
	// Random returns n bytes of the token's random number generator; fault.Unsupported if
	// it has none. May be retried.
	Random(ctx context.Context, n int) ([]byte, error)
	// Permit makes the objects of a ref allow exactly the operations of allowed
	// (out of those its class knows), and tries the others. Where the token's
	// attribute changes are not crash-safe it works by copy, verify, destroy; a
	// kill then leaves two objects, and calling Permit again cleans up: it is the
	// one call that accepts doubles. When it returns, the change is durable.
	// EnforcedAdvisory says that the token did not refuse what was taken away.
	// A private or secret key that is not there is fault.NotFound, by positive
	// evidence. Idempotent.
	Permit(ctx context.Context, ref keyring.Ref, allowed keyring.Operations) (keyring.Enforcement, error)
	// Destroy destroys every object of the ref: the private or secret ones, and
	// the public ones too if publicToo. Idempotent: nothing there is no error.
	Destroy(ctx context.Context, ref keyring.Ref, publicToo bool) error
	// Find looks for exactly one key. Nothing is fault.NotFound (by positive
	// evidence), several are fault.Inconsistent and the error names their ids.
	Find(ctx context.Context, where Locator) (Found, error)
}

// Record is a key as stored.
type Record = catalog.Record[*keyring.Key]

// Catalog keeps the records of keys.
type Catalog = catalog.Records[*keyring.Key]
