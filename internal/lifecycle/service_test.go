package lifecycle_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
	"github.com/keystead/terraform-provider-hsm/internal/rotation"
)

// withKey returns a world with the key "orders" at version 1, and its record.
func withKey(t *testing.T) (*world, *keyring.Key) {
	t.Helper()
	w := newWorld()
	must[*keyring.Key](t)(w.run("setup").Create(context.Background(), orders()))
	return w, w.records["orders"].Key
}

func TestRefusals(t *testing.T) {
	ctx := context.Background()
	for name, tc := range map[string]struct {
		change func(w *world, k *keyring.Key)
		verb   func(s *lifecycle.Service) error
		want   fault.Kind
		says   string
	}{
		"name taken": {
			verb: func(s *lifecycle.Service) error { _, err := s.Create(ctx, orders()); return err },
			want: fault.Exists, says: "id = \"orders\"",
		},
		"name retained": {
			change: func(w *world, k *keyring.Key) { k.Tombstone = &keyring.Tombstone{Action: keyring.DestroyRetains} },
			verb:   func(s *lifecycle.Service) error { _, err := s.Create(ctx, orders()); return err },
			want:   fault.Exists, says: "import",
		},
		"algorithm this token lacks": {
			verb: func(s *lifecycle.Service) error {
				spec := orders()
				spec.Name, spec.Algorithm = "other", keyring.RSA2048
				return s.Check(ctx, spec)
			},
			want: fault.Unsupported, says: "AES_256, EC_P256",
		},
		"deletion protection": {
			change: func(w *world, k *keyring.Key) { k.Spec.DeletionProtection = true },
			verb:   func(s *lifecycle.Service) error { return s.Destroy(ctx, "orders") },
			want:   fault.Protected, says: "deletion_protection = false",
		},
		"a rotation manages it": {
			change: func(w *world, k *keyring.Key) { k.Rotation = &keyring.Rotation{Instance: 1} },
			verb:   func(s *lifecycle.Service) error { return s.Destroy(ctx, "orders") },
			want:   fault.Protected, says: "orders/1",
		},
		"another run is at work": {
			change: func(w *world, k *keyring.Key) {
				k.Work = &keyring.Work{What: "rotate", Versions: []int{1}, Run: "rival", Host: "elsewhere", Since: noon}
			},
			verb: func(s *lifecycle.Service) error {
				s.Alive = func(keyring.Work) bool { return true }
				_, _, err := s.Rotate(ctx, "orders", weekly)
				return err
			},
			want: fault.Conflict, says: "on elsewhere",
		},
		"rotating a disabled key": {
			change: func(w *world, k *keyring.Key) { k.Spec.Enabled = false },
			verb:   func(s *lifecycle.Service) error { _, _, err := s.Rotate(ctx, "orders", weekly); return err },
			want:   fault.Invalid, says: "Enable it first",
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
			change: func(w *world, k *keyring.Key) {
				k.Tombstone = &keyring.Tombstone{At: noon, Actor: "bob", Action: keyring.DestroyDisables}
			},
			verb: func(s *lifecycle.Service) error { _, _, err := s.Rotate(ctx, "orders", weekly); return err },
			want: fault.NotFound, says: "by bob",
		},
		"importing a destroyed key": {
			change: func(w *world, k *keyring.Key) {
				k.Tombstone = &keyring.Tombstone{At: noon, Actor: "bob", Action: keyring.DestroyDestroys}
			},
			verb: func(s *lifecycle.Service) error { _, err := s.Import(ctx, "orders"); return err },
			want: fault.NotFound, says: "destroy",
		},
		"adopting under an unusable label": {
			change: func(w *world, k *keyring.Key) { w.objects["beef"] = &objects{secrets: 1, publics: 1} },
			verb: func(s *lifecycle.Service) error {
				_, err := s.Adopt(ctx, lifecycle.Locator{ID: "beef"}, "no/name")
				return err
			},
			want: fault.Invalid, says: "x-name",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, k := withKey(t)
			if tc.change != nil {
				tc.change(w, k)
			}
			before := len(w.objects)
			err := tc.verb(w.run("refused"))
			var f *fault.Error
			if !errors.As(err, &f) || f.Kind != tc.want {
				t.Fatalf("got %v, want a fault of kind %q", err, tc.want)
			}
			if !strings.Contains(f.Problem+f.Hint, tc.says) {
				t.Errorf("the message does not say %q:\n%s\n%s", tc.says, f.Problem, f.Hint)
			}
			if len(w.objects) != before || k.Counter != 1 {
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
			w, _ := withKey(t)
			w.stamp = "prod"
			s := w.run("astray")
			err := verb(s)
			if !fault.Is(err, fault.Environment) || !strings.Contains(err.Error(), `"prod"`) || !strings.Contains(err.Error(), `"test"`) {
				t.Errorf("got %v, want a fault that names both environments", err)
			}
			if w.writes != 0 {
				t.Errorf("%d writes on the wrong environment's token", w.writes)
			}
		})
	}
}

