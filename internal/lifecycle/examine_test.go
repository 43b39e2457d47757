package lifecycle_test

import (
	"context"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle/lifecycletest"
)

// TestExamine: what was done to the objects of a key behind our back is found, of reserved
// keys too.
func TestExamine(t *testing.T) {
	ctx := context.Background()
	for name, tc := range map[string]struct {
		change func(o *lifecycletest.Objects)
		want   string
	}{
		"nothing":  {func(*lifecycletest.Objects) {}, ""},
		"lost":     {func(o *lifecycletest.Objects) { o.Secrets = 0 }, "is no longer on the token"},
		"replaced": {func(o *lifecycletest.Objects) { o.Material = "another" }, "somebody replaced it"},
	} {
		t.Run(name, func(t *testing.T) {
			m := lifecycletest.New(noon)
			if err := m.Run().PrepareAuditKey(ctx); err != nil {
				t.Fatal(err)
			}
			tc.change(m.ObjectsOf(keyring.AuditKeyName, 1))
			unsound, err := m.Run().Examine(ctx)
			found := unsound[keyring.AuditKeyName][1]
			if err != nil || (found == nil) != (tc.want == "") || found != nil && !strings.Contains(found.Problem, tc.want) {
				t.Errorf("%v, %v", unsound, err)
			}
		})
	}
}
