package credential

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/catalog"
	"github.com/keystead/terraform-provider-hsm/internal/environment"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/history"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// Config is what a Service needs.
type Config struct {
	Store       Store
	Deriver     Deriver
	Environment *environment.Guard
	Actor       string           // who is recorded with each change
	Now         func() time.Time // the clock
	Run         string           // recorded with each change: which process it was
	// Revealing is told before a secret leaves, and keeps it here by an error. It may be nil.
	Revealing func(ctx context.Context, name string, version int) error
}

// Service performs the verbs. Each of them is one write: killed anywhere, a credential
// is as it was or as it was to be. Its methods may be called from several goroutines.
type Service struct{ Config }

// New returns a Service. It does no I/O.
func New(c Config) *Service { return &Service{c} }

// Check refuses a spec that is invalid, or that this token cannot satisfy, and the
// wrong environment. prior is the credential's spec as of now, nil for a new one: an
// end that has come is refused (fault.Invalid) only when it is newly given. It changes
// nothing on the token. The Subject of fault.Invalid is the argument's name.
func (s *Service) Check(ctx context.Context, spec Spec, prior *Spec) error {
	if err := spec.Validate(); err != nil {
		return err
	}
	if err := s.checkEnd(spec, prior); err != nil {
		return err
	}
	stamped, err := s.Environment.Check(ctx)
	if err != nil {
		return err
	}
	if err := s.checkVersions(ctx, spec, prior, stamped); err != nil {
		return err
	}
	if spec.Type == SharedSecret {
		return s.Deriver.CheckDerivation(ctx, s.relied)
	}
	return nil
}

// checkEnd refuses an end that has come, and an overlap beyond it, when they are new.
func (s *Service) checkEnd(spec Spec, prior *Spec) error {
	end := spec.ExpiresAt
	if end.IsZero() {
		return nil
	}
	left := end.Sub(s.now())
	isNew := prior == nil || !prior.ExpiresAt.Equal(end)
	switch {
	case isNew && left <= 0:
		return refuse("expires_at", fmt.Sprintf("The credential would have expired on %s.", end.Format(time.RFC3339)), "Give a time in the future.")
	case (isNew || prior.Overlap != spec.Overlap) && left > 0 && spec.Overlap > left:
		return refuse("overlap", fmt.Sprintf("The overlap (%s) is longer than the credential is valid, which is until %s.", spec.Overlap, end.Format(time.RFC3339)),
			"A version ends with expires_at in any case: make the overlap shorter, or expires_at later.")
	}
	return nil
}

// checkVersions refuses what the versions that there are do not allow. Most new names have
// none, and to make sure of that takes time: it is done only where it matters.
func (s *Service) checkVersions(ctx context.Context, spec Spec, prior *Spec, stamped bool) error {
	if prior == nil && len(spec.Revoke) == 0 {
		return nil
	}
	c := &Credential{}
	if stamped {
		rec, err := s.Store.Load(ctx, spec.Name)
		switch {
		case err == nil:
			c = rec.Body.Clone()
		case !fault.Is(err, fault.NotFound):
			return err
		}
	}
	for _, n := range slices.Sorted(maps.Keys(spec.Revoke)) {
		if c.Versions[n] == nil {
			return unknownVersion(n)
		}
	}
	newest := c.Newest()
	if spec.Type != PublicKey || newest == nil || bytes.Equal(newest.PublicKey, spec.PublicKey) {
		return nil
	}
	c.Spec = spec
	return c.refuseCompromised()
}

// Read returns a credential. fault.NotFound means that it was removed, or that there
// never was one; known says that there was one, so that a missing record is
// fault.Inconsistent.
func (s *Service) Read(ctx context.Context, name string, known bool) (*Credential, error) {
	if known {
		rec, err := s.living(ctx, name)
		if err != nil {
			return nil, err
		}
		return rec.Body, s.derivable(ctx, rec.Body)
	}
	stamped, err := s.Environment.Check(ctx)
	if err != nil {
		return nil, err
	}
	if !stamped {
		return nil, &fault.Error{
			Kind: fault.NotFound, Op: "read API credential", Subject: subject(name),
			Problem: "There is no API credential of this name: the token bears no environment's stamp, so this provider has issued none on it yet.",
			Hint:    "Check whether this is the token that was meant.",
		}
	}
	rec, err := s.Store.Load(ctx, name)
	if err == nil {
		err = removed(rec.Body)
	}
	if err != nil {
		return nil, err
	}
	return rec.Body, s.derivable(ctx, rec.Body)
}

