package lifecycle_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle/lifecycletest"
	"github.com/keystead/terraform-provider-hsm/internal/rotation"
)

func TestRefusals(t *testing.T) {
	ctx := context.Background()
	for name, tc := range map[string]struct {
		change func(m *lifecycletest.Memory)
		verb   func(s *lifecycle.Service) error
		want   fault.Kind
		says   string
	}{
		"name taken": {
			verb: func(s *lifecycle.Service) error { _, err := s.Create(ctx, orders()); return err },
			want: fault.Exists, says: "id = \"orders\"",
		},
		"name retained": {
			change: func(m *lifecycletest.Memory) { m.Key("orders").Spec.OnDestroy = keyring.DestroyRetains },
			verb: func(s *lifecycle.Service) error {
				if err := s.Destroy(ctx, "orders"); err != nil {
					return err
				}
				_, err := s.Create(ctx, orders())
				return err
			},
			want: fault.Exists, says: "import",
		},
		"algorithm this token lacks": {
			verb: func(s *lifecycle.Service) error {
				spec := orders()
				spec.Name, spec.Algorithm = "other", keyring.RSA2048
				return s.Check(ctx, spec)
			},
			want: fault.Unsupported, says: "AES_256, HMAC_SHA256, EC_P256",
		},
		"deletion protection": {
			change: func(m *lifecycletest.Memory) { m.Key("orders").Spec.DeletionProtection = true },
			verb:   func(s *lifecycle.Service) error { return s.Destroy(ctx, "orders") },
			want:   fault.Protected, says: "deletion_protection = false",
		},
		"a rotation manages it": {
			change: func(m *lifecycletest.Memory) { m.Key("orders").Rotation = &keyring.Rotation{Instance: 1} },
			verb:   func(s *lifecycle.Service) error { return s.Destroy(ctx, "orders") },
			want:   fault.Protected, says: "orders/1",
		},
		"another run is at work": {
			change: func(m *lifecycletest.Memory) {
				m.Key("orders").Work = &keyring.Work{What: "rotate", Versions: []int{1}, Run: "rival", Host: "elsewhere", Since: noon}
			},
			verb: func(s *lifecycle.Service) error {
				s.Alive = func(keyring.Work) bool { return true }
				_, _, err := s.Rotate(ctx, "orders", weekly)
				return err
			},
			want: fault.Conflict, says: "on elsewhere",
		},
		"updating a removed key": {
			change: func(m *lifecycletest.Memory) {
				m.Key("orders").Tombstone = &keyring.Tombstone{At: noon, Actor: "bob", Action: keyring.DestroyDisables}
			},
			verb: func(s *lifecycle.Service) error { _, err := s.Update(ctx, orders()); return err },
			want: fault.NotFound, says: "import it as hsm_key",
		},
		"restoring a destroyed key": {
			change: func(m *lifecycletest.Memory) {
				m.Key("orders").Tombstone = &keyring.Tombstone{At: noon, Actor: "bob", Action: keyring.DestroyDestroys}
			},
			verb: func(s *lifecycle.Service) error { _, err := s.Restore(ctx, orders()); return err },
			want: fault.NotFound, says: "by bob",
		},
		"revoking an unknown version": {
			verb: func(s *lifecycle.Service) error {
				schedule := weekly
				schedule.Revoke = map[int]keyring.Reason{7: keyring.KeyCompromise}
				_, _, err := s.Rotate(ctx, "orders", schedule)
				return err
			},
			want: fault.Invalid, says: "no such version",
		},
		"rotating and revoking a version to come": {
			change: func(m *lifecycletest.Memory) { m.Key("orders").Versions[1].Claimed = true },
			verb: func(s *lifecycle.Service) error {
				schedule := weekly
				schedule.Revoke = map[int]keyring.Reason{2: keyring.KeyCompromise}
				_, _, err := s.Rotate(ctx, "orders", schedule)
				return err
			},
			want: fault.Invalid, says: "no such version",
		},
		"pinning an unknown version": {
			verb: func(s *lifecycle.Service) error {
				schedule := weekly
				schedule.Pinned = 7
				_, _, err := s.Rotate(ctx, "orders", schedule)
				return err
			},
			want: fault.Invalid, says: "no such version",
		},
		"rotating a removed key": {
			change: func(m *lifecycletest.Memory) {
				m.Key("orders").Tombstone = &keyring.Tombstone{At: noon, Actor: "bob", Action: keyring.DestroyDisables}
			},
			verb: func(s *lifecycle.Service) error { _, _, err := s.Rotate(ctx, "orders", weekly); return err },
			want: fault.NotFound, says: "by bob",
		},
		"importing a destroyed key": {
			change: func(m *lifecycletest.Memory) {
				m.Key("orders").Tombstone = &keyring.Tombstone{At: noon, Actor: "bob", Action: keyring.DestroyDestroys}
			},
			verb: func(s *lifecycle.Service) error { _, err := s.Import(ctx, "orders"); return err },
			want: fault.NotFound, says: "destroy",
		},
		"adopting under an unusable label": {
			change: func(m *lifecycletest.Memory) { m.MakeElsewhere(t, "beef", "legacy") },
			verb: func(s *lifecycle.Service) error {
				_, err := s.Adopt(ctx, lifecycle.Locator{ID: "beef"}, "no/name")
				return err
			},
			want: fault.Invalid, says: "x-name",
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := withKey(t)
			if tc.change != nil {
				tc.change(m)
			}
			before := len(m.Objects)
			err := tc.verb(m.Run())
			wantFault(t, err, tc.want, tc.says)
			if len(m.Objects) != before || m.Key("orders").Counter != 1 {
				t.Error("a refused verb left something behind")
			}
		})
	}
}

