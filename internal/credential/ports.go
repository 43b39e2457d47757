package credential

import (
	"context"

	"github.com/keystead/terraform-provider-hsm/internal/catalog"
)

// Record is a credential as stored.
type Record = catalog.Record[*Credential]

// Store keeps the records of credentials.
type Store = catalog.Records[*Credential]

// Deriver computes with the environment's derivation key, which is in the HSM and
// never leaves it. Every error is a *fault.Error. Calls may come from several
// goroutines.
type Deriver interface {
	// CheckDerivation refuses (fault.Unsupported) a token that cannot hold such a key,
	// and (fault.Inconsistent) one that has lost it although it is relied on. It changes
	// nothing.
	CheckDerivation(ctx context.Context, relied func(context.Context) (bool, error)) error
	// DerivationKey returns the number of the version to derive new secrets with. The
	// first call in an environment makes the key; durable on return. relied is asked when
	// the key is not there: if secrets depend on it, it was lost, and no other one is made
	// (fault.Inconsistent).
	DerivationKey(ctx context.Context, relied func(context.Context) (bool, error)) (version int, err error)
	// Derivable refuses (fault.Inconsistent) a version of the key that was lost, or is not
	// the one that was recorded. It changes nothing.
	Derivable(ctx context.Context, version int) error
	// MAC returns the HMAC-SHA-256 (RFC 2104, FIPS 198-1) of a message, 32 bytes,
	// computed in the HSM by a version of the key. A version that is not there, or is
	// not the one that was recorded, is fault.Inconsistent. May be retried.
	MAC(ctx context.Context, version int, message []byte) ([]byte, error)
}
