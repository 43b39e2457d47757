package policy

import (
	"context"
	"slices"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/environment"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/history"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// Config is what a Service needs.
type Config struct {
	Store       Store
	Directory   Directory
	Environment *environment.Guard
	Actor       string           // who is recorded with each change
	Now         func() time.Time // the clock
	Run         string           // recorded with each change: which process it was
}

// Service keeps the policies of an environment. Each verb is one write: killed anywhere,
// a policy is as it was or as it was to be. Its methods may be called from several
// goroutines.
type Service struct{ Config }

// New returns a Service. It does no I/O.
func New(c Config) *Service { return &Service{c} }

// World returns what policies are about as it is recorded now, and the living policies,
// by name.
func (s *Service) World(ctx context.Context) (World, []*Policy, error) {
	policies, err := s.List(ctx)
	if err != nil {
		return World{}, nil, err
	}
	principals, err := s.Directory.Principals(ctx)
	if err != nil {
		return World{}, nil, err
	}
	keys, err := s.Directory.Keys(ctx)
	if err != nil {
		return World{}, nil, err
	}
	return World{Environment: s.Environment.Name(), Principals: principals, Keys: keys}, policies, nil
}

// Create records a policy. A name in use is fault.Exists, with the import block to use
// instead. A spec with mistakes in the world as it is now is fault.Invalid.
func (s *Service) Create(ctx context.Context, spec Spec) (*Policy, error) {
	if err := s.check(ctx, "create policy", spec); err != nil {
		return nil, err
	}
	if err := s.Environment.Stamp(ctx); err != nil {
		return nil, err
	}
	p := &Policy{Spec: spec, CreatedAt: s.now()}
	s.note(p, history.Created, "")
	rec, err := s.Store.Create(ctx, p)
	if fault.Is(err, fault.Exists) {
		rec, err = s.reuse(ctx, p)
	}
	if err != nil {
		return nil, err
	}
	return rec.Body, nil
}

// reuse records a policy under the name of one that was removed.
func (s *Service) reuse(ctx context.Context, p *Policy) (Record, error) {
	rec, err := s.Store.Load(ctx, p.Spec.Name)
	if err != nil {
		return Record{}, err
	}
	if rec.Body.Tombstone == nil {
		return Record{}, nameTaken(p.Spec.Name)
	}
	p.Chain, p.Earlier = rec.Body.Chain.Clone(), rec.Body.Earlier
	s.note(p, history.Created, "")
	return s.Store.Replace(ctx, rec, p)
}

// Read returns a policy. fault.NotFound means that it was removed, or that there never
// was one; known says that there was one, so that a missing record is
// fault.Inconsistent.
func (s *Service) Read(ctx context.Context, name string, known bool) (*Policy, error) {
	if known {
		rec, err := s.load(ctx, "read policy", name)
		if err != nil {
			return nil, err
		}
		return living("read policy", rec.Body)
	}
	stamped, err := s.Environment.Check(ctx)
	if err != nil {
		return nil, err
	}
	if !stamped {
		return nil, &fault.Error{
			Kind: fault.NotFound, Op: "read policy", Subject: subject(name),
			Problem: "There is no policy of this name: the token bears no environment's stamp, so this provider has recorded nothing on it yet.",
			Hint:    "Check whether this is the token that was meant.",
		}
	}
	rec, err := s.Store.Load(ctx, name)
	if err != nil {
		return nil, err
	}
	return living("read policy", rec.Body)
}

// Update changes a policy, see Create.
func (s *Service) Update(ctx context.Context, spec Spec) (*Policy, error) {
	rec, err := s.load(ctx, "update policy", spec.Name)
	if err != nil {
		return nil, err
	}
	p, err := living("update policy", rec.Body)
	if err != nil {
		return nil, err
	}
	if err := s.check(ctx, "update policy", spec); err != nil {
		return nil, err
	}
	p = p.Clone()
	changes := spec.changes(p.Spec)
	p.Spec = spec
	s.note(p, history.Updated, changes)
	rec, err = s.Store.Replace(ctx, rec, p)
	if err != nil {
		return nil, err
	}
	return rec.Body, nil
}

// Destroy removes a policy and leaves a tombstone. One that was removed already is no
// error; one without any record is fault.Inconsistent.
func (s *Service) Destroy(ctx context.Context, name string) error {
	rec, err := s.load(ctx, "remove policy", name)
	if err != nil || rec.Body.Tombstone != nil {
		return err
	}
	p := rec.Body.Clone()
	p.Tombstone = &Tombstone{At: s.now(), Actor: s.Actor}
	s.note(p, history.Removed, "")
	_, err = s.Store.Replace(ctx, rec, p)
	return err
}

// List returns every living policy, by name.
func (s *Service) List(ctx context.Context) ([]*Policy, error) {
	if _, err := s.Environment.Check(ctx); err != nil {
		return nil, err
	}
	records, err := s.Store.List(ctx)
	if err != nil {
		return nil, err
	}
	var policies []*Policy
	for _, rec := range records {
		if rec.Body.Tombstone == nil {
			policies = append(policies, rec.Body)
		}
	}
	return policies, nil
}

// NamingKey lists the living policies that name a key, enabled or not. One that cannot
// be compiled is fault.Inconsistent: what it names cannot be told.
func (s *Service) NamingKey(ctx context.Context, key string) ([]string, error) {
	policies, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	var naming []string
	for _, p := range policies {
		rules, mistakes := compile(p.Spec)
		if len(mistakes) > 0 {
			return nil, uncompilable(p.Spec.Name, mistakes)
		}
		if names(rules, keyType)[key] {
			naming = append(naming, subject(p.Spec.Name))
		}
	}
	return naming, nil
}

// check refuses a spec with mistakes in the world as it is now.
func (s *Service) check(ctx context.Context, op string, spec Spec) error {
	world, _, err := s.World(ctx)
	if err != nil {
		return err
	}
	if keyring.ValidateName(spec.Name) != nil {
		return &fault.Error{
			Kind: fault.Invalid, Op: op, Subject: subject(spec.Name), Problem: "This is not a usable policy name.",
			Hint: "Use 1 to 63 letters, digits, dots, underscores and hyphens; start with a letter or a digit.",
		}
	}
	mistakes := newOutlook(world).mistakes(spec)
	if len(mistakes) == 0 {
		return nil
	}
	f := slices.MinFunc(mistakes, byPlace)
	return &fault.Error{Kind: fault.Invalid, Op: op, Subject: subject(spec.Name) + f.At.suffix(), Problem: f.Problem, Hint: f.Hint}
}

// note adds to the history of a policy that is about to be written what was done to it, why, and
// with the digest of what it says from now on.
func (s *Service) note(p *Policy, what, reason string) {
	if p.Chain.IsZero() {
		var earlier []history.Entry
		for _, t := range p.Earlier {
			earlier = append(earlier, t.Entry(0))
		}
		p.Chain.Absorb(earlier)
		p.Earlier = nil
	}
	e := history.Entry{At: s.now(), What: what, Actor: s.Actor, Reason: reason, Run: s.Run}
	if p.Tombstone == nil {
		e.Digest = p.Spec.Digest()
	}
	p.Chain.Append(e)
}

func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Second) }