func TestEveryVerbRefusesAnotherEnvironment(t *testing.T) {
	ctx := context.Background()
	verbs := map[string]func(*lifecycle.Service) error{
		"guard":  func(s *lifecycle.Service) error { return s.Guard(ctx) },
		"check":  func(s *lifecycle.Service) error { return s.Check(ctx, orders()) },
		"create": func(s *lifecycle.Service) error { _, err := s.Create(ctx, orders()); return err },
		"read":   func(s *lifecycle.Service) error { _, err := s.Read(ctx, "orders", lifecycle.Known{}); return err },
		"list":   func(s *lifecycle.Service) error { _, err := s.List(ctx); return err },
		"update": func(s *lifecycle.Service) error { _, err := s.Update(ctx, orders()); return err },
		"import": func(s *lifecycle.Service) error { _, err := s.Import(ctx, "orders"); return err },
		"adopt": func(s *lifecycle.Service) error {
			_, err := s.Adopt(ctx, lifecycle.Locator{ID: "beef"}, "x")
			return err
		},
		"destroy": func(s *lifecycle.Service) error { return s.Destroy(ctx, "orders") },
		"rotate":  func(s *lifecycle.Service) error { _, _, err := s.Rotate(ctx, "orders", weekly); return err },
		"advance": func(s *lifecycle.Service) error { _, err := s.Advance(ctx, "orders", 1, weekly, nil); return err },
		"claim":   func(s *lifecycle.Service) error { _, _, err := s.Claim(ctx, "orders"); return err },
		"release": func(s *lifecycle.Service) error { return s.Release(ctx, "orders", 1) },
	}
	for name, verb := range verbs {
		t.Run(name, func(t *testing.T) {
			m := withKey(t)
			m.Stamp = "prod"
			s := m.Run()
			err := verb(s)
			if !fault.Is(err, fault.Environment) || !strings.Contains(err.Error(), `"prod"`) || !strings.Contains(err.Error(), `"test"`) {
				t.Errorf("got %v, want a fault that names both environments", err)
			}
			if m.Writes() != 0 {
				t.Errorf("%d writes on the wrong environment's token", m.Writes())
			}
		})
	}
}

