package token_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// TestObject fixes what a record looks like on the token, for other programs and
// later versions.
func TestObject(t *testing.T) {
	b := newBench(t)
	b.create(t, "orders")
	list := b.Tool(t, "--list-objects", "--type", "data")
	for _, want := range []string{"label:          'key/orders'", "label:          'environment'", "application:    'terraform-provider-hsm'", "private"} {
		if !strings.Contains(list, want) {
			t.Errorf("pkcs11-tool does not show %s:\n%s", want, list)
		}
	}
	out := filepath.Join(t.TempDir(), "out")
	b.Tool(t, "--read-object", "--type", "data", "--label", "key/orders", "--output-file", out)
	raw, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var e map[string]any
	if err := json.Unmarshal(raw, &e); err != nil {
		t.Fatal(err)
	}
	if e["format"] != 1.0 || e["kind"] != "key" || e["name"] != "orders" || e["generation"] != 1.0 || len(e) != 8 {
		t.Errorf("%s", raw)
	}
}

// TestDamage changes what is on the token behind the catalog's back.
func TestDamage(t *testing.T) {
	newer := []byte(`{"format":2,"name":"something else altogether"}`)
	for name, test := range map[string]struct {
		plant  func(whole []byte) []byte
		remove bool       // the whole record
		kind   fault.Kind // 0: the whole record is read
	}{
		"cut off, beside a whole one": {func(whole []byte) []byte { return whole[:len(whole)/2] }, false, 0},
		"empty, beside a whole one":   {func([]byte) []byte { return []byte{} }, false, 0},
		"the same record twice":       {bytes.Clone, false, 0},
		"cut off":                     {func(whole []byte) []byte { return whole[:len(whole)/2] }, true, fault.Inconsistent},
		"empty":                       {func([]byte) []byte { return []byte{} }, true, fault.Inconsistent},
		"edited":                      {edit(`"counter":1`, `"counter":2`), true, fault.Inconsistent},
		"edited, beside a whole one":  {edit(`"counter":1`, `"counter":2`), false, fault.Inconsistent},
		"another generation":          {edit(`"generation":1`, `"generation":9`), false, fault.Inconsistent},
		"something added":             {edit(`"kind"`, `"more":1,"kind"`), true, fault.Inconsistent},
		"no checksum":                 {edit(`"sum"`, `"total"`), true, fault.Inconsistent},
		"another program's":           {func([]byte) []byte { return []byte(`{}`) }, true, fault.Inconsistent},
		"another program's list":      {func([]byte) []byte { return []byte(`[1]`) }, true, fault.Inconsistent},
		"newer":                       {func([]byte) []byte { return newer }, true, fault.Unsupported},
		"newer, beside a whole one":   {func([]byte) []byte { return newer }, false, fault.Unsupported},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			r := b.create(t, "k")
			b.create(t, "innocent")
			whole := b.value(t, "key/k")
			if test.remove {
				if err := b.device.DestroyObject(t.Context(), b.objects(t, "key/k")[0].Handle); err != nil {
					t.Fatal(err)
				}
			}
			b.plant(t, "key/k", test.plant(bytes.Clone(whole)))
			c := keys(device(t, b.Token))
			got, err := c.Load(t.Context(), "k")
			if test.kind == 0 {
				if err != nil || got.ID != r.ID || got.Body.Counter != 1 {
					t.Fatalf("loaded %+v, %v", got, err)
				}
				if list, err := c.List(t.Context()); err != nil || len(list) != 2 {
					t.Errorf("listed %v, %v", list, err)
				}
				if _, err := c.Replace(t.Context(), got, key("k", 2)); err != nil {
					t.Fatal(err)
				}
				if n := len(b.objects(t, "key/k")); n != 1 {
					t.Errorf("%d objects are left", n)
				}
				return
			}
			if f := (*fault.Error)(nil); !errors.As(err, &f) || f.Kind != test.kind || !strings.Contains(f.Subject, `"k"`) {
				t.Errorf("load: %v", err)
			}
			if _, err := c.List(t.Context()); !fault.Is(err, test.kind) {
				t.Errorf("list: %v", err)
			}
			if _, err := c.Create(t.Context(), key("k", 7)); !fault.Is(err, test.kind) {
				t.Errorf("create: %v", err)
			}
			if _, err := c.Replace(t.Context(), r, key("k", 7)); !fault.Is(err, test.kind) {
				t.Errorf("replace: %v", err)
			}
			if _, err := c.Load(t.Context(), "innocent"); err != nil {
				t.Errorf("another record: %v", err)
			}
		})
	}
}

