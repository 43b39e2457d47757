package policy

import (
	"context"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/catalog"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// World is what policies are about: the living credentials and keys of an environment.
type World struct {
	Environment string
	Principals  []Principal
	Keys        []*keyring.Key
}

// Principal is a credential as policies see it.
type Principal struct {
	Name, Owner string
	Tags        map[string]string
	Versions    []Standing // ascending; the last one is the newest
}

// Standing is whether a version of a credential is accepted.
type Standing struct {
	Number int
	// Barred says, in a word, why the version is not accepted whatever the time is:
	// "revoked", "suspended". Empty is accepted, until Until.
	Barred string
	// Until is when the version ends, the zero time for never, and Ending the word for
	// why: "expired", "superseded".
	Until  time.Time
	Ending string
}

// Directory tells what there is in an environment. Every error is a *fault.Error.
type Directory interface {
	// Principals lists every living credential, by name.
	Principals(ctx context.Context) ([]Principal, error)
	// Keys lists every living key, by name.
	Keys(ctx context.Context) ([]*keyring.Key, error)
}

// Record is a policy as stored.
type Record = catalog.Record[*Policy]

// Store keeps the records of policies.
type Store = catalog.Records[*Policy]
