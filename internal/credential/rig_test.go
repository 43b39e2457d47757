package credential_test

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/catalog/catalogtest"
	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/environment"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	hour = time.Hour
	day  = 24 * hour
)

// bench is an environment in memory: records, a mark, and a derivation key that is in no
// HSM.
type bench struct {
	t     testing.TB
	store *catalogtest.Memory[*credential.Credential]
	root  root
	mark  mark
	clock time.Time
}

func newBench(tb testing.TB) *bench {
	tb.Helper()
	b := &bench{t: tb, store: catalogtest.NewMemory[*credential.Credential]("API credential"), clock: noon}
	b.root.key = make([]byte, 32)
	if _, err := rand.Read(b.root.key); err != nil {
		tb.Fatal(err)
	}
	return b
}

// run starts a process in an environment.
func (b *bench) run(environmentName string) *credential.Service {
	return credential.New(credential.Config{
		Store: b.store, Deriver: &b.root, Environment: environment.New(environmentName, "ada@example", &b.mark), Actor: "ada@example",
		Now: func() time.Time { return b.clock },
	})
}

func (b *bench) service() *credential.Service { return b.run("test") }

// create issues a credential.
func (b *bench) create(spec credential.Spec) *credential.Credential {
	b.t.Helper()
	return must[*credential.Credential](b.t)(b.service().Create(b.t.Context(), spec))
}

func (b *bench) update(spec credential.Spec, rotate bool) *credential.Credential {
	b.t.Helper()
	return must[*credential.Credential](b.t)(b.service().Update(b.t.Context(), spec, rotate))
}

// root is a derivation key of which everybody can see that it computes HMAC-SHA-256.
type root struct {
	mu      sync.Mutex
	key     []byte
	made    int
	trouble error
	calls   int
}

func (r *root) CheckDerivation(context.Context, func(context.Context) (bool, error)) error {
	return r.trouble
}

func (r *root) Derivable(context.Context, int) error { return nil }

func (r *root) DerivationKey(context.Context, func(context.Context) (bool, error)) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.made++
	return 1, r.trouble
}

func (r *root) MAC(_ context.Context, version int, message []byte) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	if version != 1 {
		return nil, &fault.Error{Kind: fault.Inconsistent, Op: "derive secret", Problem: "There is no such version."}
	}
	if r.trouble != nil {
		return nil, r.trouble
	}
	m := hmac.New(sha256.New, r.key)
	m.Write(message)
	return m.Sum(nil), nil
}

// mark is a token's stamp.
type mark struct {
	mu   sync.Mutex
	name string
}

func (m *mark) Environment(context.Context) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.name, nil
}

func (m *mark) Stamp(_ context.Context, name, _ string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.name = name
	return nil
}

// bot is a shared secret, person a public key that is made anew each time.
func bot() credential.Spec {
	return credential.Spec{
		Name: "bot", Owner: "spot-desk", Tags: map[string]string{"desk": "spot"}, Enabled: true, Type: credential.SharedSecret, Algorithm: credential.HMACSHA256,
		RotateEvery: 30 * day, Overlap: 2 * day, RotateWhenChanged: map[string]string{"incident": "none"},
	}
}

func person(tb testing.TB) (credential.Spec, ed25519.PrivateKey) {
	tb.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	key, err := keyring.NewEdwardsPublicKey(keyring.Ed25519, public)
	if err != nil {
		tb.Fatal(err)
	}
	return credential.Spec{Name: "alice", Owner: "alice", Enabled: true, Type: credential.PublicKey, PublicKey: key}, private
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

// secret reveals the secret of a version of a credential, of the newest for 0.
func (b *bench) secret(name string, version int) []byte {
	b.t.Helper()
	value, _, err := b.service().Secret(b.t.Context(), name, version)
	if err != nil {
		b.t.Fatal(err)
	}
	return value.Reveal()
}

// wantFault checks an error's kind, its subject unless that is empty, and its words.
func wantFault(t *testing.T, err error, kind fault.Kind, subject, says string) {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind != kind {
		t.Fatalf("got %v, want a fault of kind %q", err, kind)
	}
	if subject != "" && f.Subject != subject {
		t.Errorf("it is about %q, want %q: %v", f.Subject, subject, err)
	}
	if !strings.Contains(f.Problem+" "+f.Hint, says) {
		t.Errorf("it does not say %q:\n%s\n%s", says, f.Problem, f.Hint)
	}
}

// states lists the state of each version.
func (b *bench) states(name string) map[int]credential.State {
	states := map[int]credential.State{}
	c := b.store.Stored[name].Body
	for n, v := range c.Versions {
		states[n] = c.State(v, b.clock)
	}
	return states
}

func (b *bench) wantStates(name string, want map[int]credential.State) {
	b.t.Helper()
	if got := b.states(name); !maps.Equal(got, want) {
		b.t.Errorf("the states are %v, want %v", got, want)
	}
}
