package keyring

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/history"
)

// Key is a logical key: what was asked for, and its versions.
type Key struct {
	Spec      Spec             `json:"spec"`
	CreatedAt time.Time        `json:"created_at,omitzero"`
	Counter   int              `json:"counter"` // the highest number ever given out; never goes back
	Versions  map[int]*Version `json:"versions"`

	// Rotation is the schedule that manages the key now, nil if none does.
	Rotation *Rotation `json:"rotation,omitempty"`
	// Tombstone marks a key whose declaration was removed.
	Tombstone *Tombstone `json:"tombstone,omitempty"`
	// Work is what a run has begun and not finished, nil between runs. It is
	// written before the HSM is touched.
	Work *Work `json:"work,omitempty"`
	// Chain is the key's history, with that of its versions.
	Chain history.Chain `json:"chain,omitzero"`
}

// Rotation is the note, on the key, that a rotation manages it.
type Rotation struct {
	Instance int         `json:"instance"` // the version which the managing instance made or claimed
	Declared Declaration `json:"declared"` // as last applied, for import
}

// Declaration is a rotation's configuration word for word, so that importing the
// rotation gives back what was written and not merely what it means.
type Declaration struct {
	Every             string            `json:"rotate_every,omitempty"`
	Overlap           string            `json:"overlap,omitempty"`
	ActivationDelay   string            `json:"activation_delay,omitempty"`
	RetireAction      RetireAction      `json:"retire_action,omitempty"`
	RotateWhenChanged map[string]string `json:"rotate_when_changed,omitempty"`
	Revoke            map[int]Reason    `json:"revoke,omitempty"`
	Pinned            int               `json:"pinned_version,omitempty"`
}

// Tombstone says when and how a key was removed. A key that was retained has none:
// only its declaration is gone.
type Tombstone struct {
	At     time.Time `json:"at"`
	Actor  string    `json:"actor"`
	Action OnDestroy `json:"action"`
}

// Work is an intent: which run is changing which versions, and since when.
type Work struct {
	What     string    `json:"what"` // "create", "rotate", …
	Versions []int     `json:"versions"`
	Run      string    `json:"run"` // random, one per process
	Host     string    `json:"host"`
	PID      int       `json:"pid"`
	Since    time.Time `json:"since"`
}

// Prospective returns a key as it is going to be when it has been made: with one
// version, of which nothing is known but what the spec says.
func Prospective(spec Spec) *Key {
	made := time.Unix(0, 0).UTC() // any time will do, as long as it is one
	return &Key{Spec: spec, CreatedAt: made, Counter: 1, Versions: map[int]*Version{
		1: {Number: 1, Algorithm: spec.Algorithm, Operations: spec.Operations, Ref: Ref{Pair: spec.Algorithm.IsPair()}, CreatedAt: made, ActivatedAt: made},
	}}
}

// Ask changes what is asked of the key: operations hold at once for every version of
// the spec's algorithm.
func (k *Key) Ask(spec Spec) {
	k.Spec = spec
	for _, v := range k.Versions {
		if v.Algorithm == spec.Algorithm {
			v.Operations = spec.Operations
		}
	}
}

// Committed reports whether the key has ever had a version that was finished.
// A record that is not committed is an intent that was never completed.
func (k *Key) Committed() bool {
	return slices.ContainsFunc(k.Numbers(), func(n int) bool { return !k.Versions[n].Pending })
}

// Numbers lists the numbers of all versions, ascending.
func (k *Key) Numbers() []int { return slices.Sorted(maps.Keys(k.Versions)) }

// State returns the state of one of the key's versions. It is a pure function of
// the recorded facts and needs no clock: a transition takes place when it is
// performed and recorded, which may be late and is never early.
func (k *Key) State(v *Version) State {
	switch {
	case !v.DestroyedAt.IsZero():
		return Destroyed
	case !v.RevokedAt.IsZero() && v.RevokedFor == KeyCompromise:
		return Compromised
	case !v.DeactivatedAt.IsZero() && (!v.RevokedAt.IsZero() || !v.RetiredAt.IsZero()):
		return Deactivated // for good: there is nothing left to suspend
	case !k.Spec.Enabled, k.Tombstone != nil:
		return Suspended
	case !v.DeactivatedAt.IsZero():
		return Deactivated
	case !v.ActivatedAt.IsZero():
		return Active
	default:
		return PreActivation
	}
}

