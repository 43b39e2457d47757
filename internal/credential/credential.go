package credential

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/history"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// Credential is a credential as recorded: what was asked for, and its versions.
type Credential struct {
	Spec      Spec             `json:"spec"`
	CreatedAt time.Time        `json:"created_at,omitzero"`
	Counter   int              `json:"counter"` // the highest number ever given out; never goes back
	Versions  map[int]*Version `json:"versions"`
	// Sealed is the newest version's secret for the recipients, nil without any.
	Sealed *Sealed `json:"sealed,omitempty"`
	// Tombstone marks a credential whose declaration was removed.
	Tombstone *Tombstone    `json:"tombstone,omitempty"`
	Chain     history.Chain `json:"chain,omitzero"`
	// Earlier is what was noted before there was a Chain, which takes it over with the next
	// entry.
	Earlier []keyring.Transition `json:"history,omitempty"`
}

// Version is one public key, or one derived secret. All times are UTC; the zero time
// means "not yet".
type Version struct {
	Number    int               `json:"number"` // from 1, never reused
	Algorithm Algorithm         `json:"algorithm"`
	PublicKey keyring.PublicKey `json:"public_key,omitempty"`
	// Root is the version of the environment's derivation key that the secret is
	// derived with, Salt 16 random bytes in hexadecimal that go into it: a name that
	// comes back after its record was lost does not bring old secrets back.
	Root int    `json:"root,omitempty"`
	Salt string `json:"salt,omitempty"`
	// Fingerprint is a SHA-256 in lower-case hexadecimal: of the SubjectPublicKeyInfo,
	// or of the secret.
	Fingerprint string `json:"fingerprint"`

	CreatedAt     time.Time      `json:"created_at,omitzero"`
	ReplacedAt    time.Time      `json:"replaced_at,omitzero"`
	AcceptedUntil time.Time      `json:"accepted_until,omitzero"` // set with ReplacedAt
	RevokedAt     time.Time      `json:"revoked_at,omitzero"`
	RevokedFor    keyring.Reason `json:"revoked_for,omitempty"`
}

// Sealed is a secret that only its recipients can open.
type Sealed struct {
	Version    int      `json:"version"`
	Recipients []string `json:"recipients"`
	// Armored is an age file in its text form. In it is the secret as base64 (RFC 4648
	// section 4), without a line break.
	Armored string `json:"armored"`
}

// Tombstone says when and by whom a credential was removed.
type Tombstone struct {
	At    time.Time `json:"at"`
	Actor string    `json:"actor"`
}

// State is where a version stands.
type State string

// The states. Only an active and an overlapping version are accepted.
const (
	Active      State = "active"
	Overlapping State = "overlapping" // replaced, and still accepted for a while
	Superseded  State = "superseded"  // replaced, and no longer accepted
	Expired     State = "expired"
	Revoked     State = "revoked"
	Suspended   State = "suspended" // the credential is disabled
)

// StateNames lists every state by name.
func StateNames() []string {
	return []string{string(Active), string(Overlapping), string(Superseded), string(Expired), string(Revoked), string(Suspended)}
}

// State returns the state of one of the credential's versions at a time: the first
// that applies of revoked, expired or superseded, suspended, overlapping, active. A
// removed credential's versions are revoked.
func (c *Credential) State(v *Version, now time.Time) State {
	barred, until, ending := c.Standing(v)
	switch {
	case barred == Revoked:
		return Revoked
	case !until.IsZero() && !now.Before(until):
		return ending
	case barred != "":
		return barred
	case !v.ReplacedAt.IsZero():
		return Overlapping
	default:
		return Active
	}
}

// Standing is what State follows from, without a time: the state that bars a version
// now (Revoked, Suspended, empty for none), and when it ends otherwise and as what
// (Expired, Superseded); the zero time for never.
func (c *Credential) Standing(v *Version) (barred State, until time.Time, ending State) {
	switch {
	case !v.RevokedAt.IsZero(), c.Tombstone != nil:
		barred = Revoked
	case !c.Spec.Enabled:
		barred = Suspended
	}
	until, ending = c.ExpiresAt(v), Expired
	if !v.ReplacedAt.IsZero() && (until.IsZero() || v.AcceptedUntil.Before(until)) {
		until, ending = v.AcceptedUntil, Superseded
	}
	return barred, until, ending
}