// derivable makes sure that the secrets that are accepted now can be derived.
func (s *Service) derivable(ctx context.Context, c *Credential) error {
	for _, n := range c.Numbers() {
		v := c.Versions[n]
		if v.Root == 0 || !c.IsAccepted(v, s.now()) {
			continue
		}
		if err := s.Deriver.Derivable(ctx, v.Root); err != nil {
			return err
		}
	}
	return nil
}

// relied reports whether a credential depends on a derived secret.
func (s *Service) relied(ctx context.Context) (bool, error) {
	credentials, err := s.List(ctx)
	return slices.ContainsFunc(credentials, func(c *Credential) bool {
		for _, v := range c.Versions {
			if v.Root != 0 && v.RevokedAt.IsZero() {
				return true
			}
		}
		return false
	}), err
}

// List returns every living credential, by name.
func (s *Service) List(ctx context.Context) ([]*Credential, error) {
	if _, err := s.Environment.Check(ctx); err != nil {
		return nil, err
	}
	records, err := s.Store.List(ctx)
	if err != nil {
		return nil, err
	}
	var all []*Credential
	for _, rec := range records {
		if rec.Body.Tombstone == nil {
			all = append(all, rec.Body)
		}
	}
	return all, nil
}

// Destroy revokes every version at once and leaves a tombstone. One that was removed
// already is no error; one without any record is fault.Inconsistent.
func (s *Service) Destroy(ctx context.Context, name string) error {
	rec, err := s.load(ctx, name)
	if err != nil || rec.Body.Tombstone != nil {
		return err
	}
	c := rec.Body.Clone()
	for _, v := range c.Versions {
		if v.RevokedAt.IsZero() {
			v.RevokedAt, v.RevokedFor = s.now(), keyring.CessationOfOperation
		}
	}
	c.Sealed, c.Tombstone = nil, &Tombstone{At: s.now(), Actor: s.Actor}
	s.note(c, 0, history.Removed, "")
	_, err = s.Store.Replace(ctx, rec, c)
	return err
}

// load opens the record of a credential that there is or was.
func (s *Service) load(ctx context.Context, name string) (Record, error) {
	if err := s.Environment.Require(ctx, subject(name)); err != nil {
		return Record{}, err
	}
	rec, err := s.Store.Load(ctx, name)
	if fault.Is(err, fault.NotFound) {
		return Record{}, &fault.Error{
			Kind: fault.Inconsistent, Op: "find API credential", Subject: subject(name),
			Problem: "The credential's record is no longer on the token. It was not removed by this provider, which would have left a record of that: somebody removed it with other tools, or the HSM was restored from an older backup.",
			Hint:    "Restore the HSM from a backup that has it. If it is lost for good, agree to that with `terraform state rm`; then a new one can be issued.",
		}
	}
	return rec, err
}

// living is load, and refuses a credential that was removed (fault.NotFound).
func (s *Service) living(ctx context.Context, name string) (Record, error) {
	rec, err := s.load(ctx, name)
	if err == nil {
		err = removed(rec.Body)
	}
	if err != nil {
		return Record{}, err
	}
	return rec, nil
}

func removed(c *Credential) error {
	if c.Tombstone == nil {
		return nil
	}
	return &fault.Error{
		Kind: fault.NotFound, Op: "find API credential", Subject: subject(c.Spec.Name),
		Problem: fmt.Sprintf("The credential was removed on %s by %s.", c.Tombstone.At.Format(time.DateOnly), c.Tombstone.Actor),
		Hint:    "Nothing brings it back. Issue another one; it may have the same name.",
	}
}

// note adds to the history of a credential that is about to be written what happened to
// one of its versions, or with 0 to the whole.
func (s *Service) note(c *Credential, version int, what, reason string) {
	e := history.Entry{At: s.now(), What: what, Version: version, Actor: s.Actor, Reason: reason, Run: s.Run}
	if what == history.Issued {
		e.Digest = c.Versions[version].Fingerprint
	}
	c.note(e)
}

func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Second) }

// Mark returns what tells the record of a name, as it is now, from older ones and from
// others, for Follows; empty if there is none.
func (s *Service) Mark(ctx context.Context, name string) string {
	rec, err := s.Store.Load(ctx, name)
	if err != nil {
		return ""
	}
	return rec.Mark()
}

// Follows refuses (fault.Inconsistent) a record that is older than a mark that was seen
// of it, or another one. It is asked before Read, which would take either for the truth.
func (s *Service) Follows(ctx context.Context, name, mark string) error {
	if stamped, err := s.Environment.Check(ctx); err != nil || !stamped {
		return err
	}
	return catalog.Follows(ctx, s.Store, name, mark, subject(name))
}