// TestReadEvidence is about what may be concluded from what a token shows.
func TestReadEvidence(t *testing.T) {
	ctx := context.Background()
	for name, tc := range map[string]struct {
		change func(w *world, k *keyring.Key, o *objects)
		serial string
		want   fault.Kind
		says   string
	}{
		"record and objects gone": {change: func(w *world, k *keyring.Key, _ *objects) { clear(w.records); clear(w.objects) }, want: fault.NotFound},
		"removed by its declaration": {change: func(w *world, k *keyring.Key, _ *objects) {
			k.Tombstone = &keyring.Tombstone{Action: keyring.DestroyDisables}
		}, want: fault.NotFound},
		"record gone, objects there":     {change: func(w *world, k *keyring.Key, _ *objects) { clear(w.records) }, want: fault.Inconsistent, says: "x-name=orders"},
		"everything gone, another token": {change: func(w *world, k *keyring.Key, _ *objects) { clear(w.records); clear(w.objects) }, serial: "4711", want: fault.Inconsistent, says: "4711"},
		"token emptied":                  {change: func(w *world, k *keyring.Key, _ *objects) { clear(w.records); clear(w.objects); w.stamp = "" }, want: fault.Inconsistent, says: "emptied"},
		"object gone, record there":      {change: func(w *world, k *keyring.Key, _ *objects) { clear(w.objects) }, want: fault.Inconsistent, says: "backup"},
		"public object gone":             {change: func(w *world, k *keyring.Key, o *objects) { o.publics = 0 }, want: fault.Inconsistent, says: "public_key_pem"},
		"public object replaced":         {change: func(w *world, k *keyring.Key, o *objects) { o.publicKey = keyring.PublicKey("evil") }, want: fault.Inconsistent, says: "replaced"},
		"two private keys of one CKA_ID": {change: func(w *world, k *keyring.Key, o *objects) { o.secrets = 2 }, want: fault.Inconsistent, says: "impostor"},
		"two public keys of one CKA_ID":  {change: func(w *world, k *keyring.Key, o *objects) { o.publics = 2 }, want: fault.Inconsistent, says: "impostor"},
		"token out of reach":             {change: func(w *world, k *keyring.Key, o *objects) { w.dead = true }, want: fault.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			w, k := withKey(t)
			v := k.Versions[1]
			s := w.run("reader")
			tc.change(w, k, w.objects[v.Ref.ID])
			serial := tc.serial
			if serial == "" {
				serial = "0815"
			}
			_, err := s.Read(ctx, "orders", lifecycle.Known{Refs: []keyring.Ref{v.Ref}, Serial: serial})
			var f *fault.Error
			if !errors.As(err, &f) || f.Kind != tc.want {
				t.Fatalf("got %v, want a fault of kind %q", err, tc.want)
			}
			if !strings.Contains(f.Problem+f.Hint, tc.says) {
				t.Errorf("the message does not say %q:\n%s\n%s", tc.says, f.Problem, f.Hint)
			}
			if w.writes != 0 {
				t.Error("Read wrote something")
			}
		})
	}
}

func TestDriftIsSeenAndPutRight(t *testing.T) {
	ctx := context.Background()
	w, k := withKey(t)
	s := w.run("run")
	for range 2 {
		if _, _, err := s.Rotate(ctx, "orders", weekly); err != nil {
			t.Fatal(err)
		}
	}
	w.objects[k.Versions[1].Ref.ID].allowed |= keyring.Sign // somebody turned it back on
	got := must[*keyring.Key](t)(s.Read(ctx, "orders", lifecycle.Known{}))
	if got.Versions[1].Enforcement != keyring.EnforcementDrifted || got.Versions[2].Enforcement != keyring.EnforcedByHSM {
		t.Fatalf("enforcement is %q and %q, want drifted and hsm", got.Versions[1].Enforcement, got.Versions[2].Enforcement)
	}
	got = must[*keyring.Key](t)(s.Update(ctx, orders()))
	if got.Versions[1].Enforcement != keyring.EnforcedByHSM {
		t.Errorf("after the update enforcement is %q, want hsm", got.Versions[1].Enforcement)
	}
	if bad := w.violations("orders"); bad != nil {
		t.Error(bad)
	}
}

