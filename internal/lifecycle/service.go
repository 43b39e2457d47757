// Package lifecycle makes, changes, rotates and removes keys.
//
// Every verb goes the same way: load the record, finish what an earlier, killed
// run left (settle), write down what is wanted together with the intent to do it,
// touch the HSM, settle. The happy path and recovery are the same code. Nothing
// is healed by making a new key, and an uncertain outcome stops the verb with the
// intent still on record.
//
// The package knows neither Terraform nor PKCS#11; it works on the ports in
// ports.go and reads the time only from its Config.
package lifecycle

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/environment"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// Config is what a Service needs.
type Config struct {
	Token       Token
	Catalog     Catalog
	Environment *environment.Guard // of the environment that this Service may work on
	Actor       string             // who is recorded with each transition
	Now         func() time.Time   // the clock
	Run         string             // random, tells this process's intents from others'
	Host        string             // where this process runs
	PID         int                // its process id there
	// Alive reports whether the process that wrote an intent may still be at work.
	Alive func(keyring.Work) bool
	// NamedBy lists what else names a key and would be left without it, in words for a
	// person ("access policy \"trading\""). It may be nil.
	NamedBy func(ctx context.Context, key string) ([]string, error)
	// Signing is told what a key is about to sign, and keeps it from that by an error. It may
	// be nil.
	Signing func(ctx context.Context, use Use) error
}

// Service performs the verbs. Its methods may be called from several goroutines;
// calls for one key wait for each other.
type Service struct {
	Config
	mu    sync.Mutex
	locks map[string]*sync.Mutex // by key name; guarded by mu
	roots map[int]keyring.Ref    // versions of the derivation key that were proven; guarded by mu
	signs keyring.Ref            // the version of the audit key that was proven; guarded by mu
	// warned is what was noticed by now, see Warnings; guarded by mu.
	warned []string
}

// New returns a Service. It does no I/O.
func New(c Config) *Service {
	return &Service{Config: c, locks: map[string]*sync.Mutex{}, roots: map[int]keyring.Ref{}}
}

// lock serialises the verbs on one key within this process.
func (s *Service) lock(name string) (unlock func()) {
	s.mu.Lock()
	l := s.locks[name]
	if l == nil {
		l = &sync.Mutex{}
		s.locks[name] = l
	}
	s.mu.Unlock()
	l.Lock()
	return l.Unlock
}

// begun is lock for a verb that changes something. A verb that has begun is carried
// through: cancelled between two writes it would leave work for the next run, and a
// caller who could not know what took effect. So the context returned ends with the
// verb's lease, not with the caller's patience. Cancelled before, nothing is done.
func (s *Service) begun(ctx context.Context, name string) (_ context.Context, done func(), err error) {
	unlock := s.lock(name)
	if err := ctx.Err(); err != nil {
		unlock()
		return nil, nil, &fault.Error{
			Kind: fault.Unavailable, Op: "begin", Subject: subject(name), Problem: "The run was cancelled before this began; nothing was done.",
			Hint: "Run again.", Cause: err,
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lease)
	return ctx, func() { cancel(); unlock() }, nil
}

func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Second) }

// Info describes the token, without logging in.
func (s *Service) Info(ctx context.Context) (keyring.TokenInfo, error) { return s.Token.Info(ctx) }

// Capabilities tells what the token can do; it logs in.
func (s *Service) Capabilities(ctx context.Context) (keyring.Capabilities, error) {
	return s.Token.Capabilities(ctx)
}

// Warnings lists, in whole sentences, what an operator should know of the token
// although nothing has failed, as far as has been noticed by now.
func (s *Service) Warnings() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append(s.Token.Warnings(), s.warned...)
}

// warn keeps a warning, once.
func (s *Service) warn(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.warned, text) {
		s.warned = append(s.warned, text)
	}
}
