package lifecycle_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

// world is a token and its catalog in memory, for what a real token cannot do on
// demand: die before or after the n-th thing that is asked of it, and stay dead
// until the next run. The real token is used in the tests of the packages around.
type world struct {
	objects map[string]*objects
	records map[string]lifecycle.Record
	stamp   string
	clock   time.Time

	writes int  // writes so far in this run
	dieAt  int  // the write to die at, 0 is never
	after  bool // die after it has been done, not before
	dead   bool
}

type objects struct {
	secrets, publics int
	allowed          keyring.Operations
	publicKey        keyring.PublicKey
}

func newWorld() *world {
	return &world{objects: map[string]*objects{}, records: map[string]lifecycle.Record{}, clock: noon}
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// run starts a process: a Service with an identity of its own. Intents of earlier
// runs are known to be those of dead processes.
func (w *world) run(name string) *lifecycle.Service {
	w.writes, w.dead = 0, false
	return lifecycle.New(lifecycle.Config{
		Token: fakeToken{w}, Catalog: fakeCatalog{w}, Environment: "test", Actor: "ada@example", Run: name, Host: "here", PID: 1,
		Now: func() time.Time { return w.clock }, Alive: func(keyring.Work) bool { return false },
	})
}

// write performs one change on the token, unless the run dies at it.
func (w *world) write(do func() error) error {
	gone := &fault.Error{Kind: fault.Unavailable, Op: "write", Problem: "killed"}
	if w.dead {
		return gone
	}
	w.writes++
	if w.writes == w.dieAt {
		w.dead = true
		if w.after {
			_ = do()
		}
		return gone
	}
	return do()
}

func (w *world) read() error {
	if w.dead {
		return &fault.Error{Kind: fault.Unavailable, Op: "read", Problem: "killed"}
	}
	return nil
}

type fakeToken struct{ *world }

func (t fakeToken) Info(context.Context) (keyring.TokenInfo, error) {
	return keyring.TokenInfo{Label: "token", Serial: "0815"}, t.read()
}

func (t fakeToken) Warnings() []string { return nil }

func (t fakeToken) Capabilities(context.Context) (keyring.Capabilities, error) {
	can := keyring.Capabilities{
		Algorithms:          map[keyring.Algorithm]keyring.Operations{keyring.ECP256: keyring.Sign | keyring.Verify, keyring.AES256: keyring.Encrypt | keyring.Decrypt},
		RestrictsMechanisms: true, Mechanisms: map[keyring.Mechanism]keyring.MechanismInfo{"CKM_ECDSA": {}},
		Enforcement: keyring.EnforcedByHSM, Attests: true,
	}
	return can, t.read()
}

// Generate dies between the two halves of a pair too.
func (t fakeToken) Generate(_ context.Context, order lifecycle.Generation) (lifecycle.Generated, error) {
	made := &objects{allowed: order.Operations}
	if t.objects[order.Ref.ID] != nil {
		return lifecycle.Generated{}, &fault.Error{Kind: fault.Internal, Op: "generate", Problem: "CKA_ID used twice"}
	}
	if err := t.write(func() error { t.objects[order.Ref.ID] = made; made.secrets = 1; return nil }); err != nil {
		return lifecycle.Generated{}, err
	}
	if !order.Ref.Pair {
		return lifecycle.Generated{Fingerprint: "kcv"}, nil
	}
	sum := sha256.Sum256([]byte(order.Ref.ID))
	err := t.write(func() error { made.publics = 1; made.publicKey = sum[:]; return nil })
	return lifecycle.Generated{PublicKey: sum[:], Fingerprint: hex.EncodeToString(sum[:])}, err
}

func (t fakeToken) Inspect(_ context.Context, ref keyring.Ref, try keyring.Operations) (lifecycle.Sighting, error) {
	o := t.objects[ref.ID]
	if o == nil {
		return lifecycle.Sighting{}, t.read()
	}
	return lifecycle.Sighting{
		Secrets: o.secrets, Publics: o.publics, Permitted: o.allowed, Refused: try &^ o.allowed, PublicKey: o.publicKey,
	}, t.read()
}

func (t fakeToken) Permit(_ context.Context, ref keyring.Ref, allowed keyring.Operations) (keyring.Enforcement, error) {
	o := t.objects[ref.ID]
	if o == nil || o.secrets == 0 {
		return "", &fault.Error{Kind: fault.NotFound, Op: "permit", Subject: ref.Label, Problem: "no such object"}
	}
	if o.allowed == allowed && o.secrets == 1 {
		return keyring.EnforcedByHSM, t.read()
	}
	// Copy, then destroy the old one.
	if err := t.write(func() error { o.secrets, o.allowed = 2, o.allowed|allowed; return nil }); err != nil {
		return "", err
	}
	return keyring.EnforcedByHSM, t.write(func() error { o.secrets, o.allowed = 1, allowed; return nil })
}

func (t fakeToken) Destroy(_ context.Context, ref keyring.Ref, publicToo bool) error {
	o := t.objects[ref.ID]
	if o == nil {
		return t.read()
	}
	return t.write(func() error {
		o.secrets = 0
		if publicToo || o.publics == 0 {
			delete(t.objects, ref.ID)
		}
		return nil
	})
}

func (t fakeToken) Find(context.Context, lifecycle.Locator) (lifecycle.Found, error) {
	return lifecycle.Found{
		Ref:       keyring.Ref{ID: "beef", Label: "legacy", Pair: true},
		Algorithm: keyring.ECP256, Operations: keyring.Sign | keyring.Verify, PublicKey: t.objects["beef"].publicKey,
	}, t.read()
}

type fakeCatalog struct{ *world }

func (c fakeCatalog) Environment(context.Context) (string, error) { return c.stamp, c.read() }

func (c fakeCatalog) Stamp(_ context.Context, environment, _ string) error {
	return c.write(func() error { c.stamp = environment; return nil })
}

func (c fakeCatalog) Load(_ context.Context, name string) (lifecycle.Record, error) {
	rec, ok := c.records[name]
	if !ok && !c.dead {
		return rec, &fault.Error{Kind: fault.NotFound, Op: "load", Subject: name}
	}
	if ok {
		rec.Key = rec.Key.Clone()
	}
	return rec, c.read()
}

func (c fakeCatalog) List(context.Context) ([]lifecycle.Record, error) {
	var all []lifecycle.Record
	for _, name := range slices.Sorted(maps.Keys(c.records)) {
		all = append(all, c.records[name])
	}
	return all, c.read()
}

func (c fakeCatalog) Create(_ context.Context, k *keyring.Key) (lifecycle.Record, error) {
	rec := lifecycle.Record{Key: k.Clone(), Generation: 1}
	return rec, c.write(func() error {
		if _, taken := c.records[k.Spec.Name]; taken {
			return &fault.Error{Kind: fault.Exists, Op: "create"}
		}
		c.records[k.Spec.Name] = rec
		return nil
	})
}

func (c fakeCatalog) Replace(_ context.Context, old lifecycle.Record, k *keyring.Key) (lifecycle.Record, error) {
	rec := lifecycle.Record{Key: k.Clone(), Generation: old.Generation + 1}
	return rec, c.write(func() error {
		if c.records[k.Spec.Name].Generation != old.Generation {
			return &fault.Error{Kind: fault.Conflict, Op: "replace"}
		}
		c.records[k.Spec.Name] = rec
		return nil
	})
}

// violations checks what must hold whenever no verb is under way.
func (w *world) violations(name string) []string {
	var bad []string
	say := func(format string, args ...any) { bad = append(bad, fmt.Sprintf(format, args...)) }
	k := w.records[name].Key
	if k == nil {
		return []string{"no record"}
	}
	known := map[string]bool{}
	activeOnes := 0
	for _, n := range k.Numbers() {
		v := k.Versions[n]
		known[v.Ref.ID] = true
		if n > k.Counter {
			say("version %d is above the counter %d", n, k.Counter)
		}
		if v.Pending {
			say("version %d is still pending", n)
		}
		if k.State(v) == keyring.Active {
			activeOnes++
		}
		o := w.objects[v.Ref.ID]
		switch {
		case !v.DestroyedAt.IsZero():
			if o != nil && o.secrets > 0 {
				say("version %d is destroyed and its key is there", n)
			}
		case o == nil || o.secrets != 1 || (v.Ref.Pair && o.publics != 1):
			say("version %d: objects are %+v", n, o)
		case o.allowed != k.Permitted(v):
			say("version %d may %s, the HSM allows %s", n, k.Permitted(v), o.allowed)
		}
	}
	if k.Tombstone == nil && k.Spec.Enabled && activeOnes != 1 {
		say("%d active versions", activeOnes)
	}
	if k.Work != nil {
		say("work is open: %+v", k.Work)
	}
	for id := range w.objects {
		if !known[id] {
			say("object %s belongs to no version", id)
		}
	}
	return bad
}

// serves reports whether some version that was handed out can sign, in the HSM.
func (w *world) serves(name string) bool {
	for _, v := range w.records[name].Key.Versions {
		if o := w.objects[v.Ref.ID]; !v.Pending && o != nil && o.secrets > 0 && o.allowed.Has(keyring.Sign) {
			return true
		}
	}
	return false
}

func must[T any](tb testing.TB) func(T, error) T {
	return func(v T, err error) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return v
	}
}
