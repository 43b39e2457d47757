package credential

import (
	"context"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/environment"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/secret"
)

// Config is what a Service needs.
type Config struct {
	Store       Store
	Deriver     Deriver
	Environment *environment.Guard
	Actor       string           // who is recorded with each change
	Now         func() time.Time // the clock
}

// Service performs the verbs. Its methods may be called from several goroutines.
type Service struct{ Config }

// New returns a Service. It does no I/O.
func New(c Config) *Service { return &Service{c} }

var errLater = &fault.Error{Op: "stub"}

// Check refuses a spec that is invalid, or that this token cannot satisfy, and the
// wrong environment. prior is the credential's spec as of now, nil for a new one: an
// expiry in the past is refused (fault.Invalid) only when it is newly given. It
// changes nothing on the token.
func (s *Service) Check(ctx context.Context, spec Spec, prior *Spec) error { return errLater }

// Create issues a credential with its first version. The name of a removed credential
// goes on with the next number; one that is in use is fault.Exists, with the import
// block to use instead.
func (s *Service) Create(ctx context.Context, spec Spec) (*Credential, error) { return nil, errLater }

// Read returns a credential. fault.NotFound means that it was removed, or that there
// never was one; known says that there was one, so that a missing record is
// fault.Inconsistent.
func (s *Service) Read(ctx context.Context, name string, known bool) (*Credential, error) {
	return nil, errLater
}

// Update changes what is asked of a credential. A new version is made if the public key
// or the algorithm is another one, if the current version is newly revoked (shared
// secrets only), or if rotate says so and it is still called for: time has come, or a
// watched value is not the recorded one. So an update that is repeated after a kill does
// not rotate twice. Other recipients have the newest secret sealed anew.
func (s *Service) Update(ctx context.Context, spec Spec, rotate bool) (*Credential, error) {
	return nil, errLater
}

// Due reports whether a credential should get a new version by now.
func (s *Service) Due(c *Credential) bool { return false }

// Destroy revokes every version at once and leaves a tombstone. One that was removed
// already is no error; one without any record is fault.Inconsistent.
func (s *Service) Destroy(ctx context.Context, name string) error { return errLater }

// List returns every living credential, by name.
func (s *Service) List(ctx context.Context) ([]*Credential, error) { return nil, errLater }

// Secret derives the secret of a version, of the newest for 0, and returns it with that
// version. A version that is not accepted now is fault.Protected and the error says
// why; a credential of the type public_key has none (fault.Invalid).
func (s *Service) Secret(ctx context.Context, name string, version int) (secret.Value, *Version, error) {
	return secret.Value{}, nil, errLater
}
