package lifecycle_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/history"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle/lifecycletest"
)

// TestHistory: a key's record tells all that was done to it, what came to nothing included,
// in the writes that there are anyway.
func TestHistory(t *testing.T) {
	ctx := context.Background()
	m := lifecycletest.New(noon)
	if _, err := m.Doomed(2, lifecycletest.After).Create(ctx, orders()); err == nil { // with the objects there, and nothing committed
		t.Fatal("it was not killed")
	}
	created(t, m)
	if _, _, err := m.Run().Rotate(ctx, "orders", weekly); err != nil { // claims
		t.Fatal(err)
	}
	if _, _, err := m.Run().Rotate(ctx, "orders", weekly); err != nil {
		t.Fatal(err)
	}
	m.Pass(2 * time.Hour)
	revoking := weekly
	revoking.Revoke = map[int]keyring.Reason{2: keyring.KeyCompromise}
	if _, err := m.Run().Advance(ctx, "orders", 3, revoking, weekly.Pending(m.Key("orders"), nil, m.Now())); err != nil {
		t.Fatal(err)
	}
	spec := orders()
	spec.Enabled, spec.DeletionProtection, spec.OnDestroy, spec.Tags = false, true, keyring.DestroyRetains, map[string]string{"team": "payments"}
	if _, err := m.Run().Update(ctx, spec); err != nil {
		t.Fatal(err)
	}
	spec.DeletionProtection, spec.OnDestroy = false, keyring.DestroyDisables
	if _, err := m.Run().Update(ctx, spec); err != nil {
		t.Fatal(err)
	}
	if err := m.Run().Release(ctx, "orders", 3); err != nil {
		t.Fatal(err)
	}
	if err := m.Run().Destroy(ctx, "orders"); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"begun 1 create", "abandoned 1 create",
		"begun 2 create", "generated 2 ", "activated 2 created",
		"claimed 2 ",
		"begun 3 rotate", "generated 3 ", "deactivated 2 rotated", "activated 3 rotated", "begun 2 rotate", "settled 0 rotate",
		"revoked 2 key_compromise", "begun 2 advance", "settled 0 advance",
		"updated 0 enabled true → false, deletion_protection false → true, on_destroy disable → retain, tags +team", "suspended 2 ", "suspended 3 ", "begun 3 update", "settled 0 update",
		"updated 0 deletion_protection true → false, on_destroy retain → disable",
		"released 3 ",
		"disabled 2 the key was removed", "disabled 3 the key was removed", "removed 0 ", "begun 0 destroy", "settled 0 destroy",
	}
	var got []string
	k := m.Key("orders")
	for _, e := range k.Chain.All() {
		got = append(got, fmt.Sprintf("%s %d %s", e.What, e.Version, e.Reason))
		if e.Actor != "ada@example" || e.Run == "" || e.At.IsZero() {
			t.Errorf("%+v", e)
		}
		if made := e.What == history.Generated; made != (e.Digest != "") || made && e.Digest != k.Versions[e.Version].Fingerprint {
			t.Errorf("%+v", e)
		}
	}
	if !slices.Equal(got, want) || k.Flaw() != "" {
		t.Errorf("%s\ngot  %q\nwant %q", k.Flaw(), got, want)
	}
}
