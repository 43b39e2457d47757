package cryptoki

import (
	"fmt"
	"strings"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// present is a slot with what its token says of itself, or why it says nothing.
type present struct {
	slot uint
	info tokenInfo
	err  error
}

// listTokens asks every slot with a token. One broken slot does not hide the others.
func listTokens(d driver) ([]present, error) {
	slots, err := d.Slots()
	if err != nil {
		return nil, err
	}
	var list []present
	for _, slot := range slots {
		info, err := d.TokenInfo(slot)
		list = append(list, present{slot, info, err})
	}
	return list, nil
}

// choose returns the one token that s selects among those that are initialised.
func (s Selector) choose(list []present) (present, error) {
	var fresh, ready []present
	for _, p := range list {
		switch {
		case !s.matches(p):
		case p.info.Flags&CKF_TOKEN_INITIALIZED == 0:
			fresh = append(fresh, p)
		default:
			ready = append(ready, p)
		}
	}
	refuse := func(kind fault.Kind, problem, hint string) (present, error) {
		return present{}, &fault.Error{Kind: kind, Op: "select token", Subject: s.String(), Problem: problem, Hint: hint}
	}
	switch {
	case len(ready) == 1:
		return ready[0], nil
	case len(ready) > 1 && s == Selector{}:
		return refuse(fault.Invalid, "No token was asked for, and there are several: "+describe(ready)+".", "Say which one by its serial number.")
	case len(ready) > 1:
		return refuse(fault.Invalid, fmt.Sprintf("%d tokens match: %s.", len(ready), describe(ready)), "Add the serial number of the one that is meant.")
	case len(fresh) > 0:
		return refuse(fault.Invalid, "The token is not initialised: "+describe(fresh)+".",
			"Initialise it with the vendor's tool (for SoftHSM: `softhsm2-util --init-token --free --label NAME`), then run again.")
	default:
		return refuse(fault.Unavailable, "There is no such token; present: "+describe(list)+".",
			"Correct label, serial or slot, or make the token reachable. For software tokens check the configuration that this process sees (for SoftHSM: SOFTHSM2_CONF), "+
				"and that this user may read the files of the token.")
	}
}

func (s Selector) matches(p present) bool {
	is := func(wanted, value string) bool { return wanted == "" || wanted == value }
	return p.err == nil && (s.Slot == nil || *s.Slot == p.slot) && is(s.Label, p.info.Label) && is(s.Serial, p.info.Serial) &&
		is(s.Manufacturer, p.info.Manufacturer) && is(s.Model, p.info.Model)
}

// String says what is asked for: `token with label "prod"`.
func (s Selector) String() string {
	var parts []string
	for _, f := range []struct{ name, value string }{
		{"label", s.Label}, {"serial", s.Serial}, {"model", s.Model}, {"manufacturer", s.Manufacturer},
	} {
		if f.value != "" {
			parts = append(parts, fmt.Sprintf("%s %q", f.name, f.value))
		}
	}
	if s.Slot != nil {
		parts = append(parts, fmt.Sprintf("slot %d", *s.Slot))
	}
	if len(parts) == 0 {
		return "any token"
	}
	return "token with " + strings.Join(parts, ", ")
}

func describe(list []present) string {
	if len(list) == 0 {
		return "none"
	}
	parts := make([]string, 0, len(list))
	for _, p := range list {
		switch {
		case p.err != nil:
			parts = append(parts, fmt.Sprintf("slot %d, which cannot be read [%s]", p.slot, p.err))
		case p.info.Flags&CKF_TOKEN_INITIALIZED == 0:
			parts = append(parts, fmt.Sprintf("an uninitialised token (model %q, slot %d)", p.info.Model, p.slot))
		default:
			parts = append(parts, fmt.Sprintf("%q (serial %q, model %q, slot %d)", p.info.Label, p.info.Serial, p.info.Model, p.slot))
		}
	}
	return strings.Join(parts, "; ")
}
