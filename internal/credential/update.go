package credential

import (
	"bytes"
	"context"
	"maps"
	"slices"

	"github.com/keystead/terraform-provider-hsm/internal/history"
)

// Update changes what is asked of a credential. A new version is made if the public key
// or the algorithm is another one, if the current version is newly revoked (shared
// secrets only), or if rotate says so and it is still called for: time has come, or a
// watched value is not the recorded one. So an update that is repeated after a kill does
// not rotate twice. Other recipients have the newest secret sealed anew.
//
// What a version that was replaced is still accepted for is settled when it is replaced;
// a revocation is never taken back.
func (s *Service) Update(ctx context.Context, spec Spec, rotate bool) (*Credential, error) {
	rec, err := s.living(ctx, spec.Name)
	if err != nil {
		return nil, err
	}
	was := rec.Body
	if err := s.Check(ctx, spec, &was.Spec); err != nil {
		return nil, err
	}
	if spec.Type != was.Spec.Type {
		return nil, refuse("type", "The type of a credential does not change.", "Replace the credential, or make another one.")
	}
	c := was.Clone()
	c.Spec = spec
	s.note(c, 0, history.Updated, spec.changes(was.Spec))
	switch {
	case was.Spec.Enabled && !spec.Enabled:
		s.note(c, 0, history.Suspended, "")
	case !was.Spec.Enabled && spec.Enabled:
		s.note(c, 0, history.Resumed, "")
	}
	revoked := s.revoke(c)
	if why := s.reason(was, c, revoked, rotate); why != "" {
		err = s.issue(ctx, c, why)
	} else {
		err = s.seal(ctx, c)
	}
	if err != nil {
		return nil, err
	}
	rec, err = s.Store.Replace(ctx, rec, c)
	if err != nil {
		return nil, err
	}
	return rec.Body, nil
}

// revoke ends the versions that the spec newly revokes, and reports whether the newest
// is one of them.
func (s *Service) revoke(c *Credential) (newest bool) {
	for _, n := range slices.Sorted(maps.Keys(c.Spec.Revoke)) {
		v := c.Versions[n] // there is one: Check has seen to that
		if !v.RevokedAt.IsZero() {
			continue
		}
		v.RevokedAt, v.RevokedFor = s.now(), c.Spec.Revoke[n]
		s.note(c, n, history.Revoked, string(v.RevokedFor))
		newest = newest || n == c.Counter
	}
	return newest
}

// reason says why a credential needs a new version, empty if it needs none.
func (s *Service) reason(was, is *Credential, revoked, rotate bool) string {
	newest := is.Newest()
	switch {
	case is.Spec.Type == PublicKey && !bytes.Equal(newest.PublicKey, is.Spec.PublicKey):
		return "another public key"
	case is.Spec.Type == PublicKey:
		return ""
	case newest.Algorithm != is.Spec.Algorithm:
		return "another algorithm"
	case revoked:
		return "the version before was revoked"
	case !rotate:
		return ""
	case is.Spec.RotateWhenChanged != nil && !maps.Equal(was.Spec.RotateWhenChanged, is.Spec.RotateWhenChanged):
		return "a watched value changed"
	case s.Due(was):
		return "rotation due"
	}
	return ""
}

// Due reports whether a credential should get a new version by now: its newest one has
// served for its time, or has ended before it could be replaced. A credential that is
// disabled, or past expires_at, is never due. Of a public_key credential it is a
// reminder: only its owner can make the next key.
func (s *Service) Due(c *Credential) bool {
	now, newest, at := s.now(), c.Newest(), c.RotateAt()
	switch {
	case newest == nil, c.Tombstone != nil, !c.Spec.Enabled, !c.Spec.ExpiresAt.IsZero() && !now.Before(c.Spec.ExpiresAt):
		return false
	case !newest.RevokedAt.IsZero(), c.Spec.ValidFor > 0 && c.State(newest, now) == Expired:
		return true
	}
	return !at.IsZero() && !now.Before(at)
}
