package lifecycle_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/history"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle/lifecycletest"
	"github.com/keystead/terraform-provider-hsm/internal/rotation"
)

// transport is the key that unwraps.
func transport() keyring.Spec {
	return keyring.Spec{Name: "transport", Algorithm: keyring.AES256, Operations: keyring.Unwrap, Enabled: true, OnDestroy: keyring.DestroyDisables}
}

func withWrapping(t *testing.T, m *lifecycletest.Memory) {
	t.Helper()
	must[*keyring.Key](t)(m.Run().Create(context.Background(), transport()))
}

// brought is the key of these tests, made of a version of material from elsewhere.
func brought(version int64) keyring.Spec {
	spec := orders()
	spec.Import = &keyring.Import{Version: version, WrappingKey: "transport", Mechanism: keyring.AESKeyWrapPad}
	return spec
}

var material = lifecycletest.WrappedMaterial(keyring.ECP256)

func TestBring(t *testing.T) {
	m := lifecycletest.New(noon)
	withWrapping(t, m)
	k := must[*keyring.Key](t)(m.Run().Bring(t.Context(), brought(1), material))
	v := k.Current()
	if v == nil || v.Birth.Local || v.Birth.NeverExtractable || v.Birth.AlwaysSensitive || v.Ref.Imported != keyring.ECP256 ||
		!slices.ContainsFunc(k.Chain.All(), func(e history.Entry) bool {
			return e.What == history.Imported && e.Version == 1 && e.Digest == v.Fingerprint
		}) {
		t.Fatalf("the version is %+v", v)
	}
	inOrder(t, m)
	must[*keyring.Key](t)(m.Run().Read(t.Context(), "orders", lifecycle.Known{Refs: []keyring.Ref{v.Ref}}))

	// A rotation of the key makes the next version in the HSM.
	rotatedOnce(t, m.Run(), weekly)
	if next := m.Key("orders").Current(); next.Number != 2 || !next.Birth.Local || next.Ref.Imported != "" {
		t.Errorf("after the rotation the version is %+v", next)
	}
	inOrder(t, m)
}

func TestRenew(t *testing.T) {
	for name, test := range map[string]struct {
		setup   func(*testing.T, *lifecycletest.Memory)
		version int
		until   time.Time
		due     time.Time // of the rotation, if there is one
	}{
		"a key without rotation": {func(t *testing.T, m *lifecycletest.Memory) {
			must[*keyring.Key](t)(m.Run().Bring(t.Context(), brought(1), material))
		}, 2, time.Time{}, time.Time{}},
		"a generated key": {created, 2, time.Time{}, time.Time{}},
		"a key with a rotation": {func(t *testing.T, m *lifecycletest.Memory) {
			created(t, m)
			scheduled := weekly
			scheduled.Declared = keyring.Declaration{Every: "168h", Overlap: "1h", RetireAction: keyring.RetireDisables}
			rotatedOnce(t, m.Run(), scheduled)
		}, 3, noon.Add(25 * time.Hour), noon.Add(8 * 24 * time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			m := lifecycletest.New(noon)
			withWrapping(t, m)
			test.setup(t, m)
			m.Pass(24 * time.Hour)
			k := must[*keyring.Key](t)(m.Run().Renew(t.Context(), brought(2), material))
			replaced := k.Versions[test.version-1]
			if k.Current().Number != test.version || k.State(replaced) != keyring.Deactivated || !replaced.ProcessUntil.Equal(test.until) {
				t.Errorf("current is %d, and the one before is %s until %s", k.Current().Number, k.State(replaced), replaced.ProcessUntil)
			}
			if !k.MayProcess(replaced, m.Now()) {
				t.Error("what was protected before cannot be processed")
			}
			inOrder(t, m)

			// Once is enough, however often it is asked for.
			again := must[*keyring.Key](t)(m.Run().Renew(t.Context(), brought(2), material))
			if again.Counter != test.version {
				t.Errorf("the same material made version %d", again.Counter)
			}
			if !test.due.IsZero() {
				schedule := must[rotation.Schedule](t)(rotation.Declared(again.Rotation.Declared))
				if schedule.Due(again, m.Now()) || !schedule.RotateAt(again).Equal(test.due) {
					t.Errorf("the rotation is due at %s, want %s", schedule.RotateAt(again), test.due)
				}
				claim, instance, err := m.Run().Rotate(t.Context(), "orders", schedule)
				if err != nil || instance != test.version+1 {
					t.Errorf("the next instance of the rotation has %d (%v), %v", instance, claim, err)
				}
			}
		})
	}
}