// TestReadEvidence is about what may be concluded from what a token shows.
func TestReadEvidence(t *testing.T) {
	ctx := context.Background()
	for name, tc := range map[string]struct {
		change func(m *lifecycletest.Memory)
		serial string
		want   fault.Kind
		says   string
	}{
		"record and objects gone": {change: func(m *lifecycletest.Memory) { clear(m.Records); clear(m.Objects) }, want: fault.Inconsistent, says: "terraform state rm"},
		"removed by its declaration": {change: func(m *lifecycletest.Memory) {
			m.Key("orders").Tombstone = &keyring.Tombstone{Action: keyring.DestroyDisables}
		}, want: fault.NotFound},
		"record gone, objects there":     {change: func(m *lifecycletest.Memory) { clear(m.Records) }, want: fault.Inconsistent, says: "x-name=orders"},
		"everything gone, another token": {change: func(m *lifecycletest.Memory) { clear(m.Records); clear(m.Objects) }, serial: "4711", want: fault.Inconsistent, says: "4711"},
		"token emptied":                  {change: func(m *lifecycletest.Memory) { clear(m.Records); clear(m.Objects); m.Stamp = "" }, want: fault.Inconsistent, says: "emptied"},
		"object gone, record there":      {change: func(m *lifecycletest.Memory) { clear(m.Objects) }, want: fault.Inconsistent, says: "backup"},
		"public object gone":             {change: func(m *lifecycletest.Memory) { m.ObjectsOf("orders", 1).Publics = 0 }, want: fault.Inconsistent, says: "public_key_pem"},
		"public object replaced":         {change: func(m *lifecycletest.Memory) { m.ObjectsOf("orders", 1).PublicKey = keyring.PublicKey("evil") }, want: fault.Inconsistent, says: "replaced"},
		"private key replaced":           {change: func(m *lifecycletest.Memory) { m.ObjectsOf("orders", 1).Material = "another" }, want: fault.Inconsistent, says: "recorded public key"},
		"not generated here":             {change: func(m *lifecycletest.Memory) { m.ObjectsOf("orders", 1).Birth.Local = false }, want: fault.Inconsistent, says: "CKA_LOCAL is false, recorded is true"},
		"could be read":                  {change: func(m *lifecycletest.Memory) { m.ObjectsOf("orders", 1).Birth.AlwaysSensitive = false }, want: fault.Inconsistent, says: "revoke map"},
		"could be extracted":             {change: func(m *lifecycletest.Memory) { m.ObjectsOf("orders", 1).Birth.NeverExtractable = false }, want: fault.Inconsistent, says: "backup"},
		"of another algorithm":           {change: func(m *lifecycletest.Memory) { m.ObjectsOf("orders", 1).Order.Algorithm = keyring.ECP384 }, want: fault.Inconsistent, says: "EC_P384"},
		"two private keys of one CKA_ID": {change: func(m *lifecycletest.Memory) { m.ObjectsOf("orders", 1).Secrets = 2 }, want: fault.Inconsistent, says: "impostor"},
		"two public keys of one CKA_ID":  {change: func(m *lifecycletest.Memory) { m.ObjectsOf("orders", 1).Publics = 2 }, want: fault.Inconsistent, says: "impostor"},
		"token out of reach": {change: func(m *lifecycletest.Memory) {
			m.Trouble = &fault.Error{Kind: fault.Unavailable}
		}, want: fault.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			m := withKey(t)
			v := m.Key("orders").Versions[1]
			s := m.Run()
			tc.change(m)
			serial := tc.serial
			if serial == "" {
				serial = lifecycletest.Serial
			}
			_, err := s.Read(ctx, "orders", lifecycle.Known{Refs: []keyring.Ref{v.Ref}, Serial: serial})
			wantFault(t, err, tc.want, tc.says)
			if m.Writes() != 0 {
				t.Error("Read wrote something")
			}
		})
	}
}

