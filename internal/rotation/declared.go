package rotation

import (
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// Declared reads a schedule back from the record of its declaration, for whoever rotates
// a key without being its rotation. A duration that cannot be read is fault.Inconsistent:
// only what was read once is recorded.
func Declared(d keyring.Declaration) (Schedule, error) {
	s := Schedule{RetireAction: d.RetireAction, Revoke: d.Revoke, Pinned: d.Pinned, Declared: d}
	for _, each := range []struct {
		text string
		to   *time.Duration
	}{{d.Every, &s.Every}, {d.Overlap, &s.Overlap}, {d.ActivationDelay, &s.ActivationDelay}} {
		if each.text == "" {
			continue
		}
		var err error
		if *each.to, err = time.ParseDuration(each.text); err != nil {
			return Schedule{}, &fault.Error{
				Kind: fault.Inconsistent, Op: "read schedule", Subject: "duration " + each.text, Problem: "The recorded schedule of the rotation cannot be read.", Cause: err,
				Hint: "Apply the hsm_key_rotation of the key, which records its schedule anew.",
			}
		}
	}
	return s, nil
}