func TestBringRefuses(t *testing.T) {
	set := func(change func(*keyring.Spec)) keyring.Spec {
		spec := brought(1)
		change(&spec)
		return spec
	}
	for name, test := range map[string]struct {
		spec     keyring.Spec
		material []byte
		kind     fault.Kind
		says     string
	}{
		"no material":                    {brought(1), nil, fault.Invalid, "wrapped_material_wo"},
		"no import":                      {orders(), material, fault.Invalid, "no material"},
		"material of another kind":       {brought(1), lifecycletest.WrappedMaterial(keyring.AES256), fault.Invalid, "does not open"},
		"no wrapping key":                {set(func(s *keyring.Spec) { s.Import.WrappingKey = "nobody" }), material, fault.NotFound, `no key "nobody"`},
		"a wrapping key that signs":      {set(func(s *keyring.Spec) { s.Import.WrappingKey = "signer" }), material, fault.Unsupported, "may unwrap"},
		"a mechanism for another key":    {set(func(s *keyring.Spec) { s.Import.Mechanism = keyring.RSAAESKeyWrap }), material, fault.Unsupported, "may unwrap RSA_AES_KEY_WRAP"},
		"a private key by OAEP":          {set(func(s *keyring.Spec) { s.Import.Mechanism = keyring.RSAOAEP }), material, fault.Invalid, "too long"},
		"its own wrapping key":           {set(func(s *keyring.Spec) { s.Import.WrappingKey = "orders" }), material, fault.Invalid, "its own material"},
		"extractable":                    {set(func(s *keyring.Spec) { s.Extractable = true }), material, fault.Invalid, "extractable"},
		"an algorithm of Edwards curves": {set(func(s *keyring.Spec) { s.Algorithm = keyring.Ed25519 }), material, fault.Invalid, "public half"},
		"the derivation key to open it":  {set(func(s *keyring.Spec) { s.Import.WrappingKey = keyring.DerivationKeyName }), material, fault.Invalid, "usable"},
	} {
		t.Run(name, func(t *testing.T) {
			m := lifecycletest.New(noon)
			withWrapping(t, m)
			signer := orders()
			signer.Name = "signer"
			must[*keyring.Key](t)(m.Run().Create(t.Context(), signer))
			objects := len(m.Objects)
			_, err := m.Run().Bring(t.Context(), test.spec, test.material)
			wantFault(t, err, test.kind, test.says)
			if left := m.Key("orders"); len(m.Objects) != objects || left != nil && len(left.Versions) > 0 {
				t.Errorf("%d objects where there were %d; the record is %+v", len(m.Objects), objects, left)
			}
		})
	}
}

// What was wrapped before the wrapping key was rotated comes in during its overlap.
func TestBringByReplacedWrappingKey(t *testing.T) {
	m := lifecycletest.New(noon)
	withWrapping(t, m)
	first := m.Key("transport").Versions[1].Ref
	for range 2 {
		if _, _, err := m.Run().Rotate(t.Context(), "transport", weekly); err != nil {
			t.Fatal(err)
		}
	}
	second := m.Key("transport").Versions[2].Ref
	m.Objects[second.ID].Allowed = keyring.None // it does not open the material
	must[*keyring.Key](t)(m.Run().Bring(t.Context(), brought(1), material))
	m.Objects[second.ID].Allowed = keyring.Unwrap
	inOrder(t, m)

	m.Objects[second.ID].Allowed, m.Objects[first.ID].Allowed = keyring.None, keyring.Unwrap
	m.Pass(2 * time.Hour) // the overlap is over, whatever the HSM still allows
	_, err := m.Run().Renew(t.Context(), brought(2), material)
	wantFault(t, err, fault.Invalid, "does not open")
}