// TestReplacedKeyIsTold: which differences from the record mean another key.
func TestReplacedKeyIsTold(t *testing.T) {
	ctx := context.Background()
	secret := orders()
	secret.Algorithm, secret.Operations = keyring.AES256, keyring.Encrypt|keyring.Decrypt
	for name, tc := range map[string]struct {
		lies   bool
		make   func(t *testing.T, m *lifecycletest.Memory)
		change func(m *lifecycletest.Memory)
		says   string // of the inconsistency; empty for none
	}{
		"secret key": {
			make:   func(t *testing.T, m *lifecycletest.Memory) { must[*keyring.Key](t)(m.Run().Create(ctx, secret)) },
			change: func(m *lifecycletest.Memory) { m.ObjectsOf("orders", 1).Material = "another" },
			says:   "check value",
		},
		"with more flags on": {
			make: created,
			change: func(m *lifecycletest.Memory) {
				m.ObjectsOf("orders", 1).Material, m.ObjectsOf("orders", 1).Allowed = "another", keyring.All
			},
			says: "replaced",
		},
		"adopted, brought along then and generated now": {
			make: func(t *testing.T, m *lifecycletest.Memory) {
				m.MakeElsewhere(t, "beef", "orders")
				must[*keyring.Key](t)(m.Run().Adopt(ctx, lifecycle.Locator{ID: "beef"}, ""))
			},
			change: func(m *lifecycletest.Memory) { m.Objects["beef"].Birth.Local = true },
			says:   "CKA_LOCAL is true, recorded is false",
		},
		"on a token that does not tell the truth": {
			lies: true, make: created,
			change: func(m *lifecycletest.Memory) { m.ObjectsOf("orders", 1).Birth.Local = false },
		},
		"on a token that does not tell the truth, by use": {
			lies: true, make: created,
			change: func(m *lifecycletest.Memory) { m.ObjectsOf("orders", 1).Material = "another" },
			says:   "replaced",
		},
		"while work is open": {
			make: created,
			change: func(m *lifecycletest.Memory) {
				m.Key("orders").Work = &keyring.Work{What: "update", Versions: []int{1}, Run: "killed", Since: noon}
				m.ObjectsOf("orders", 1).Secrets = 2
			},
		},
		"may do nothing": {
			make: func(t *testing.T, m *lifecycletest.Memory) {
				off := orders()
				off.Enabled = false
				must[*keyring.Key](t)(m.Run().Create(ctx, off))
			},
			change: func(m *lifecycletest.Memory) { m.ObjectsOf("orders", 1).Material = "another" },
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := lifecycletest.New(noon)
			m.Lies = tc.lies
			tc.make(t, m)
			s := m.Run()
			must[*keyring.Key](t)(s.Read(ctx, "orders", lifecycle.Known{}))
			tc.change(m)
			_, err := s.Read(ctx, "orders", lifecycle.Known{})
			if tc.says != "" {
				wantFault(t, err, fault.Inconsistent, tc.says)
			} else if err != nil {
				t.Error(err)
			}
			if m.Writes() != 0 {
				t.Error("Read wrote something")
			}
		})
	}
}

// TestRevokingAReplacedKey: the way out that the error names when a key was replaced.
func TestRevokingAReplacedKey(t *testing.T) {
	ctx := context.Background()
	m := withKey(t)
	s := m.Run()
	claimed(t, s)
	m.ObjectsOf("orders", 1).Material = "another"
	if _, err := s.Update(ctx, orders()); !fault.Is(err, fault.Inconsistent) {
		t.Errorf("before, an update is %v", err)
	}
	schedule := weekly
	schedule.Revoke = map[int]keyring.Reason{1: keyring.KeyCompromise}
	got, instance, err := s.Rotate(ctx, "orders", schedule)
	if err != nil || instance != 2 || got.State(got.Versions[1]) != keyring.Compromised {
		t.Fatalf("Rotate = %d, %v", instance, err)
	}
	must[*keyring.Key](t)(s.Read(ctx, "orders", lifecycle.Known{}))
	inOrder(t, m) // what took its place may do nothing
}

func TestDriftIsSeenAndPutRight(t *testing.T) {
	ctx := context.Background()
	m := withKey(t)
	s := m.Run()
	rotatedOnce(t, s, weekly)
	m.ObjectsOf("orders", 1).Allowed |= keyring.Sign // somebody turned it back on
	got := must[*keyring.Key](t)(s.Read(ctx, "orders", lifecycle.Known{}))
	if got.Versions[1].Enforcement != keyring.EnforcementDrifted || got.Versions[2].Enforcement != keyring.EnforcedByHSM {
		t.Fatalf("enforcement is %q and %q, want drifted and hsm", got.Versions[1].Enforcement, got.Versions[2].Enforcement)
	}
	got = must[*keyring.Key](t)(s.Update(ctx, orders()))
	if got.Versions[1].Enforcement != keyring.EnforcedByHSM {
		t.Errorf("after the update enforcement is %q, want hsm", got.Versions[1].Enforcement)
	}
	inOrder(t, m)
}

