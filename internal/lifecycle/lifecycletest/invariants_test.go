package lifecycletest_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle/lifecycletest"
)

func TestViolations(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(m *lifecycletest.Memory, k *keyring.Key)
		says  string // empty: nothing is wrong
	}{
		"nothing":      {func(*lifecycletest.Memory, *keyring.Key) {}, ""},
		"no record":    {func(m *lifecycletest.Memory, _ *keyring.Key) { clear(m.Records) }, "no record"},
		"counter":      {func(_ *lifecycletest.Memory, k *keyring.Key) { k.Counter = 0 }, "above the counter 0"},
		"pending":      {func(_ *lifecycletest.Memory, k *keyring.Key) { k.Versions[1].Pending = true }, "still pending"},
		"none active":  {func(m *lifecycletest.Memory, k *keyring.Key) { k.Versions[1].DeactivatedAt = m.Now() }, "0 active versions"},
		"not gone":     {func(m *lifecycletest.Memory, k *keyring.Key) { k.Versions[1].DestroyedAt = m.Now() }, "its key is there"},
		"gone":         {func(m *lifecycletest.Memory, _ *keyring.Key) { clear(m.Objects) }, "objects are"},
		"double":       {func(m *lifecycletest.Memory, _ *keyring.Key) { m.ObjectsOf("orders", 1).Secrets = 2 }, "objects are"},
		"public gone":  {func(m *lifecycletest.Memory, _ *keyring.Key) { m.ObjectsOf("orders", 1).Publics = 0 }, "objects are"},
		"drift":        {func(m *lifecycletest.Memory, _ *keyring.Key) { m.ObjectsOf("orders", 1).Allowed = keyring.Verify }, "the HSM allows verify"},
		"open work":    {func(_ *lifecycletest.Memory, k *keyring.Key) { k.Work = &keyring.Work{What: "update"} }, "work is open"},
		"not recorded": {func(m *lifecycletest.Memory, _ *keyring.Key) { m.MakeElsewhere(t, "beef", "legacy") }, "beef belongs to no version"},
		"key not gone": {
			func(_ *lifecycletest.Memory, k *keyring.Key) {
				k.Tombstone = &keyring.Tombstone{Action: keyring.DestroyDestroys}
			},
			"the key is destroyed and 1 objects are there",
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := lifecycletest.New(noon)
			spec := keyring.Spec{
				Name: "orders", Algorithm: keyring.ECP256, Operations: keyring.Sign | keyring.Verify, Enabled: true, OnDestroy: keyring.DestroyDisables,
			}
			if _, err := m.Run().Create(t.Context(), spec); err != nil {
				t.Fatal(err)
			}
			tc.spoil(m, m.Key("orders"))
			bad := m.Violations("orders")
			if tc.says == "" && bad != nil || tc.says != "" && !slices.ContainsFunc(bad, func(s string) bool { return strings.Contains(s, tc.says) }) {
				t.Errorf("violations are %q, want %q", bad, tc.says)
			}
		})
	}
}