func edit(from, to string) func([]byte) []byte {
	return func(whole []byte) []byte { return bytes.Replace(whole, []byte(from), []byte(to), 1) }
}

// TestRelabelled: a good record under another name is not that one's.
func TestRelabelled(t *testing.T) {
	b := newBench(t)
	b.create(t, "one")
	b.plant(t, "key/two", b.value(t, "key/one"))
	c := keys(device(t, b.Token))
	if _, err := c.Load(t.Context(), "two"); !fault.Is(err, fault.Inconsistent) {
		t.Errorf("%v", err)
	}
	if _, err := c.Load(t.Context(), "one"); err != nil {
		t.Errorf("%v", err)
	}
}

// TestOthers: objects that are not ours are not read, whatever they look like.
func TestOthers(t *testing.T) {
	b := newBench(t)
	data := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(data, []byte(`{"format":9}`), 0o600); err != nil {
		t.Fatal(err)
	}
	b.Tool(t, "--write-object", data, "--type", "data", "--label", "key/k", "--application-label", "somebody else")
	b.Tool(t, "--write-object", data, "--type", "data", "--label", "environment", "--application-label", "somebody else")
	c := keys(device(t, b.Token))
	if name, err := c.Environment(t.Context()); name != "test" || err != nil {
		t.Errorf("%q, %v", name, err)
	}
	if _, err := c.Create(t.Context(), key("k", 1)); err != nil {
		t.Error(err)
	}
	if r, err := c.Load(t.Context(), "k"); err != nil || r.Body.Counter != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestStamps: markers that disagree, that are damaged, and that agree.
func TestStamps(t *testing.T) {
	for name, test := range map[string]struct {
		stamp string // put on instead of the first one, which comes back afterwards
		edit  func([]byte) []byte
		kind  fault.Kind
	}{
		"two that agree":    {"test", bytes.Clone, 0},
		"two that disagree": {"prod", bytes.Clone, fault.Inconsistent},
		"one cut off":       {"test", func(whole []byte) []byte { return whole[:9] }, 0},
		"one edited":        {"prod", edit("test", "prod"), fault.Inconsistent},
		"one newer":         {"test", edit(`"format":1`, `"format":3`), fault.Unsupported},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			first := bytes.Clone(b.value(t, "environment"))
			if err := b.device.DestroyObject(t.Context(), b.objects(t, "environment")[0].Handle); err != nil {
				t.Fatal(err)
			}
			if err := keys(device(t, b.Token)).Stamp(t.Context(), test.stamp, "somebody"); err != nil {
				t.Fatal(err)
			}
			b.plant(t, "environment", test.edit(first))
			c := keys(device(t, b.Token))
			got, err := c.Environment(t.Context())
			if test.kind == 0 && (err != nil || got != "test") || test.kind != 0 && !fault.Is(err, test.kind) {
				t.Errorf("%q, %v", got, err)
			}
			if err := c.Stamp(t.Context(), "test", "somebody"); test.kind == 0 && err != nil || test.kind != 0 && !fault.Is(err, test.kind) {
				t.Errorf("stamp: %v", err)
			}
		})
	}
}

// TestFullToken: a token that says OK and keeps nothing.
func TestFullToken(t *testing.T) {
	b := newBench(t)
	r := b.create(t, "k")
	c := keys(&forgetful{rig{Store: device(t, b.Token)}})
	old, err := c.Load(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Replace(t.Context(), old, key("k", 2)); !fault.Is(err, fault.Exhausted) {
		t.Errorf("%v", err)
	}
	if got, err := keys(device(t, b.Token)).Load(t.Context(), "k"); err != nil || got.Generation != 1 || got.ID != r.ID {
		t.Errorf("%+v, %v", got, err)
	}
	if n := len(b.objects(t, "key/k")); n != 1 {
		t.Errorf("%d objects", n)
	}
}

type forgetful struct{ rig }

func (f *forgetful) CreateObject(ctx context.Context, attrs []cryptoki.Attribute) (cryptoki.Object, error) {
	attrs = attrs[:len(attrs)-1] // the value comes last
	return f.rig.CreateObject(ctx, append(attrs, cryptoki.Bytes(cryptoki.CKA_VALUE, []byte{})))
}
