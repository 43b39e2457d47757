package policy

import (
	"context"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/environment"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// Config is what a Service needs.
type Config struct {
	Store       Store
	Directory   Directory
	Environment *environment.Guard
	Actor       string           // who is recorded with each change
	Now         func() time.Time // the clock
}

// Service keeps the policies of an environment. Its methods may be called from several
// goroutines.
type Service struct{ Config }

// New returns a Service. It does no I/O.
func New(c Config) *Service { return &Service{c} }

var errLater = &fault.Error{Op: "stub"}

// World returns what policies are about as it is recorded now, and the living policies,
// by name.
func (s *Service) World(ctx context.Context) (World, []*Policy, error) {
	return World{}, nil, errLater
}

// Create records a policy. A name in use is fault.Exists, with the import block to use
// instead. A spec with mistakes in the world as it is now is fault.Invalid.
func (s *Service) Create(ctx context.Context, spec Spec) (*Policy, error) { return nil, errLater }

// Read returns a policy. fault.NotFound means that it was removed, or that there never
// was one; known says that there was one, so that a missing record is
// fault.Inconsistent.
func (s *Service) Read(ctx context.Context, name string, known bool) (*Policy, error) {
	return nil, errLater
}

// Update changes a policy, see Create.
func (s *Service) Update(ctx context.Context, spec Spec) (*Policy, error) { return nil, errLater }

// Destroy removes a policy and leaves a tombstone. One that was removed already is no
// error; one without any record is fault.Inconsistent.
func (s *Service) Destroy(ctx context.Context, name string) error { return errLater }

// List returns every living policy, by name.
func (s *Service) List(ctx context.Context) ([]*Policy, error) { return nil, errLater }

// NamingKey lists the living policies that name a key, enabled or not.
func (s *Service) NamingKey(ctx context.Context, key string) ([]string, error) { return nil, errLater }
