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
	some, err := t.destroyAll(ctx, classes, raw)
	if err != nil && some {
		return uncertain(err, "destroy key", subject(ref), "Only a part of the key was destroyed.")
	}
	if err != nil {
		return failed(err, "destroy key", subject(ref), "Nothing was destroyed.")
	}
	return nil
}

// destroyAll destroys what has an id, class by class, and says whether it destroyed
// anything.
func (t *Token) destroyAll(ctx context.Context, classes []uint, raw []byte) (some bool, err error) {
	for n := 1; ; n++ {
		objects, err := t.device.Search(ctx, []cryptoki.Attribute{cryptoki.Bytes(cryptoki.CKA_ID, raw)})
		if err != nil {
			return some, err
		}
		var doubtful []uint // classes of which it is not certain that nothing is left
		for _, class := range classes {
			found, vanished := false, false
			for _, o := range objects {
				if o.Class != class {
					continue
				}
				err := t.device.DestroyObject(ctx, o.Handle)
				if err != nil && !gone(err) {
					return some, err
				}
				found = true
				vanished = vanished || err != nil // somebody destroyed it, or it only hides
				some = some || err == nil
			}
			if !found || vanished {
				doubtful = append(doubtful, class)
			}
		}
		for _, class := range doubtful {
			if err = t.device.ConfirmAbsent(ctx, half(class, raw)); err != nil {
				break
			}
		}
		if err == nil || !fault.Is(err, fault.Conflict) || n == attempts { // Conflict: it appeared after all
			return some, err
		}
	}
}