// IsAccepted reports whether a version may be used at a time.
func (c *Credential) IsAccepted(v *Version, now time.Time) bool {
	state := c.State(v, now)
	return state == Active || state == Overlapping
}

// ExpiresAt returns when a version expires, the zero time for never.
func (c *Credential) ExpiresAt(v *Version) time.Time {
	if c.Spec.ValidFor > 0 {
		return v.CreatedAt.Add(c.Spec.ValidFor)
	}
	return c.Spec.ExpiresAt
}

// Newest returns the version with the highest number.
func (c *Credential) Newest() *Version { return c.Versions[c.Counter] }

// Numbers lists the numbers of all versions, ascending.
func (c *Credential) Numbers() []int { return slices.Sorted(maps.Keys(c.Versions)) }

// RotateAt returns when the newest version is due for a successor, the zero time for
// never.
func (c *Credential) RotateAt() time.Time {
	newest := c.Newest()
	if c.Spec.RotateEvery == 0 || newest == nil {
		return time.Time{}
	}
	return newest.CreatedAt.Add(c.Spec.RotateEvery)
}

// RecordName is what the credential's record is found by.
func (c *Credential) RecordName() string { return c.Spec.Name }

// Flaw says what is in a record that no run has written, empty for nothing: whoever works
// with a credential may rely on its versions being there, under their numbers, and on the
// newest one.
func (c *Credential) Flaw() string {
	for _, n := range c.Numbers() {
		switch v := c.Versions[n]; {
		case v == nil || v.Number != n:
			return fmt.Sprintf("What it says of version %d is not about that version.", n)
		case n < 1 || n > c.Counter:
			return fmt.Sprintf("It has a version %d, and says that %d is the highest number.", n, c.Counter)
		}
	}
	switch {
	case c.Newest() == nil:
		return fmt.Sprintf("It says that the newest version is number %d, which it does not have.", c.Counter)
	case c.Sealed != nil && c.Versions[c.Sealed.Version] == nil:
		return fmt.Sprintf("It has a sealed secret of version %d, which it does not have.", c.Sealed.Version)
	}
	return c.Chain.Flaw()
}

// note adds an entry to the credential's history.
func (c *Credential) note(e history.Entry) {
	if c.Chain.IsZero() {
		var earlier []history.Entry
		for _, t := range c.Earlier {
			earlier = append(earlier, t.Entry(0))
		}
		c.Chain.Absorb(earlier)
		c.Earlier = nil
	}
	c.Chain.Append(e)
}

// Clone returns a deep copy, so that a caller may change it and lose it.
func (c *Credential) Clone() *Credential {
	d := *c
	d.Spec = c.Spec.clone()
	d.Versions = make(map[int]*Version, len(c.Versions))
	for n, v := range c.Versions {
		w := *v
		w.PublicKey = slices.Clone(v.PublicKey)
		d.Versions[n] = &w
	}
	if c.Sealed != nil {
		s := *c.Sealed
		s.Recipients = slices.Clone(c.Sealed.Recipients)
		d.Sealed = &s
	}
	if c.Tombstone != nil {
		t := *c.Tombstone
		d.Tombstone = &t
	}
	d.Chain, d.Earlier = c.Chain.Clone(), slices.Clone(c.Earlier)
	return &d
}

func (s Spec) clone() Spec {
	s.Tags, s.RotateWhenChanged, s.Revoke = maps.Clone(s.Tags), maps.Clone(s.RotateWhenChanged), maps.Clone(s.Revoke)
	s.PublicKey, s.Recipients = slices.Clone(s.PublicKey), slices.Clone(s.Recipients)
	return s
}
