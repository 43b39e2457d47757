package acceptance_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/assembly"
	"github.com/keystead/terraform-provider-hsm/internal/catalog/catalogtest"
	"github.com/keystead/terraform-provider-hsm/internal/config"
	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/environment"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/hsm"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
	"github.com/keystead/terraform-provider-hsm/internal/policy"
	"github.com/keystead/terraform-provider-hsm/internal/rotation"
	"github.com/keystead/terraform-provider-hsm/internal/secret"
	"github.com/keystead/terraform-provider-hsm/internal/tokens"
)

// parallel is how many resources are worked on at once. Terraform does ten.
const parallel = 32

// stressFor is how long: HSM_TEST_STRESS, or a moment.
func stressFor(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("HSM_TEST_STRESS")
	if text == "" {
		return 2 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestStress has one process work on many keys at once, on every kind of token that is
// chosen (see TestTokens): no call fails, no object is left behind, and nothing that is
// there is taken for absent. What does not come in the first moments comes in minutes:
// `make test-tokens` runs it for longer, by HSM_TEST_STRESS.
func TestStress(t *testing.T) {
	for _, kind := range tokens.Chosen(t) {
		t.Run(string(kind), func(t *testing.T) { stress(t, kind, stressFor(t)) })
	}
}

func stress(t *testing.T, kind tokens.Kind, howLong time.Duration) {
	token := tokens.New(t, kind)
	b := &bench{token: token, algorithm: keyring.ECP256}
	if !kind.Profile().Can(b.algorithm, keyring.Sign) {
		b.algorithm = keyring.AES256
	}
	b.open()
	workers := make([]*worker, parallel)
	if limit := kind.Profile().KeysPerRun; limit > 0 {
		workers = workers[:min(parallel, limit)]
	}
	for n := range workers {
		workers[n] = &worker{bench: b, name: fmt.Sprintf("worker-%02d", n)}
	}
	lives := 0
	for end := time.Now().Add(howLong); lives == 0 || time.Now().Before(end) && !t.Failed(); lives++ {
		for _, phase := range []func(*worker, context.Context) error{(*worker).create, (*worker).rotate, (*worker).destroy} {
			together(t, workers, phase)
			if kind.Profile().KeysPerRun > 0 {
				b.reopen(t)
			}
		}
	}
	b.reopen(t)
	if err := b.shut(); err != nil {
		t.Error(err)
	}
	leftBehind(t, token, len(workers))
	t.Logf("%d keys at once lived %d times, by %d calls", len(workers), lives, b.calls.Load())
}

// together runs one step of all workers at once. Those of one token wait for each
// other only where the token makes them.
func together(t *testing.T, workers []*worker, step func(*worker, context.Context) error) {
	t.Helper()
	var group sync.WaitGroup
	for _, w := range workers {
		group.Go(func() {
			if err := step(w, t.Context()); err != nil {
				t.Errorf("%s: %v", w.name, err)
			}
		})
	}
	group.Wait()
}

// bench is the token that is worked on.
type bench struct {
	token     *tokens.Token
	algorithm keyring.Algorithm
	keys      *lifecycle.Service
	shut      func() error
	memory    *catalogtest.Memory[*keyring.Key] // of the keys' records, on a token that keeps none
	calls     atomic.Int64
}

// reopen goes on as the next process would.
func (b *bench) reopen(t *testing.T) {
	t.Helper()
	if err := b.shut(); err != nil {
		t.Error(err)
	}
	b.open()
}

// worker works on one key, over and over.
type worker struct {
	*bench
	name     string
	versions int // so far
	key      *keyring.Key
	instance int // of its rotation
}

func (w *worker) create(ctx context.Context) (err error) {
	w.calls.Add(1)
	w.key, err = w.keys.Create(ctx, keyring.Spec{
		Name: w.name, Algorithm: w.algorithm, Operations: w.algorithm.DefaultOperations(), Enabled: true, OnDestroy: keyring.DestroyDestroys,
	})
	if err != nil {
		return fmt.Errorf("create: %w", err)
	}
	return w.read(ctx, w.versions+1)
}

func (w *worker) rotate(ctx context.Context) (err error) {
	for range 2 { // the first claims what there is, the second replaces it
		w.calls.Add(1)
		w.key, w.instance, err = w.keys.Rotate(ctx, w.name, rotation.Schedule{Overlap: time.Hour, RetireAction: keyring.RetireDestroys})
		if err != nil {
			return fmt.Errorf("rotate: %w", err)
		}
	}
	return w.read(ctx, w.versions+2)
}

func (w *worker) destroy(ctx context.Context) error {
	w.versions += 2
	w.calls.Add(3)
	if err := w.keys.Release(ctx, w.name, w.instance); err != nil {
		return fmt.Errorf("release: %w", err)
	}
	if err := w.keys.Destroy(ctx, w.name); err != nil {
		return fmt.Errorf("destroy: %w", err)
	}
	if _, err := w.keys.Read(ctx, w.name, lifecycle.Known{}); !fault.Is(err, fault.NotFound) {
		return fmt.Errorf("read after destroy: %w", err)
	}
	return nil
}

// read finds the key with the given version as its current one, and everything that is
// known of it on the token.
func (w *worker) read(ctx context.Context, current int) error {
	known := lifecycle.Known{}
	for _, v := range w.key.Versions {
		if v.DestroyedAt.IsZero() {
			known.Refs = append(known.Refs, v.Ref)
		}
	}
	w.calls.Add(1)
	read, err := w.keys.Read(ctx, w.name, known)
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if v := read.Current(); v == nil || v.Number != current {
		return fmt.Errorf("read: the current version is %+v, want %d", v, current)
	}
	return nil
}

// open opens the token as the provider does. One that keeps no records gets them in
// memory: that much of it can be shown.
func (b *bench) open() {
	if b.token.Kind.Profile().KeepsRecords {
		services, shut := assembly.Services(config.Settings{
			ModulePath: b.token.Module, ModuleParameters: b.token.Parameters, TokenLabel: b.token.Label, TokenSerial: b.token.Serial,
			PIN: func() (secret.Value, error) { return secret.New(b.token.PIN), nil }, Environment: "test", Actor: "ada@example",
		}, time.Now)
		b.keys, b.shut = services.Keys, shut
		return
	}
	if b.memory == nil {
		b.memory = catalogtest.NewMemory[*keyring.Key]("key")
	}
	device := openDevice(b.token)
	b.keys, b.shut = assembly.Join(lifecycle.Config{
		Token: hsm.New(device), Catalog: b.memory, Environment: environment.New("test", "ada@example", &stampInMemory{name: "test"}),
		Actor: "ada@example", Now: time.Now, Run: "run", Host: "host", PID: os.Getpid(), Alive: func(keyring.Work) bool { return false },
	}, catalogtest.NewMemory[*credential.Credential]("credential"), catalogtest.NewMemory[*policy.Policy]("policy")).Keys, device.Close
}

func openDevice(token *tokens.Token) *cryptoki.Token {
	return cryptoki.New(cryptoki.Config{
		ModulePath: token.Module, Parameters: token.Parameters, Select: cryptoki.Selector{Label: token.Label, Serial: token.Serial},
		PIN: func() ([]byte, error) { return []byte(token.PIN), nil },
	})
}

// stampInMemory is the mark of an environment that is kept with the records in memory.
type stampInMemory struct {
	mu   sync.Mutex
	name string
}

func (s *stampInMemory) Environment(context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.name, nil
}

func (s *stampInMemory) Stamp(_ context.Context, name, _ string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.name = name
	return nil
}

// leftBehind looks at everything on the token: every key was destroyed, so there are
// records and nothing else, one for each key.
func leftBehind(t *testing.T, token *tokens.Token, keys int) {
	t.Helper()
	device := openDevice(token)
	defer func() { _ = device.Close() }()
	objects, err := device.Search(t.Context(), []cryptoki.Attribute{cryptoki.Bool(cryptoki.CKA_TOKEN, true)})
	if err != nil {
		t.Fatal(err)
	}
	records := map[string]int{}
	for _, o := range objects {
		label := string(o.Bytes(cryptoki.CKA_LABEL))
		switch {
		case o.Class == cryptoki.CKO_PRIVATE_KEY, o.Class == cryptoki.CKO_PUBLIC_KEY, o.Class == cryptoki.CKO_SECRET_KEY:
			t.Errorf("a key was left behind: class %d, %q", o.Class, label)
		case o.Class == cryptoki.CKO_DATA:
			records[label]++
		}
	}
	if !token.Kind.Profile().KeepsRecords {
		return
	}
	for label, count := range records {
		if count != 1 || label != "environment" && !strings.HasPrefix(label, "key/worker-") {
			t.Errorf("there are %d data objects with the label %q", count, label)
		}
	}
	if len(records) != keys+1 {
		t.Errorf("there are records %v", records)
	}
}
