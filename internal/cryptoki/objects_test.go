package cryptoki_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// record is a template for a data object.
func record(label string, value []byte) []cryptoki.Attribute {
	return []cryptoki.Attribute{
		cryptoki.Ulong(cryptoki.CKA_CLASS, cryptoki.CKO_DATA), cryptoki.Bool(cryptoki.CKA_TOKEN, true), cryptoki.Bool(cryptoki.CKA_PRIVATE, true),
		cryptoki.Bytes(cryptoki.CKA_APPLICATION, []byte("test")), cryptoki.Bytes(cryptoki.CKA_LABEL, []byte(label)), cryptoki.Bytes(cryptoki.CKA_VALUE, value),
	}
}

func labelled(label string) []cryptoki.Attribute {
	return []cryptoki.Attribute{cryptoki.Bytes(cryptoki.CKA_LABEL, []byte(label))}
}

func labels(list []cryptoki.Object) []string {
	found := []string{}
	for _, o := range list {
		found = append(found, string(o.Bytes(cryptoki.CKA_LABEL)))
	}
	slices.Sort(found)
	return found
}

func mustCreate(t *testing.T, token *cryptoki.Token, label string, value []byte) cryptoki.Object {
	t.Helper()
	o, err := token.CreateObject(t.Context(), record(label, value))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func mustList(t *testing.T, token *cryptoki.Token) []cryptoki.Object {
	t.Helper()
	list, err := token.Objects(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestAttributesAreRead(t *testing.T) {
	token := open(t, config(softhsm.New(t, "attributes")))
	ctx := t.Context()
	long := bytes.Repeat([]byte("0123456789"), 3000)
	data := mustCreate(t, token, "data", long)
	if !bytes.Equal(data.Bytes(cryptoki.CKA_VALUE), long) || string(data.Bytes(cryptoki.CKA_APPLICATION)) != "test" || !data.Bool(cryptoki.CKA_PRIVATE) {
		t.Errorf("the record was read as %q…, %d bytes", data.Bytes(cryptoki.CKA_APPLICATION), len(data.Bytes(cryptoki.CKA_VALUE)))
	}
	if empty := mustCreate(t, token, "empty", nil); !empty.Has(cryptoki.CKA_VALUE) || len(empty.Bytes(cryptoki.CKA_VALUE)) != 0 {
		t.Error("an empty value is not read as empty")
	}
	key, err := token.GenerateKey(ctx, mechanism(cryptoki.CKM_AES_KEY_GEN),
		append(secret(cryptoki.CKK_AES, 32, true, "aes"), cryptoki.Ulongs(cryptoki.CKA_ALLOWED_MECHANISMS, cryptoki.CKM_AES_GCM, cryptoki.CKM_AES_CMAC)))
	if err != nil {
		t.Fatal(err)
	}
	if key.Has(cryptoki.CKA_VALUE) {
		t.Error("the value of a key was asked for")
	}
	if got := key.Ulongs(cryptoki.CKA_ALLOWED_MECHANISMS); !slices.Contains(got, cryptoki.CKM_AES_GCM) || len(got) != 2 {
		t.Errorf("the allowed mechanisms are %v", got)
	}
	if n, ok := key.Ulong(cryptoki.CKA_VALUE_LEN); !ok || n != 32 {
		t.Errorf("the length is %d, %v", n, ok)
	}
	if gen, ok := key.Ulong(cryptoki.CKA_KEY_GEN_MECHANISM); !ok || gen != cryptoki.CKM_AES_KEY_GEN || !key.Bool(cryptoki.CKA_LOCAL) {
		t.Errorf("made by %s, local %v", cryptoki.MechanismName(gen), key.Bool(cryptoki.CKA_LOCAL))
	}
	public, private := pair(true, "ec", curve(t, oidP256))
	pub, priv, err := token.GenerateKeyPair(ctx, mechanism(cryptoki.CKM_EC_KEY_PAIR_GEN), public, private)
	if err != nil {
		t.Fatal(err)
	}
	if pub.Class != cryptoki.CKO_PUBLIC_KEY || len(pub.Bytes(cryptoki.CKA_EC_POINT)) != 67 || len(pub.Bytes(cryptoki.CKA_EC_PARAMS)) != 10 {
		t.Errorf("the public key was read as %v", pub)
	}
	for _, typ := range []uint{cryptoki.CKA_SENSITIVE, cryptoki.CKA_ALWAYS_SENSITIVE, cryptoki.CKA_NEVER_EXTRACTABLE, cryptoki.CKA_LOCAL, cryptoki.CKA_SIGN, cryptoki.CKA_PRIVATE, cryptoki.CKA_TOKEN} {
		if !priv.Bool(typ) {
			t.Errorf("attribute %#x of the private key is false", typ)
		}
	}
}

// TestBatchIsLearnt: after a few objects of a kind one call reads one object.
func TestBatchIsLearnt(t *testing.T) {
	var l counting
	token := open(t, l.on(config(softhsm.New(t, "learning"))))
	for i := range 8 {
		mustCreate(t, token, fmt.Sprint(i), []byte("value"))
		if _, err := token.GenerateKey(t.Context(), mechanism(cryptoki.CKM_AES_KEY_GEN), secret(cryptoki.CKK_AES, 16, true, fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	l.batches, l.singles = 0, 0
	if list := mustList(t, token); len(list) != 16 {
		t.Errorf("%d objects", len(list))
	}
	if l.batches != 32 || l.singles != 0 {
		t.Errorf("16 objects took %d batches and %d single reads, want 32 and none", l.batches, l.singles)
	}
}

// counting counts how attributes are read, and can make the token one that fails
// whole batches.
type counting struct {
	layer
	batches, singles int
	stubborn         bool
}

func (c *counting) on(config cryptoki.Config) cryptoki.Config {
	return config.WithDriver(func(path string) (cryptoki.Driver, error) {
		d, err := cryptoki.OpenModule(path)
		c.Driver = d
		return c, err
	})
}

func (c *counting) ReadAttributes(session, object uint, types []uint) ([]cryptoki.Reading, error) {
	c.batches++
	read, err := c.layer.ReadAttributes(session, object, types)
	if err != nil && c.stubborn {
		return make([]cryptoki.Reading, len(types)), err
	}
	return read, err
}

func (c *counting) ReadAttribute(session, object, typ uint) ([]byte, error) {
	c.singles++
	return c.layer.ReadAttribute(session, object, typ)
}

func TestTokenThatFailsWholeBatches(t *testing.T) {
	soft := softhsm.New(t, "stubborn")
	var l counting
	l.stubborn = true
	token := open(t, l.on(config(soft)))
	for i := range 5 {
		o, err := token.GenerateKey(t.Context(), mechanism(cryptoki.CKM_AES_KEY_GEN), secret(cryptoki.CKK_AES, 32, true, fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		if n, _ := o.Ulong(cryptoki.CKA_VALUE_LEN); n != 32 || !o.Bool(cryptoki.CKA_SIGN) || string(o.Bytes(cryptoki.CKA_ID)) != fmt.Sprint(i) {
			t.Errorf("read %v", o)
		}
	}
	l.singles = 0
	if list := mustList(t, token); len(list) != 5 || l.singles != 0 {
		t.Errorf("%d objects, %d single reads", len(list), l.singles)
	}
}

func TestMemoryFollowsWrites(t *testing.T) {
	soft := softhsm.New(t, "memory")
	token, other := open(t, config(soft)), open(t, config(soft))
	ctx := t.Context()
	mustCreate(t, token, "before", nil)
	if got := labels(mustList(t, token)); !slices.Equal(got, []string{"before"}) {
		t.Fatalf("at first %v", got)
	}
	created := mustCreate(t, token, "created", nil)
	if _, err := token.GenerateKey(ctx, mechanism(cryptoki.CKM_AES_KEY_GEN), secret(cryptoki.CKK_AES, 16, false, "session key")); err != nil {
		t.Fatal(err)
	}
	if got := labels(mustList(t, token)); !slices.Equal(got, []string{"before", "created"}) {
		t.Errorf("after writes %v", got)
	}
	if err := token.DestroyObject(ctx, created.Handle); err != nil {
		t.Fatal(err)
	}
	if got := labels(mustList(t, token)); !slices.Equal(got, []string{"before"}) {
		t.Errorf("after destroying %v", got)
	}
	if err := token.DestroyObject(ctx, created.Handle); !fault.Is(err, fault.Conflict) {
		t.Errorf("destroyed again: %v, want a conflict", err)
	}
	theirs := mustCreate(t, other, "theirs", nil)
	if got := labels(mustList(t, token)); !slices.Equal(got, []string{"before"}) {
		t.Errorf("the memory has what nobody searched: %v", got)
	}
	found, err := token.Search(ctx, labelled("theirs"))
	if err != nil || len(found) != 1 {
		t.Fatalf("found %v, %v", found, err)
	}
	if got := labels(mustList(t, token)); !slices.Equal(got, []string{"before", "theirs"}) {
		t.Errorf("after the search %v", got)
	}
	if err := other.DestroyObject(ctx, theirs.Handle); err != nil {
		t.Fatal(err)
	}
	if found, err := token.Search(ctx, labelled("theirs")); err != nil || len(found) != 0 {
		t.Errorf("found %v, %v", found, err)
	}
	if got := labels(mustList(t, token)); !slices.Equal(got, []string{"before"}) {
		t.Errorf("after it was destroyed elsewhere %v", got)
	}
}

func TestSetAttributesAndCopyToChange(t *testing.T) {
	token := open(t, config(softhsm.New(t, "change")))
	ctx := t.Context()
	public, private := pair(true, "ec", curve(t, oidP256))
	_, priv, err := token.GenerateKeyPair(ctx, mechanism(cryptoki.CKM_EC_KEY_PAIR_GEN), public, private)
	if err != nil {
		t.Fatal(err)
	}
	off := []cryptoki.Attribute{cryptoki.Bool(cryptoki.CKA_SIGN, false)}
	changed, err := token.CopyObject(ctx, priv.Handle, off)
	if err != nil {
		t.Fatal(err)
	}
	if changed.Handle == priv.Handle || changed.Bool(cryptoki.CKA_SIGN) || !changed.Bool(cryptoki.CKA_LOCAL) || !changed.Bool(cryptoki.CKA_ALWAYS_SENSITIVE) {
		t.Errorf("the copy is %v", changed)
	}
	if !bytes.Equal(changed.Bytes(cryptoki.CKA_ID), priv.Bytes(cryptoki.CKA_ID)) {
		t.Error("the copy has another id")
	}
	if _, err := token.Sign(ctx, mechanism(cryptoki.CKM_ECDSA), changed.Handle, make([]byte, 32)); !cryptoki.IsRefusal(err) {
		t.Errorf("the copy signs: %v", err)
	}
	if err := token.DestroyObject(ctx, priv.Handle); err != nil {
		t.Fatal(err)
	}
	if _, err := token.Sign(ctx, mechanism(cryptoki.CKM_ECDSA), priv.Handle, make([]byte, 32)); !fault.Is(err, fault.Conflict) || cryptoki.IsRefusal(err) {
		t.Errorf("a void handle: %v, want a conflict that is no refusal", err)
	}
	if _, err := token.CopyObject(ctx, changed.Handle, []cryptoki.Attribute{cryptoki.Bool(cryptoki.CKA_EXTRACTABLE, false)}); !fault.Is(err, fault.Unsupported) {
		t.Errorf("a read-only attribute: %v", err)
	}
	if err := token.SetAttributes(ctx, changed.Handle, []cryptoki.Attribute{cryptoki.Bool(cryptoki.CKA_SIGN, true)}); err != nil {
		t.Fatal(err)
	}
	for _, o := range mustList(t, token) {
		if o.Handle == changed.Handle && !o.Bool(cryptoki.CKA_SIGN) {
			t.Error("the memory did not follow the change in place")
		}
	}
	if _, err := token.Sign(ctx, mechanism(cryptoki.CKM_ECDSA), changed.Handle, make([]byte, 32)); err != nil {
		t.Errorf("switched on again: %v", err)
	}
	for name, call := range map[string]func() error{
		"set nothing":    func() error { return token.SetAttributes(ctx, changed.Handle, nil) },
		"create nothing": func() error { _, err := token.CreateObject(ctx, nil); return err },
	} {
		if err := call(); !fault.Is(err, fault.Internal) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestConfirmAbsent(t *testing.T) {
	soft := softhsm.New(t, "absent")
	marked := config(soft)
	marked.Witness = labelled("marker")
	token := open(t, marked)
	ctx := t.Context()
	if err := token.ConfirmAbsent(ctx, labelled("gone")); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "marker") {
		t.Errorf("without the witness: %v", err)
	}
	mustCreate(t, token, "marker", nil)
	start := time.Now()
	if err := token.ConfirmAbsent(ctx, labelled("gone")); err != nil {
		t.Errorf("absent: %v", err)
	}
	if d := time.Since(start); d < 50*time.Millisecond {
		t.Errorf("it took only %s", d)
	}
	mustCreate(t, token, "there", nil)
	if err := token.ConfirmAbsent(ctx, labelled("there")); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "appeared") {
		t.Errorf("present: %v", err)
	}
	if err := open(t, config(soft)).ConfirmAbsent(ctx, labelled("gone")); err != nil {
		t.Errorf("no witness asked for: %v", err)
	}
}

// TestConfirmAbsentOnVanishedToken: SoftHSM goes on to answer "0 objects, OK".
func TestConfirmAbsentOnVanishedToken(t *testing.T) {
	for name, witness := range map[string][]cryptoki.Attribute{"with a witness": labelled("marker"), "without": nil} {
		t.Run(name, func(t *testing.T) {
			soft := softhsm.New(t, "vanished")
			c := config(soft)
			c.Witness = witness
			token := open(t, c)
			mustCreate(t, token, "marker", nil)
			mustCreate(t, token, "there", nil)
			if err := os.RemoveAll(soft.Store.TokenDir()); err != nil {
				t.Fatal(err)
			}
			if found, err := token.Search(t.Context(), labelled("there")); err == nil && len(found) > 0 {
				t.Errorf("found %v", found)
			}
			if err := token.ConfirmAbsent(t.Context(), labelled("there")); !fault.Is(err, fault.Unavailable) {
				t.Errorf("got %v, want unavailable", err)
			} else {
				t.Log(err)
			}
		})
	}
}

// TestRemnants: what a killed process leaves must not break the scan.
func TestRemnants(t *testing.T) {
	soft := softhsm.New(t, "remnants")
	first := open(t, config(soft))
	mustCreate(t, first, "one", nil)
	mustCreate(t, first, "two", nil)
	dirs, err := filepath.Glob(filepath.Join(soft.Store.TokenDir(), "*"))
	if err != nil || len(dirs) != 1 {
		t.Fatalf("%v, %v", dirs, err)
	}
	for name, content := range map[string][]byte{
		"00000000-0000-0000-0000-000000000001.object": {},
		"00000000-0000-0000-0000-000000000002.object": make([]byte, 8), // a generation, no attributes
	} {
		if err := os.WriteFile(filepath.Join(dirs[0], name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := first.Close(); err != nil { // SoftHSM looks into the directory when it is initialised
		t.Fatal(err)
	}
	var logged []string
	c := config(soft)
	c.Logger = func(_ context.Context, msg string, fields map[string]any) {
		logged = append(logged, fmt.Sprint(msg, fields))
	}
	second := open(t, c)
	if got := labels(mustList(t, second)); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("listed %v", got)
	}
	if len(logged) != 1 || !strings.Contains(logged[0], "objects:1") {
		t.Errorf("logged %q", logged)
	}
}
