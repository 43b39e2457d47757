package keyring

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/history"
)

// Ref ties a version's record to its objects in the HSM.
type Ref struct {
	// ID is the CKA_ID: 16 random bytes chosen before generation, as lower-case
	// hexadecimal. An adopted key keeps the id it came with, of any length.
	ID string `json:"id"`
	// Label is the CKA_LABEL: "name:number". It is for people; nothing is found by it.
	Label string `json:"label"`
	// Pair says whether the objects are a private and a public key, or one secret key.
	Pair bool `json:"pair,omitempty"`
	// Imported is the algorithm of an imported key, whose object does not always tell
	// it: SoftHSM forgets how long a secret key is that it unwrapped. Empty for others.
	Imported Algorithm `json:"imported,omitempty"`
}

// NewRef chooses a fresh CKA_ID for a version of a key.
func NewRef(name string, number int, alg Algorithm) Ref {
	var id [16]byte
	_, _ = rand.Read(id[:]) // crypto/rand.Read never fails, it aborts the process
	return Ref{ID: hex.EncodeToString(id[:]), Label: fmt.Sprintf("%s:%d", name, number), Pair: alg.IsPair()}
}

// Enforcement says who stops a version that may not do something.
type Enforcement string

// The degrees of enforcement.
const (
	// EnforcedByHSM: the token refused when the operation was tried.
	EnforcedByHSM Enforcement = "hsm"
	// EnforcedAdvisory: the token cannot refuse; only our records and the
	// published keys say so.
	EnforcedAdvisory Enforcement = "advisory"
	// EnforcementDrifted: the object may do something else than the record says;
	// somebody changed it. An apply puts it right.
	EnforcementDrifted Enforcement = "drifted"
)

// Birth is what the token says of an object's origin, its birth certificate
// (PKCS#11 v2.40 base specification, sections 4.9 and 4.10).
type Birth struct {
	Local            bool `json:"local"`             // CKA_LOCAL: generated on this token
	NeverExtractable bool `json:"never_extractable"` // CKA_NEVER_EXTRACTABLE
	AlwaysSensitive  bool `json:"always_sensitive"`  // CKA_ALWAYS_SENSITIVE
	// Attested says that this token reported all of these truthfully for a
	// throw-away key, so that the three above can be believed.
	Attested bool `json:"attested"`
}

// Transition is one change, as it was noted before records had a history.Chain.
type Transition struct {
	At     time.Time `json:"at"`
	What   string    `json:"what"` // "generated", "activated", "deactivated", …
	Actor  string    `json:"actor"`
	Reason string    `json:"reason,omitempty"`
}

// Version is one HSM object (secret key) or one pair. All times are UTC; the
// zero time means "not yet".
type Version struct {
	Number      int         `json:"number"` // from 1, never reused
	Algorithm   Algorithm   `json:"algorithm"`
	Mechanisms  []Mechanism `json:"mechanisms,omitempty"` // allowed at generation; nil is all
	Extractable bool        `json:"extractable,omitempty"`
	// Operations is what the version does while active: the key's operations as
	// long as the key keeps the version's algorithm, and then what they were last.
	Operations Operations `json:"operations"`
	Ref        Ref        `json:"ref"`
	PublicKey  PublicKey  `json:"public_key,omitempty"` // the record's own copy, the one to trust
	// Fingerprint is the hexadecimal SHA-256 of the SPKI of a pair. Of a secret
	// key it is a key check value made in the HSM, see hsm.Token.
	Fingerprint string      `json:"fingerprint,omitempty"`
	Birth       Birth       `json:"birth"`
	Enforcement Enforcement `json:"enforcement,omitempty"` // as found when last applied or tried

	CreatedAt     time.Time    `json:"created_at,omitzero"`
	ActivateAfter time.Time    `json:"activate_after,omitzero"` // not to be activated earlier
	ActivatedAt   time.Time    `json:"activated_at,omitzero"`
	DeactivatedAt time.Time    `json:"deactivated_at,omitzero"`
	ProcessUntil  time.Time    `json:"process_until,omitzero"` // zero: until retired by hand
	RevokedAt     time.Time    `json:"revoked_at,omitzero"`
	RevokedFor    Reason       `json:"revoked_for,omitempty"`
	RetiredAt     time.Time    `json:"retired_at,omitzero"`
	RetiredBy     RetireAction `json:"retired_by,omitempty"`
	DestroyedAt   time.Time    `json:"destroyed_at,omitzero"`

	// Pending is a version whose generation was intended and not yet committed.
	// It has never been shown to anyone; recovery destroys what there is of it.
	Pending bool `json:"pending,omitempty"`
	// Claimed says that a rotation has had this version as its own.
	Claimed bool `json:"claimed,omitempty"`

	// Earlier is what was noted of the version before its key had a Chain, which takes it
	// over with the next entry.
	Earlier []Transition `json:"history,omitempty"`
}

// RetireAction says what becomes of a private or secret key when its overlap ends.
type RetireAction string

// The ways to retire: switched off in the HSM, destroyed, or left as it was
// during the overlap.
const (
	RetireDisables RetireAction = "disable"
	RetireDestroys RetireAction = "destroy"
	RetireRetains  RetireAction = "retain"
)

// Reason says why a version was revoked: the revocation reasons of RFC 5280
// section 5.3.1 that make sense for a key.
type Reason string

// The reasons.
const (
	KeyCompromise        Reason = "key_compromise"
	AffiliationChanged   Reason = "affiliation_changed"
	Superseded           Reason = "superseded"
	CessationOfOperation Reason = "cessation_of_operation"
	PrivilegeWithdrawn   Reason = "privilege_withdrawn"
	Unspecified          Reason = "unspecified"
)

// ReasonNames lists the reasons by name.
func ReasonNames() []string {
	return []string{
		string(KeyCompromise), string(AffiliationChanged), string(Superseded), string(CessationOfOperation),
		string(PrivilegeWithdrawn), string(Unspecified),
	}
}

// Waiting reports whether the version is finished and has yet to be activated for
// the first time. Unlike State it does not ask whether the key is suspended.
func (v *Version) Waiting() bool {
	return !v.Pending && v.ActivatedAt.IsZero() && v.DeactivatedAt.IsZero() && v.DestroyedAt.IsZero()
}

// Fits reports whether the version is what a spec asks of the next one, so that
// no new version is needed for the spec's sake.
func (v *Version) Fits(s Spec) bool {
	return v.Algorithm == s.Algorithm && v.Extractable == s.Extractable && slices.Equal(v.Mechanisms, s.AllowedMechanisms)
}

// Entry is a transition as an entry of a chain, of a version or, with 0, of the whole.
func (t Transition) Entry(version int) history.Entry {
	return history.Entry{At: t.At, What: t.What, Version: version, Actor: t.Actor, Reason: t.Reason}
}