func TestRotationInstances(t *testing.T) {
	ctx := context.Background()
	m := withKey(t)
	s := m.Run()
	rotate := func(want int) *keyring.Key {
		t.Helper()
		k, instance, err := s.Rotate(ctx, "orders", weekly)
		if err != nil || instance != want {
			t.Fatalf("Rotate made instance %d, %v; want %d", instance, err, want)
		}
		return k
	}
	rotate(1) // claims version 1
	if err := s.Release(ctx, "orders", 1); err != nil {
		t.Fatal(err)
	}
	rotate(2)      // replacement, delete first
	k := rotate(3) // replacement, create first
	if err := s.Release(ctx, "orders", 2); err != nil {
		t.Fatal(err)
	}
	if k.Superseded(3) || !k.Superseded(2) {
		t.Error("instance 3 should be in charge, 2 superseded")
	}
	if got := m.Key("orders").Rotation; got == nil || got.Instance != 3 {
		t.Errorf("releasing a superseded instance let the key go: %+v", got)
	}
	if _, instance, err := s.Claim(ctx, "orders"); err != nil || instance != 3 {
		t.Errorf("Claim = %d, %v; want the instance in charge", instance, err)
	}
	if got := k.Versions[1].ProcessUntil; !got.Equal(noon.Add(weekly.Overlap)) {
		t.Errorf("version 1 processes until %v, want %v", got, noon.Add(weekly.Overlap))
	}
	inOrder(t, m)
}

// TestHandOverIsFinishedNotRepeated: killed after the commit, the next Rotate must
// not make yet another version.
func TestHandOverIsFinishedNotRepeated(t *testing.T) {
	ctx := context.Background()
	m := withKey(t)
	claimed(t, m.Run())
	doomed := m.Doomed(5, lifecycletest.Before) // intent, two halves, commit; dies at the first change of version 1's flags
	if _, _, err := doomed.Rotate(ctx, "orders", weekly); !fault.Is(err, fault.Unavailable) {
		t.Fatalf("the killed run says %v", err)
	}
	if k := m.Key("orders"); k.Work == nil || k.Current().Number != 2 {
		t.Fatalf("the kill did not hit between commit and settle: %+v", k)
	}
	if _, instance, err := m.Run().Rotate(ctx, "orders", weekly); err != nil || instance != 2 {
		t.Errorf("the next run made instance %d, %v; want it to finish 2", instance, err)
	}
	inOrder(t, m)
}

func TestLapsedIntentIsTakenOver(t *testing.T) {
	m := withKey(t)
	m.Key("orders").Work = &keyring.Work{What: "update", Versions: []int{1}, Run: "rival", Host: "elsewhere", Since: noon.Add(-time.Hour)}
	s := m.Run()
	s.Alive = func(keyring.Work) bool { return true }
	must[*keyring.Key](t)(s.Update(context.Background(), orders()))
}

func TestNumbersAreNeverReused(t *testing.T) {
	ctx := context.Background()
	m := lifecycletest.New(noon)
	s := m.Run()
	spec := orders()
	spec.OnDestroy = keyring.DestroyDestroys
	for want := 1; want <= 3; want++ {
		k := must[*keyring.Key](t)(s.Create(ctx, spec))
		if k.Current().Number != want {
			t.Fatalf("creation %d made version %d", want, k.Current().Number)
		}
		if err := s.Destroy(ctx, "orders"); err != nil {
			t.Fatal(err)
		}
		if len(m.Objects) != 0 {
			t.Fatalf("%d objects left after destruction", len(m.Objects))
		}
	}
}

// TestDestroyWithoutARecord: a removal leaves a tombstone, so no record at all is
// not a removal.
func TestDestroyWithoutARecord(t *testing.T) {
	m := withKey(t)
	clear(m.Records)
	if err := m.Run().Destroy(context.Background(), "orders"); !fault.Is(err, fault.Inconsistent) {
		t.Errorf("got %v, want an inconsistency", err)
	}
}