func TestRotationInstances(t *testing.T) {
	ctx := context.Background()
	w, _ := withKey(t)
	s := w.run("run")
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
	if got := w.records["orders"].Key.Rotation; got == nil || got.Instance != 3 {
		t.Errorf("releasing a superseded instance let the key go: %+v", got)
	}
	if _, instance, err := s.Claim(ctx, "orders"); err != nil || instance != 3 {
		t.Errorf("Claim = %d, %v; want the instance in charge", instance, err)
	}
	if got := k.Versions[1].ProcessUntil; !got.Equal(noon.Add(weekly.Overlap)) {
		t.Errorf("version 1 processes until %v, want %v", got, noon.Add(weekly.Overlap))
	}
	if bad := w.violations("orders"); bad != nil {
		t.Error(bad)
	}
}

// TestHandOverIsFinishedNotRepeated: killed after the commit, the next Rotate must
// not make yet another version.
func TestHandOverIsFinishedNotRepeated(t *testing.T) {
	ctx := context.Background()
	w, _ := withKey(t)
	if _, _, err := w.run("claim").Rotate(ctx, "orders", weekly); err != nil {
		t.Fatal(err)
	}
	w.dieAt = 5 // intent, two halves, commit; dies at the first change of version 1's flags
	if _, _, err := w.run("killed").Rotate(ctx, "orders", weekly); !fault.Is(err, fault.Unavailable) {
		t.Fatalf("the killed run says %v", err)
	}
	if k := w.records["orders"].Key; k.Work == nil || k.Current().Number != 2 {
		t.Fatalf("the kill did not hit between commit and settle: %+v", k)
	}
	w.dieAt = 0
	if _, instance, err := w.run("next").Rotate(ctx, "orders", weekly); err != nil || instance != 2 {
		t.Errorf("the next run made instance %d, %v; want it to finish 2", instance, err)
	}
	if bad := w.violations("orders"); bad != nil {
		t.Error(bad)
	}
}

func TestLapsedIntentIsTakenOver(t *testing.T) {
	w, k := withKey(t)
	k.Work = &keyring.Work{What: "update", Versions: []int{1}, Run: "rival", Host: "elsewhere", Since: noon.Add(-time.Hour)}
	s := w.run("next")
	s.Alive = func(keyring.Work) bool { return true }
	must[*keyring.Key](t)(s.Update(context.Background(), orders()))
}

func TestNumbersAreNeverReused(t *testing.T) {
	ctx := context.Background()
	w := newWorld()
	s := w.run("run")
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
		if len(w.objects) != 0 {
			t.Fatalf("%d objects left after destruction", len(w.objects))
		}
	}
}

func TestImportUndoesDisabling(t *testing.T) {
	ctx := context.Background()
	w, k := withKey(t)
	s := w.run("run")
	if err := s.Destroy(ctx, "orders"); err != nil {
		t.Fatal(err)
	}
	o := w.objects[k.Versions[1].Ref.ID]
	if o.allowed != keyring.None {
		t.Fatalf("a removed key may still %s", o.allowed)
	}
	got := must[*keyring.Key](t)(s.Import(ctx, "orders"))
	if got.Tombstone != nil || o.allowed != keyring.Sign|keyring.Verify {
		t.Errorf("after the import the key may %s", o.allowed)
	}
}

func TestAlgorithmChangeLeavesTheOldVersionItsOperations(t *testing.T) {
	ctx := context.Background()
	w := newWorld()
	s := w.run("run")
	spec := keyring.Spec{
		Name: "orders", Algorithm: keyring.AES256, Operations: keyring.Encrypt | keyring.Decrypt, Enabled: true, OnDestroy: keyring.DestroyDisables,
	}
	must[*keyring.Key](t)(s.Create(ctx, spec))
	if _, _, err := s.Rotate(ctx, "orders", weekly); err != nil {
		t.Fatal(err)
	}
	spec.Algorithm, spec.Operations = keyring.ECP256, keyring.Sign|keyring.Verify
	k := must[*keyring.Key](t)(s.Update(ctx, spec))
	if got := w.objects[k.Versions[1].Ref.ID].allowed; got != keyring.Encrypt|keyring.Decrypt {
		t.Errorf("before the rotation version 1 may %s, want encrypt, decrypt", got)
	}
	if !weekly.Due(k, w.clock) {
		t.Error("a change of algorithm does not make the rotation due")
	}
	if _, _, err := s.Rotate(ctx, "orders", weekly); err != nil {
		t.Fatal(err)
	}
	if got := w.objects[k.Versions[1].Ref.ID].allowed; got != keyring.Decrypt {
		t.Errorf("in its overlap version 1 may %s, want decrypt", got)
	}
	if bad := w.violations("orders"); bad != nil {
		t.Error(bad)
	}
}

