// Package rotation decides what is due on a key: it maps a schedule, a key and
// the time to steps. It is pure; it performs nothing and reads no clock.
package rotation

import (
	"slices"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// Schedule is what an owner asks of a rotation.
type Schedule struct {
	Every           time.Duration // cryptoperiod of a version; 0 is unlimited
	Overlap         time.Duration // how long a replaced version still processes; 0 is until retired by hand
	ActivationDelay time.Duration // how long a new version is published before it is used; 0 is not at all
	RetireAction    keyring.RetireAction
	Revoke          map[int]keyring.Reason
	Pinned          int // the version to go back to and stay with; 0 is none

	// Declared is the configuration that the fields above were read from.
	Declared keyring.Declaration
}

// RotateAt returns when the next rotation falls due: one period after the newest
// version's activation, done or planned. Periods that were missed are not made
// up for. It is the zero time when nothing falls due by time.
func (s Schedule) RotateAt(k *keyring.Key) time.Time {
	newest := k.Newest()
	if s.Every == 0 || newest == nil {
		return time.Time{}
	}
	activated := newest.ActivatedAt
	if activated.IsZero() {
		activated = newest.ActivateAfter
	}
	return activated.Add(s.Every)
}

// Due reports whether the key should get a new version now. A pinned, disabled
// or removed key never does, nor does one whose next version waits for activation.
func (s Schedule) Due(k *keyring.Key, now time.Time) bool {
	newest, current := k.Newest(), k.Current()
	switch {
	case s.Pinned != 0, !k.Spec.Enabled, k.Tombstone != nil, newest == nil:
		return false
	case newest.Waiting():
		return false
	case current == nil: // revoked
		return true
	case current.Number != newest.Number: // unpinned, and the newer one cannot come back
		return true
	case !current.Fits(k.Spec):
		return true
	}
	at := s.RotateAt(k)
	return !at.IsZero() && !now.Before(at)
}

// Pending lists, in the order to perform them, the steps that time or trouble
// has made due. observed holds the enforcement just found for each version.
func (s Schedule) Pending(k *keyring.Key, observed map[int]keyring.Enforcement, now time.Time) []Step {
	var steps []Step
	if k.Work != nil {
		steps = append(steps, Step{Recover, slices.Max(append([]int{0}, k.Work.Versions...))})
	}
	if !k.Spec.Enabled || k.Tombstone != nil {
		return steps // suspended: transitions wait, late does no harm
	}
	if next := k.Newest(); s.Pinned == 0 && next != nil && next.Waiting() && !now.Before(next.ActivateAfter) {
		steps = append(steps, Step{Activate, next.Number})
		if current := k.Current(); current != nil {
			steps = append(steps, Step{Demote, current.Number})
		}
	}
	for _, n := range k.Numbers() {
		v := k.Versions[n]
		if k.State(v) == keyring.Deactivated && v.RetiredAt.IsZero() && v.RevokedAt.IsZero() &&
			!v.ProcessUntil.IsZero() && !now.Before(v.ProcessUntil) {
			steps = append(steps, Step{Retire, n})
		} else if observed[n] == keyring.EnforcementDrifted && k.Work == nil {
			steps = append(steps, Step{Enforce, n})
		}
	}
	return steps
}