// TestRestoreUndoesDisabling: an import shows the removed key and changes nothing,
// as every plan with an import block carries it out; the apply after it does.
func TestRestoreUndoesDisabling(t *testing.T) {
	ctx := context.Background()
	m := withKey(t)
	s := m.Run()
	if err := s.Destroy(ctx, "orders"); err != nil {
		t.Fatal(err)
	}
	if allowed := m.ObjectsOf("orders", 1).Allowed; allowed != keyring.None {
		t.Fatalf("a removed key may still %s", allowed)
	}
	s = m.Run()
	got := must[*keyring.Key](t)(s.Import(ctx, "orders"))
	if got.Spec.Enabled || m.Writes() != 0 {
		t.Errorf("the import made %d writes and shows enabled = %t", m.Writes(), got.Spec.Enabled)
	}
	if _, err := s.Read(ctx, "orders", lifecycle.Known{}); !fault.Is(err, fault.NotFound) {
		t.Errorf("to others the removed key is %v", err)
	}
	got = must[*keyring.Key](t)(s.Restore(ctx, orders()))
	if allowed := m.ObjectsOf("orders", 1).Allowed; got.Tombstone != nil || allowed != keyring.Sign|keyring.Verify {
		t.Errorf("restored, the key may %s", allowed)
	}
	if bad := m.Violations("orders"); bad != nil {
		t.Error(bad)
	}
}

// TestSuspendedWaitingVersionIsOvertaken: also of a disabled key at most one
// version waits for its activation.
func TestSuspendedWaitingVersionIsOvertaken(t *testing.T) {
	ctx := context.Background()
	m := withKey(t)
	s := m.Run()
	delayed := weekly
	delayed.ActivationDelay = time.Hour
	rotatedOnce(t, s, delayed)
	spec := orders()
	spec.Enabled = false
	must[*keyring.Key](t)(s.Update(ctx, spec))
	k, instance, err := s.Rotate(ctx, "orders", delayed)
	if err != nil || instance != 3 {
		t.Fatalf("Rotate made instance %d, %v", instance, err)
	}
	if got := k.State(k.Versions[2]); got != keyring.Destroyed || !k.Versions[3].Waiting() {
		t.Errorf("version 2 is %s; waiting is version 3: %t", got, k.Versions[3].Waiting())
	}
	if bad := m.Violations("orders"); bad != nil {
		t.Error(bad)
	}
}

func TestDisabledKeyIsRotatedSuspended(t *testing.T) {
	ctx := context.Background()
	m := withKey(t)
	s := m.Run()
	spec := orders()
	spec.Enabled = false
	must[*keyring.Key](t)(s.Update(ctx, spec))
	schedule := weekly
	schedule.Revoke = map[int]keyring.Reason{1: keyring.KeyCompromise}
	k, instance, err := s.Rotate(ctx, "orders", schedule)
	if err != nil || instance != 2 {
		t.Fatalf("Rotate made instance %d, %v", instance, err)
	}
	for n, want := range map[int]keyring.State{1: keyring.Compromised, 2: keyring.Suspended} {
		if got := k.State(k.Versions[n]); got != want || m.ObjectsOf("orders", n).Allowed != keyring.None {
			t.Errorf("version %d is %s and may %s", n, got, m.ObjectsOf("orders", n).Allowed)
		}
	}
	k = must[*keyring.Key](t)(s.Update(ctx, orders()))
	if k.State(k.Versions[2]) != keyring.Active {
		t.Errorf("enabled again, version 2 is %s", k.State(k.Versions[2]))
	}
	if bad := m.Violations("orders"); bad != nil {
		t.Error(bad)
	}
}

func TestAlgorithmChangeLeavesTheOldVersionItsOperations(t *testing.T) {
	ctx := context.Background()
	m := lifecycletest.New(noon)
	s := m.Run()
	spec := keyring.Spec{
		Name: "orders", Algorithm: keyring.AES256, Operations: keyring.Encrypt | keyring.Decrypt, Enabled: true, OnDestroy: keyring.DestroyDisables,
	}
	must[*keyring.Key](t)(s.Create(ctx, spec))
	claimed(t, s)
	spec.Algorithm, spec.Operations = keyring.ECP256, keyring.Sign|keyring.Verify
	k := must[*keyring.Key](t)(s.Update(ctx, spec))
	if got := m.ObjectsOf("orders", 1).Allowed; got != keyring.Encrypt|keyring.Decrypt {
		t.Errorf("before the rotation version 1 may %s, want encrypt, decrypt", got)
	}
	if !weekly.Due(k, m.Now()) {
		t.Error("a change of algorithm does not make the rotation due")
	}
	if _, _, err := s.Rotate(ctx, "orders", weekly); err != nil {
		t.Fatal(err)
	}
	if got := m.ObjectsOf("orders", 1).Allowed; got != keyring.Decrypt {
		t.Errorf("in its overlap version 1 may %s, want decrypt", got)
	}
	inOrder(t, m)
}