func TestRevokingWritesOffALostObject(t *testing.T) {
	ctx := context.Background()
	w, k := withKey(t)
	s := w.run("run")
	if _, _, err := s.Rotate(ctx, "orders", weekly); err != nil {
		t.Fatal(err)
	}
	delete(w.objects, k.Versions[1].Ref.ID)
	schedule := weekly
	schedule.Revoke = map[int]keyring.Reason{1: keyring.Unspecified}
	got, instance, err := s.Rotate(ctx, "orders", schedule)
	if err != nil || instance != 2 {
		t.Fatalf("Rotate = %d, %v", instance, err)
	}
	if state := got.State(got.Versions[1]); state != keyring.Destroyed {
		t.Errorf("the lost version is %s", state)
	}
	if bad := w.violations("orders"); bad != nil {
		t.Error(bad)
	}
}

// TestLostObjectIsNotTakenForARemovedKey: an object that is missing while work is
// open must not make the key look gone, and must not stand in the way of revoking.
func TestLostObjectIsNotTakenForARemovedKey(t *testing.T) {
	ctx := context.Background()
	w, k := withKey(t)
	k.Work = &keyring.Work{What: "update", Versions: []int{1}, Run: "killed", Since: noon}
	clear(w.objects)
	s := w.run("next")
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
	if len(w.objects) != 0 || w.records["orders"].Key.Counter != 1 {
		t.Error("a key was made in place of the lost one")
	}
	schedule := weekly
	schedule.Revoke = map[int]keyring.Reason{1: keyring.Unspecified}
	if _, instance, err := s.Rotate(ctx, "orders", schedule); err != nil || instance != 2 {
		t.Errorf("revoking the lost version: instance %d, %v", instance, err)
	}
	if bad := w.violations("orders"); bad != nil {
		t.Error(bad)
	}
}

func TestPinRollsBackAndLetsGo(t *testing.T) {
	ctx := context.Background()
	w, _ := withKey(t)
	s := w.run("run")
	for range 2 {
		if _, _, err := s.Rotate(ctx, "orders", weekly); err != nil {
			t.Fatal(err)
		}
	}
	pinned := weekly
	pinned.Pinned = 1
	k := must[*keyring.Key](t)(s.Advance(ctx, "orders", 2, pinned, nil))
	if k.Current().Number != 1 || pinned.Due(k, w.clock.Add(weekly.Every)) {
		t.Errorf("pinned: version %d is current", k.Current().Number)
	}
	k = must[*keyring.Key](t)(s.Advance(ctx, "orders", 2, weekly, nil))
	if k.Current().Number != 2 {
		t.Errorf("let go: version %d is current", k.Current().Number)
	}
	w.clock = w.clock.Add(2 * time.Hour) // the overlap of version 1 is over
	if _, err := s.Advance(ctx, "orders", 2, pinned, nil); !fault.Is(err, fault.Invalid) {
		t.Errorf("pinning after the overlap: %v", err)
	}
	if bad := w.violations("orders"); bad != nil {
		t.Error(bad)
	}
}

func TestOnlyListedStepsArePerformed(t *testing.T) {
	ctx := context.Background()
	w, _ := withKey(t)
	s := w.run("run")
	for range 2 {
		if _, _, err := s.Rotate(ctx, "orders", weekly); err != nil {
			t.Fatal(err)
		}
	}
	early := []rotation.Step{{Verb: rotation.Retire, Version: 1}}
	k := must[*keyring.Key](t)(s.Advance(ctx, "orders", 2, weekly, early))
	if !k.Versions[1].RetiredAt.IsZero() {
		t.Error("retired before the overlap was over")
	}
	w.clock = w.clock.Add(2 * time.Hour)
	k = must[*keyring.Key](t)(s.Advance(ctx, "orders", 2, weekly, nil))
	if !k.Versions[1].RetiredAt.IsZero() {
		t.Error("retired although the plan did not list it")
	}
	k = must[*keyring.Key](t)(s.Advance(ctx, "orders", 2, weekly, early))
	if k.Versions[1].RetiredAt.IsZero() {
		t.Error("not retired although due and listed")
	}
}
