package lifecycle

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/history"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/rotation"
)

// revoke ends versions at once, without overlap. A version that the key never had
// is fault.Invalid. What is revoked stays revoked; a reason may still be made worse.
func (s *Service) revoke(ctx context.Context, k *keyring.Key, reasons map[int]keyring.Reason) error {
	if err := revocable(k, reasons); err != nil {
		return err
	}
	for _, n := range slices.Sorted(maps.Keys(reasons)) {
		v := k.Versions[n]
		if !v.RevokedAt.IsZero() {
			if reasons[n] == keyring.KeyCompromise && v.RevokedFor != keyring.KeyCompromise {
				v.RevokedFor = keyring.KeyCompromise
				s.note(k, v, history.Revoked, string(reasons[n]))
			}
			continue
		}
		v.RevokedAt, v.RevokedFor, v.ProcessUntil = s.now(), reasons[n], s.now()
		if v.DeactivatedAt.IsZero() {
			v.DeactivatedAt = s.now()
		}
		s.note(k, v, history.Revoked, string(reasons[n]))
		if err := s.writeOff(ctx, k, v); err != nil {
			return err
		}
	}
	return nil
}

// revocable refuses (fault.Invalid) to revoke a version that the key never had.
func revocable(k *keyring.Key, reasons map[int]keyring.Reason) error {
	var present []string
	for _, n := range k.Numbers() {
		if !k.Versions[n].Pending {
			present = append(present, strconv.Itoa(n))
		}
	}
	for _, n := range slices.Sorted(maps.Keys(reasons)) {
		if v := k.Versions[n]; v == nil || v.Pending {
			return &fault.Error{
				Kind: fault.Invalid, Op: "revoke version", Subject: versionSubject(k.Spec.Name, n),
				Problem: "The key has no such version.", Hint: "It has: " + strings.Join(present, ", ") + ".",
			}
		}
	}
	return nil
}

// writeOff records a revoked version as destroyed if its objects are lost, so that
// revoking is the way out when somebody destroyed a key behind our back.
func (s *Service) writeOff(ctx context.Context, k *keyring.Key, v *keyring.Version) error {
	if !v.DestroyedAt.IsZero() {
		return nil
	}
	seen, err := s.Token.Inspect(ctx, v.Ref, keyring.None)
	if err != nil || seen.Secrets > 0 {
		return err
	}
	v.DestroyedAt = s.now()
	s.note(k, v, history.Destroyed, "its object was no longer on the token when it was revoked")
	return nil
}

// repin makes the pinned version the active one, or, without a pin, gives the
// place back to the newest version that a pin had displaced and that may still serve.
func (s *Service) repin(k *keyring.Key, schedule rotation.Schedule) error {
	current := k.Current()
	if schedule.Pinned != 0 {
		v := k.Versions[schedule.Pinned]
		switch {
		case v == nil || v.Pending:
			return unpinnable(k, schedule.Pinned, "The key has no such version.")
		case v == current:
			return nil
		case k.State(v) != keyring.Deactivated || !k.MayProcess(v, s.now()):
			return unpinnable(k, schedule.Pinned, fmt.Sprintf("The version is %s and its overlap has ended, or it was revoked; it cannot become active again.", k.State(v)))
		}
		s.restore(k, current, v, schedule, "pinned")
		return nil
	}
	if current == nil {
		return nil
	}
	for _, n := range k.Numbers() {
		v := k.Versions[n]
		if n > current.Number && k.State(v) == keyring.Deactivated && k.MayProcess(v, s.now()) {
			s.restore(k, current, v, schedule, "no longer pinned")
			current = v
		}
	}
	return nil
}

// restore makes a deactivated version active again in place of the current one.
func (s *Service) restore(k *keyring.Key, current, v *keyring.Version, schedule rotation.Schedule, reason string) {
	if current != nil {
		s.demote(k, current, schedule, reason)
	}
	v.DeactivatedAt, v.ProcessUntil = time.Time{}, time.Time{} // its cryptoperiod goes on from where it was
	s.note(k, v, history.Activated, reason)
}

func unpinnable(k *keyring.Key, number int, problem string) error {
	return &fault.Error{
		Kind: fault.Invalid, Op: "pin version", Subject: versionSubject(k.Spec.Name, number), Problem: problem,
		Hint: "Only the active version, and a deactivated one within its overlap, can be pinned.",
	}
}
