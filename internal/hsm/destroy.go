package hsm

import (
	"context"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// Destroy destroys every object of a ref, see lifecycle.Token. The private half
// goes first: a kill in between leaves a public key, which harms nobody, and
// calling again goes on from there. "It is gone" rests on the token having
// destroyed it, or on positive evidence that it was not there.
func (t *Token) Destroy(ctx context.Context, ref keyring.Ref, publicToo bool) error {
	raw, err := id(ref)
	if err != nil {
		return err
	}
	t.changes.Lock()
	defer t.changes.Unlock()
	classes := []uint{secretClass(ref.Pair)}
	if ref.Pair && publicToo {
		classes = append(classes, cryptoki.CKO_PUBLIC_KEY)
	}
	some := false
	for _, class := range classes {
		destroyed, err := t.destroyHalf(ctx, class, raw)
		some = some || destroyed
		if err != nil && some {
			return uncertain(err, "destroy key", subject(ref), "Only a part of the key was destroyed.")
		}
		if err != nil {
			return failed(err, "destroy key", subject(ref), "Nothing was destroyed.")
		}
	}
	return nil
}

func (t *Token) destroyHalf(ctx context.Context, class uint, raw []byte) (some bool, err error) {
	for n := 1; ; n++ {
		objects, err := t.device.Search(ctx, half(class, raw))
		if err != nil {
			return some, err
		}
		vanished := false
		for _, o := range objects {
			err := t.device.DestroyObject(ctx, o.Handle)
			if err != nil && !gone(err) {
				return some, err
			}
			vanished = vanished || err != nil // by somebody else, or only hidden
			some = some || err == nil
		}
		if len(objects) > 0 && !vanished {
			return some, nil
		}
		err = t.device.ConfirmAbsent(ctx, half(class, raw))
		if err == nil || !fault.Is(err, fault.Conflict) || n == attempts { // Conflict: it appeared after all
			return some, err
		}
	}
}