// Permitted returns what the HSM should let a version do. Like State it follows
// the recorded facts alone, so that bringing the HSM in line twice does no harm.
func (k *Key) Permitted(v *Version) Operations {
	switch k.State(v) {
	case Active:
		return v.Operations
	case Deactivated:
		if !v.RevokedAt.IsZero() || (!v.RetiredAt.IsZero() && v.RetiredBy != RetireRetains) {
			return None
		}
		return v.Operations & Processing
	default:
		return None
	}
}

// MayProcess reports whether at the given time a version may still verify,
// decrypt or unwrap. After ProcessUntil it may not, whether or not the HSM has
// been told yet.
func (k *Key) MayProcess(v *Version, now time.Time) bool {
	switch k.State(v) {
	case Active:
		return true
	case Deactivated:
		return v.RevokedAt.IsZero() && v.RetiredAt.IsZero() && (v.ProcessUntil.IsZero() || now.Before(v.ProcessUntil))
	default:
		return false
	}
}

// Current returns the version that protects new data: the active one, or, of a
// disabled or removed key, the one that will be again when the key is enabled or
// imported. It is nil when the version that was active has been revoked and has no
// successor yet. A revocation always deactivates too, so that DeactivatedAt alone
// tells.
func (k *Key) Current() *Version {
	for _, n := range slices.Backward(k.Numbers()) {
		v := k.Versions[n]
		if !v.Pending && !v.ActivatedAt.IsZero() && v.DeactivatedAt.IsZero() && v.DestroyedAt.IsZero() {
			return v
		}
	}
	return nil
}

// Newest returns the committed version with the highest number, nil if there is none.
func (k *Key) Newest() *Version {
	for _, n := range slices.Backward(k.Numbers()) {
		if v := k.Versions[n]; !v.Pending {
			return v
		}
	}
	return nil
}

// Superseded reports whether another rotation instance has taken over from the
// one that made or claimed the version with the given number. A key that no
// instance manages is free for whichever is left.
func (k *Key) Superseded(instance int) bool {
	return k.Rotation != nil && k.Rotation.Instance != instance
}

// Note adds an entry to the key's history.
func (k *Key) Note(e history.Entry) {
	if k.Chain.IsZero() {
		var earlier []history.Entry
		for _, n := range k.Numbers() {
			for _, t := range k.Versions[n].Earlier {
				earlier = append(earlier, t.Entry(n))
			}
			k.Versions[n].Earlier = nil
		}
		k.Chain.Absorb(earlier)
	}
	k.Chain.Append(e)
}

// RecordName is what the key's record is found by.
func (k *Key) RecordName() string { return k.Spec.Name }

// Flaw says what is in a record that no run has written, empty for nothing: whoever works
// with a key may rely on its versions being there, under their numbers, and on the counter.
func (k *Key) Flaw() string {
	for _, n := range k.Numbers() {
		switch v := k.Versions[n]; {
		case v == nil || v.Number != n:
			return fmt.Sprintf("What it says of version %d is not about that version.", n)
		case n < 1 || n > k.Counter:
			return fmt.Sprintf("It has a version %d, and says that %d is the highest number.", n, k.Counter)
		}
	}
	if k.Rotation != nil && k.Versions[k.Rotation.Instance] == nil {
		return fmt.Sprintf("It says that a rotation manages version %d, which it does not have.", k.Rotation.Instance)
	}
	return k.Chain.Flaw()
}

// Clone returns a deep copy, so that a caller may change it and lose it.
func (k *Key) Clone() *Key {
	c := *k
	c.Chain = k.Chain.Clone()
	c.Spec.AllowedMechanisms = slices.Clone(k.Spec.AllowedMechanisms)
	c.Spec.Tags = maps.Clone(k.Spec.Tags)
	if k.Spec.Import != nil {
		i := *k.Spec.Import
		c.Spec.Import = &i
	}
	c.Versions = make(map[int]*Version, len(k.Versions))
	for n, v := range k.Versions {
		w := *v
		w.Mechanisms, w.PublicKey, w.Earlier = slices.Clone(v.Mechanisms), slices.Clone(v.PublicKey), slices.Clone(v.Earlier)
		c.Versions[n] = &w
	}
	if k.Rotation != nil {
		r := *k.Rotation
		r.Declared.RotateWhenChanged = maps.Clone(r.Declared.RotateWhenChanged)
		r.Declared.Revoke = maps.Clone(r.Declared.Revoke)
		c.Rotation = &r
	}
	if k.Tombstone != nil {
		t := *k.Tombstone
		c.Tombstone = &t
	}
	if k.Work != nil {
		w := *k.Work
		w.Versions = slices.Clone(k.Work.Versions)
		c.Work = &w
	}
	return &c
}