func TestRevokingWritesOffALostObject(t *testing.T) {
	ctx := context.Background()
	m := withKey(t)
	s := m.Run()
	claimed(t, s)
	delete(m.Objects, m.Key("orders").Versions[1].Ref.ID)
	schedule := weekly
	schedule.Revoke = map[int]keyring.Reason{1: keyring.Unspecified}
	got, instance, err := s.Rotate(ctx, "orders", schedule)
	if err != nil || instance != 2 {
		t.Fatalf("Rotate = %d, %v", instance, err)
	}
	if state := got.State(got.Versions[1]); state != keyring.Destroyed {
		t.Errorf("the lost version is %s", state)
	}
	inOrder(t, m)
}

// TestLostObjectIsNotTakenForARemovedKey: an object that is missing while work is
// open must not make the key look gone, and must not stand in the way of revoking.
func TestLostObjectIsNotTakenForARemovedKey(t *testing.T) {
	ctx := context.Background()
	m := withKey(t)
	m.Key("orders").Work = &keyring.Work{What: "update", Versions: []int{1}, Run: "killed", Since: noon}
	clear(m.Objects)
	s := m.Run()
	for name, verb := range map[string]func() error{
		"read":   func() error { _, err := s.Read(ctx, "orders", lifecycle.Known{}); return err },
		"update": func() error { _, err := s.Update(ctx, orders()); return err },
		"rotate": func() error {
			if _, _, err := s.Claim(ctx, "orders"); !fault.Is(err, fault.Inconsistent) {
				return err
			}
			_, _, err := s.Rotate(ctx, "orders", weekly)
			return err
		},
	} {
		if err := verb(); !fault.Is(err, fault.Inconsistent) {
			t.Errorf("%s: %v, want the inconsistency", name, err)
		}
	}
	if len(m.Objects) != 0 || m.Key("orders").Counter != 1 {
		t.Error("a key was made in place of the lost one")
	}
	schedule := weekly
	schedule.Revoke = map[int]keyring.Reason{1: keyring.Unspecified}
	if _, instance, err := s.Rotate(ctx, "orders", schedule); err != nil || instance != 2 {
		t.Errorf("revoking the lost version: instance %d, %v", instance, err)
	}
	inOrder(t, m)
}

func TestPinRollsBackAndLetsGo(t *testing.T) {
	ctx := context.Background()
	m := withKey(t)
	s := m.Run()
	rotatedOnce(t, s, weekly)
	pinned := weekly
	pinned.Pinned = 1
	k := must[*keyring.Key](t)(s.Advance(ctx, "orders", 2, pinned, nil))
	if k.Current().Number != 1 || pinned.Due(k, m.Now().Add(weekly.Every)) {
		t.Errorf("pinned: version %d is current", k.Current().Number)
	}
	k = must[*keyring.Key](t)(s.Advance(ctx, "orders", 2, weekly, nil))
	if k.Current().Number != 2 {
		t.Errorf("let go: version %d is current", k.Current().Number)
	}
	m.Pass(2 * time.Hour) // the overlap of version 1 is over
	if _, err := s.Advance(ctx, "orders", 2, pinned, nil); !fault.Is(err, fault.Invalid) {
		t.Errorf("pinning after the overlap: %v", err)
	}
	inOrder(t, m)
}

func TestOnlyListedStepsArePerformed(t *testing.T) {
	ctx := context.Background()
	m := withKey(t)
	s := m.Run()
	rotatedOnce(t, s, weekly)
	early := []rotation.Step{{Verb: rotation.Retire, Version: 1}}
	k := must[*keyring.Key](t)(s.Advance(ctx, "orders", 2, weekly, early))
	if !k.Versions[1].RetiredAt.IsZero() {
		t.Error("retired before the overlap was over")
	}
	m.Pass(2 * time.Hour)
	k = must[*keyring.Key](t)(s.Advance(ctx, "orders", 2, weekly, nil))
	if !k.Versions[1].RetiredAt.IsZero() {
		t.Error("retired although the plan did not list it")
	}
	k = must[*keyring.Key](t)(s.Advance(ctx, "orders", 2, weekly, early))
	if k.Versions[1].RetiredAt.IsZero() {
		t.Error("not retired although due and listed")
	}
}
