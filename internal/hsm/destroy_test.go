package hsm_test

import (
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/hsm"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// TestDestroyFailure: a destruction that stops half-way says so, and is finished
// by the next one.
func TestDestroyFailure(t *testing.T) {
	b := newBench(t)
	denied := broken(fault.Denied)
	for name, test := range map[string]struct {
		rig  func(*rig)
		kind fault.Kind
		left int
	}{
		"search":               {func(r *rig) { r.before = r.on("Search", 1, true, denied) }, fault.Denied, 2},
		"private half, before": {func(r *rig) { r.before = r.on("DestroyObject", 1, true, denied) }, fault.Denied, 2},
		"public half, before":  {func(r *rig) { r.before = r.on("DestroyObject", 2, true, denied) }, fault.Unavailable, 1},
	} {
		t.Run(name, func(t *testing.T) {
			o := order("doomed", keyring.ECP256, keyring.Sign)
			b.generate(t, o)
			r := &rig{Device: b.device}
			test.rig(r)
			if err := hsm.NewOn(r).Destroy(t.Context(), o.Ref, true); !fault.Is(err, test.kind) {
				t.Errorf("%v", err)
			}
			left := b.objects(t, o.Ref.ID)
			if len(left) != test.left {
				t.Errorf("%d objects are left", len(left))
			}
			if err := b.hsm.Destroy(t.Context(), o.Ref, true); err != nil {
				t.Fatal(err)
			}
			if n := len(b.objects(t, o.Ref.ID)); n != 0 {
				t.Errorf("%d objects are left", n)
			}
		})
	}
}

// TestDestroyDoubles destroys everything under the id, and nothing else.
func TestDestroyDoubles(t *testing.T) {
	b := newBench(t)
	o, other := order("doomed", keyring.AES256, keyring.Encrypt), order("doomed", keyring.AES256, keyring.Encrypt)
	b.generate(t, o)
	b.generate(t, other)
	b.Tool(t, "--keygen", "--key-type", "AES:32", "--id", o.Ref.ID, "--label", "second")
	if err := b.hsm.Destroy(t.Context(), o.Ref, false); err != nil {
		t.Fatal(err)
	}
	if n := len(b.objects(t, o.Ref.ID)); n != 0 {
		t.Errorf("%d objects are left", n)
	}
	if n := len(b.objects(t, other.Ref.ID)); n != 1 {
		t.Errorf("%d objects of another key are left", n)
	}
}
