package token_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/catalog"

	"github.com/keystead/terraform-provider-hsm/internal/catalog/catalogtest"
	"github.com/keystead/terraform-provider-hsm/internal/catalog/token"
	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// device opens a token once more, as another process would.
func device(t *testing.T, s *softhsm.Token) *cryptoki.Token {
	t.Helper()
	d := cryptoki.New(cryptoki.Config{
		ModulePath: s.Module, Select: cryptoki.Selector{Serial: s.Serial}, Witness: token.Witness(),
		PIN: func() ([]byte, error) { return []byte(softhsm.PIN), nil },
	})
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestContract(t *testing.T) {
	t.Run("keys", func(t *testing.T) { contract(t, token.Keys, catalogtest.Key, catalogtest.SpoilKey) })
}

func contract[T catalog.Body[T]](t *testing.T, kind token.Kind, body func(string, int) T, spoil func(T)) {
	catalogtest.Suite[T]{
		Body: body, Spoil: spoil,
		Fresh: func(t *testing.T) func() catalogtest.Store[T] {
			s := softhsm.New(t, "catalog")
			return func() catalogtest.Store[T] { return token.Of[T](token.New(device(t, s)), kind) }
		},
	}.Run(t)
}

// keys are the records of keys in a store.
func keys(s token.Store) *token.Records[*keyring.Key] {
	return token.Of[*keyring.Key](token.New(s), token.Keys)
}

// bench is a stamped SoftHSM token, reached by a catalog and from below.
type bench struct {
	*softhsm.Token
	device *cryptoki.Token
	*token.Records[*keyring.Key]
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{Token: softhsm.New(t, "catalog")}
	b.device = device(t, b.Token)
	b.Records = keys(b.device)
	if err := b.Stamp(t.Context(), "test", "somebody"); err != nil {
		t.Fatal(err)
	}
	return b
}

// key is a small record.
func key(name string, counter int) *keyring.Key {
	return &keyring.Key{
		Spec:      keyring.Spec{Name: name, Algorithm: keyring.AES256, Operations: keyring.Encrypt},
		CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Counter: counter, Versions: map[int]*keyring.Version{},
	}
}

func (b *bench) create(t *testing.T, name string) catalog.Record[*keyring.Key] {
	t.Helper()
	r, err := b.Create(t.Context(), key(name, 1))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// objects returns the data objects with a label on the token right now.
func (b *bench) objects(t *testing.T, label string) []cryptoki.Object {
	t.Helper()
	found, err := b.device.Search(context.Background(), []cryptoki.Attribute{cryptoki.Bytes(cryptoki.CKA_LABEL, []byte(label))})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// plant puts an object with a value of a test's own choice on the token.
func (b *bench) plant(t *testing.T, label string, value []byte) cryptoki.Object {
	t.Helper()
	o, err := b.device.CreateObject(context.Background(), []cryptoki.Attribute{
		cryptoki.Ulong(cryptoki.CKA_CLASS, cryptoki.CKO_DATA), cryptoki.Bool(cryptoki.CKA_TOKEN, true), cryptoki.Bool(cryptoki.CKA_PRIVATE, true),
		cryptoki.Bytes(cryptoki.CKA_APPLICATION, []byte("terraform-provider-hsm")), cryptoki.Bytes(cryptoki.CKA_LABEL, []byte(label)),
		cryptoki.Bytes(cryptoki.CKA_VALUE, value),
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// value is what is stored under a label.
func (b *bench) value(t *testing.T, label string) []byte {
	t.Helper()
	objects := b.objects(t, label)
	if len(objects) != 1 {
		t.Fatalf("%d objects are called %s", len(objects), label)
	}
	return objects[0].Bytes(cryptoki.CKA_VALUE)
}

// rig stands between a catalog and the token. It makes single calls fail, before
// the token has seen them or after it has carried them out, and lets other things
// happen in between.
type rig struct {
	token.Store
	before, after func(call string) error
	mu            sync.Mutex
	calls         map[string]int
}

func (r *rig) begin(call string) error {
	r.mu.Lock()
	if r.calls == nil {
		r.calls = map[string]int{}
	}
	r.calls[call]++
	r.mu.Unlock()
	if r.before != nil {
		return r.before(call)
	}
	return nil
}

func (r *rig) end(call string, err error) error {
	if err == nil && r.after != nil {
		return r.after(call)
	}
	return err
}

func (r *rig) Search(ctx context.Context, template []cryptoki.Attribute) ([]cryptoki.Object, error) {
	if err := r.begin("Search"); err != nil {
		return nil, err
	}
	list, err := r.Store.Search(ctx, template)
	return list, r.end("Search", err)
}

func (r *rig) Survey(ctx context.Context, template []cryptoki.Attribute) error {
	if err := r.begin("Survey"); err != nil {
		return err
	}
	return r.end("Survey", r.Store.Survey(ctx, template))
}

func (r *rig) Lookup(ctx context.Context, typ uint, value []byte) ([]cryptoki.Object, error) {
	if err := r.begin("Lookup"); err != nil {
		return nil, err
	}
	list, err := r.Store.Lookup(ctx, typ, value)
	return list, r.end("Lookup", err)
}

func (r *rig) Objects(ctx context.Context) ([]cryptoki.Object, error) {
	if err := r.begin("Objects"); err != nil {
		return nil, err
	}
	list, err := r.Store.Objects(ctx)
	return list, r.end("Objects", err)
}

func (r *rig) ConfirmAbsent(ctx context.Context, template []cryptoki.Attribute) error {
	if err := r.begin("ConfirmAbsent"); err != nil {
		return err
	}
	return r.end("ConfirmAbsent", r.Store.ConfirmAbsent(ctx, template))
}

func (r *rig) CreateObject(ctx context.Context, attrs []cryptoki.Attribute) (cryptoki.Object, error) {
	if err := r.begin("CreateObject"); err != nil {
		return cryptoki.Object{}, err
	}
	o, err := r.Store.CreateObject(ctx, attrs)
	return o, r.end("CreateObject", err)
}

func (r *rig) DestroyObject(ctx context.Context, h cryptoki.Handle) error {
	if err := r.begin("DestroyObject"); err != nil {
		return err
	}
	return r.end("DestroyObject", r.Store.DestroyObject(ctx, h))
}

// kill fails the nth call of a kind and everything after it: nothing more comes from
// a process that was killed.
func (r *rig) kill(call string, nth int) func(string) error {
	dead := false
	return func(now string) error {
		if dead = dead || now == call && r.calls[call] == nth; dead {
			return &fault.Error{Kind: fault.Unavailable, Op: "pretend", Problem: "This process was killed."}
		}
		return nil
	}
}