// A pinned version is not replaced behind the back of its rotation.
func TestRenewLeavesPinnedVersion(t *testing.T) {
	m := lifecycletest.New(noon)
	withWrapping(t, m)
	created(t, m)
	schedule := weekly
	schedule.Pinned, schedule.Declared.Pinned = 1, 1
	if _, _, err := m.Run().Rotate(t.Context(), "orders", schedule); err != nil {
		t.Fatal(err)
	}
	_, err := m.Run().Renew(t.Context(), brought(2), material)
	wantFault(t, err, fault.Protected, "pins version 1")
}

// TestBringNothingTwice: material that is a version already is refused, also of a version
// that was revoked, and leaves nothing.
func TestBringNothingTwice(t *testing.T) {
	m := lifecycletest.New(noon)
	withWrapping(t, m)
	must[*keyring.Key](t)(m.Run().Bring(t.Context(), brought(1), material))
	refused := func(version int64, says string) {
		t.Helper()
		_, err := m.Run().Renew(t.Context(), brought(version), lifecycletest.Again(material))
		if !fault.Is(err, fault.Protected) || !strings.Contains(err.Error(), says) {
			t.Errorf("%v does not say %q", err, says)
		}
		if k := m.Key("orders"); len(k.Versions) != 1 || k.Work != nil {
			t.Errorf("left are %v", k.Versions)
		}
	}
	refused(2, "version 1, which is active")
	inOrder(t, m)
	must[*keyring.Key](t)(m.Run().Revoke(t.Context(), "orders", 1, keyring.KeyCompromise))
	refused(3, "version 1, which is compromised")
}

// TestBringNothingUnderAnotherName: nor may material come back as another key, but that of one
// which was destroyed and never revoked.
func TestBringNothingUnderAnotherName(t *testing.T) {
	for name, tc := range map[string]struct {
		before func(*testing.T, *lifecycletest.Memory)
		says   string // empty if it is taken in
	}{
		"active": {func(*testing.T, *lifecycletest.Memory) {}, `version 1 of the key "orders", which is active`},
		"compromised": {func(t *testing.T, m *lifecycletest.Memory) {
			must[*keyring.Key](t)(m.Run().Revoke(t.Context(), "orders", 1, keyring.KeyCompromise))
		}, `version 1 of the key "orders", which is compromised`},
		"compromised, destroyed": {func(t *testing.T, m *lifecycletest.Memory) {
			must[*keyring.Key](t)(m.Run().Revoke(t.Context(), "orders", 1, keyring.KeyCompromise))
			destroyOrders(t, m)
		}, `version 1 of the key "orders"`},
		"destroyed": {func(t *testing.T, m *lifecycletest.Memory) { destroyOrders(t, m) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := lifecycletest.New(noon)
			withWrapping(t, m)
			spec := brought(1)
			spec.OnDestroy = keyring.DestroyDestroys
			must[*keyring.Key](t)(m.Run().Bring(t.Context(), spec, material))
			tc.before(t, m)
			spec.Name = "again"
			_, err := m.Run().Bring(t.Context(), spec, lifecycletest.Again(material))
			if tc.says == "" && err != nil {
				t.Error(err)
			} else if tc.says != "" {
				wantFault(t, err, fault.Protected, tc.says)
			}
		})
	}
}

func destroyOrders(t *testing.T, m *lifecycletest.Memory) {
	t.Helper()
	if err := m.Run().Destroy(t.Context(), "orders"); err != nil {
		t.Fatal(err)
	}
	if v := m.Key("orders").Versions[1]; v.DestroyedAt.IsZero() {
		t.Fatalf("%+v", v)
	}
}
