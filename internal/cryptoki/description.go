package cryptoki

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
)

// Info opens the token, without login, and asks it.
func (t *Token) Info(ctx context.Context) (Info, error) {
	const op = "describe token"
	if err := t.enter(op); err != nil {
		return Info{}, err
	}
	defer t.leave()
	a, err := t.attach(ctx, false)
	if err != nil {
		return Info{}, err
	}
	var info tokenInfo
	err = a.run(ctx, func(d driver) error {
		info, err = t.sameToken(d, a)
		return err
	})
	if err != nil {
		return Info{}, t.fail(ctx, op, a, err)
	}
	return Info{
		Label: info.Label, Serial: info.Serial, Model: info.Model, Manufacturer: info.Manufacturer,
		Firmware: version(info.Firmware), Hardware: version(info.Hardware),
		Library: fmt.Sprintf("%s %d.%d", a.library.Description, a.library.Major, a.library.Minor),
		Slot:    a.slot, Flags: names(tokenFlags, info.Flags),
		Sessions: told(info.Sessions), MaxSessions: told(info.MaxSessions),
		FreePrivateMemory: told(info.FreePrivateMemory), FreePublicMemory: told(info.FreePublicMemory),
		Cautions: slices.Clone(a.profile.Cautions),
	}, nil
}

func version(v [2]byte) string { return fmt.Sprintf("%d.%d", v[0], v[1]) }

// told is -1 for CK_UNAVAILABLE_INFORMATION.
func told(v uint) int64 {
	if unavailable(v) || v > math.MaxInt64 {
		return -1
	}
	return int64(v)
}

// names returns the names of the flags that are set, sorted.
func names(flags []flag, set uint) []string {
	list := []string{}
	for _, f := range flags {
		if set&f.bit != 0 {
			list = append(list, f.name)
		}
	}
	slices.Sort(list)
	return list
}

// Uses names the flags that are set, in lower case without prefix, sorted: "sign",
// "generate_key_pair", …
func (i MechanismInfo) Uses() []string { return names(mechanismFlags, i.Flags) }

// Mechanisms lists what the token says it can do, by CKM_ code. It needs no login;
// the first answer is kept.
func (t *Token) Mechanisms(ctx context.Context) (map[uint]MechanismInfo, error) {
	const op = "list mechanisms"
	if err := t.enter(op); err != nil {
		return nil, err
	}
	defer t.leave()
	a, err := t.attach(ctx, false)
	if err != nil {
		return nil, err
	}
	err = a.run(ctx, func(d driver) error {
		if a.mechanisms != nil {
			return nil
		}
		codes, err := d.Mechanisms(a.slot)
		if err != nil {
			return err
		}
		list := make(map[uint]MechanismInfo, len(codes))
		for _, code := range codes {
			info, err := d.MechanismInfo(a.slot, code)
			if hasCode(err, CKR_MECHANISM_INVALID, CKR_FUNCTION_NOT_SUPPORTED) {
				continue // listed, and then not known
			}
			if err != nil {
				return err
			}
			list[code] = info
		}
		a.mechanisms = list
		return nil
	})
	if err != nil {
		return nil, t.fail(ctx, op, a, err)
	}
	return maps.Clone(a.mechanisms), nil
}

// Profile opens the token, without login, and recognises its kind.
func (t *Token) Profile(ctx context.Context) (Profile, error) {
	if err := t.enter("recognise token"); err != nil {
		return Profile{}, err
	}
	defer t.leave()
	a, err := t.attach(ctx, false)
	if err != nil {
		return Profile{}, err
	}
	return a.profile, nil
}
