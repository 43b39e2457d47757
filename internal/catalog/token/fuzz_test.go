package token_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/keystead/terraform-provider-hsm/internal/catalog"
	"github.com/keystead/terraform-provider-hsm/internal/catalog/catalogtest"
	"github.com/keystead/terraform-provider-hsm/internal/catalog/token"
	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/policy"
)

const (
	someID    = "000102030405060708090a0b0c0d0e0f"
	someWrite = "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"
)

// sealed is what is stored of a body that is written as text.
func sealed(tb testing.TB, kind token.Kind, name string, generation int, body []byte) []byte {
	tb.Helper()
	value, err := token.Seal(kind, name, generation, someID, someWrite, body)
	if err != nil {
		tb.Fatal(err)
	}
	return value
}

// encoded is a body as it is stored.
func encoded(tb testing.TB, body any) []byte {
	tb.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// load reads the one record that is on a token, which holds the values. Nothing is waited
// for: what is in dispute here stays so.
func load[T catalog.Body[T]](t *testing.T, kind token.Kind, name string, values ...[]byte) (catalog.Record[T], error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := &shelf{}
	for _, value := range values {
		s.put(string(kind)+"/"+name, value)
	}
	record, err := token.Of[T](token.New(s), kind).Load(ctx, name)
	if err != nil {
		wantFault(t, err)
		if !reflect.ValueOf(&record.Body).Elem().IsZero() {
			t.Fatalf("there is a body beside the error %v", err)
		}
	}
	list, listErr := token.Of[T](token.New(s), kind).List(ctx)
	if fault.KindOf(listErr) != fault.KindOf(err) || err == nil && (listErr != nil || len(list) != 1 || !reflect.DeepEqual(list[0], record)) {
		t.Fatalf("loaded %+v, %v, and listed %+v, %v", record, err, list, listErr)
	}
	return record, err
}

// wantFault holds an error to what a person needs to know.
func wantFault(t *testing.T, err error) {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || !slices.Contains([]fault.Kind{fault.Inconsistent, fault.Unsupported, fault.Unavailable}, f.Kind) {
		t.Fatalf("the error is %T, of kind %q: %v", err, fault.KindOf(err), err)
	}
	if f.Problem == "" || f.Op == "" || f.Kind != fault.Unavailable && (f.Subject == "" || f.Hint == "") { // nothing is waited for
		t.Fatalf("the error does not say everything: %+v", f)
	}
}

// FuzzRecord reads anything as a record, alone and beside a whole one.
func FuzzRecord(f *testing.F) {
	body := encoded(f, catalogtest.Key("k", 1))
	f.Fuzz(func(t *testing.T, value []byte) {
		alone, err := load[*keyring.Key](t, token.Keys, "k", value)
		if err == nil {
			again := sealed(t, token.Keys, "k", alone.Generation, encoded(t, alone.Body))
			if back, err := load[*keyring.Key](t, token.Keys, "k", again); err != nil || !reflect.DeepEqual(back.Body, alone.Body) {
				t.Errorf("%s is read as %+v, and that as %+v, %v", value, alone.Body, back.Body, err)
			}
		}
		whole := sealed(t, token.Keys, "k", 1, body)
		want := must[catalog.Record[*keyring.Key]](t)(load[*keyring.Key](t, token.Keys, "k", whole))
		both, bothErr := load[*keyring.Key](t, token.Keys, "k", whole, value)
		switch {
		case bothErr != nil, reflect.DeepEqual(both, want) && (!json.Valid(value) || err == nil), err == nil && reflect.DeepEqual(both, alone) && both.Generation > 1:
		default:
			t.Errorf("beside %s a whole record is read as %+v", value, both)
		}
	})
}

// FuzzDamage changes a part of a whole record: it is read as what it was, or not at all.
func FuzzDamage(f *testing.F) {
	whole := sealed(f, token.Keys, "k", 7, encoded(f, catalogtest.Key("k", 3)))
	f.Fuzz(func(t *testing.T, at, length uint16, put []byte) {
		begin := int(at) % (len(whole) + 1)
		end := min(begin+int(length), len(whole))
		value := slices.Concat(whole[:begin], put, whole[end:])
		want := must[catalog.Record[*keyring.Key]](t)(load[*keyring.Key](t, token.Keys, "k", whole))
		if got, err := load[*keyring.Key](t, token.Keys, "k", value); err == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%s\nis read as %+v, not %+v", value, got, want)
		}
		if got, err := load[*keyring.Key](t, token.Keys, "k", whole, value); err == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("beside %s\nis read %+v, not %+v", value, got, want)
		}
	})
}

// FuzzKeyBody, FuzzCredentialBody and FuzzPolicyBody read a body whose checksum is right,
// as somebody with the PIN can make one, and a newer version of the provider too.
func FuzzKeyBody(f *testing.F) {
	f.Fuzz(func(t *testing.T, text []byte) {
		k, ok := body[*keyring.Key](t, token.Keys, text)
		if !ok {
			return
		}
		for _, n := range k.Numbers() {
			v := k.Versions[n]
			state := k.State(v)
			if may := k.Permitted(v); may != keyring.None && state != keyring.Active && state != keyring.Deactivated {
				t.Errorf("version %d is %s and may %s", n, state, may)
			}
			_ = k.MayProcess(v, noon)
			_, _ = v.PublicKey.JWK()
			if n > k.Counter {
				t.Errorf("version %d is above the counter, %d: its number would be given out again", n, k.Counter)
			}
		}
		_ = k.Committed()
		for _, v := range []*keyring.Version{k.Current(), k.Newest()} {
			if v != nil && k.Versions[v.Number] != v {
				t.Errorf("version %d is kept as another one", v.Number)
			}
		}
		if k.Rotation != nil && k.Versions[k.Rotation.Instance] == nil {
			t.Errorf("the rotation is of version %d, which is not there", k.Rotation.Instance)
		}
	})
}

func FuzzCredentialBody(f *testing.F) {
	f.Fuzz(func(t *testing.T, text []byte) {
		c, ok := body[*credential.Credential](t, token.Credentials, text)
		if !ok {
			return
		}
		for _, n := range c.Numbers() {
			v := c.Versions[n]
			if state := c.State(v, noon); c.IsAccepted(v, noon) && (c.Tombstone != nil || !c.Spec.Enabled || !v.RevokedAt.IsZero()) {
				t.Errorf("version %d is %s and accepted", n, state)
			}
			if v.Number != n || n > c.Counter {
				t.Errorf("version %d is kept as %d, the counter is %d", v.Number, n, c.Counter)
			}
		}
		_ = c.RotateAt()
		if c.Newest() == nil {
			t.Error("there is no newest version")
		}
		if err := c.Spec.Validate(); err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("what is asked of it is refused with %v", err)
		}
	})
}

func FuzzPolicyBody(f *testing.F) {
	f.Fuzz(func(t *testing.T, text []byte) {
		p, ok := body[*policy.Policy](t, token.Policies, text)
		if !ok {
			return
		}
		cedar, mistakes := policy.Compile(p.Spec)
		if (cedar == "") == (len(mistakes) == 0) {
			t.Errorf("compiled to %q with %+v", cedar, mistakes)
		}
		// A policy that says nothing is an error for all, or the others would decide.
		if _, err := policy.NewEngine(policy.World{Environment: "test"}, []*policy.Policy{p}); err != nil {
			wantFault(t, err)
		} else if len(mistakes) > 0 && p.Spec.Enabled && p.Tombstone == nil {
			t.Errorf("it is in force with %+v", mistakes)
		}
	})
}

// body reads a text as the body of the record that it names. What comes out says what the
// text says, no more and no less, and comes out the same when it is stored again.
func body[T catalog.Body[T]](t *testing.T, kind token.Kind, text []byte) (b T, ok bool) {
	t.Helper()
	if !json.Valid(text) {
		return b, false
	}
	var named struct {
		Spec struct {
			Name string `json:"name"`
		} `json:"spec"`
	}
	_ = json.Unmarshal(text, &named) // whatever it is
	name := named.Spec.Name
	if !utf8.ValidString(name) {
		return b, false
	}
	record, err := load[T](t, kind, name, sealed(t, kind, name, 1, text))
	if err != nil {
		return b, false
	}
	again := encoded(t, record.Body)
	if said, says := leaves(t, text), leaves(t, again); !slices.Equal(said, says) {
		t.Fatalf("%s\nis read as\n%s", text, again)
	}
	back, err := load[T](t, kind, name, sealed(t, kind, name, 1, again))
	if err != nil || !bytes.Equal(encoded(t, back.Body), again) {
		t.Fatalf("%s\nis read as %+v, and that as %+v, %v", text, record.Body, back.Body, err)
	}
	if copied := encoded(t, record.Body.Clone()); !slices.Equal(leaves(t, copied), leaves(t, again)) {
		t.Fatalf("the copy of %s\nis %s", again, copied)
	}
	return record.Body, true
}

// leaves lists what a JSON text says that is not empty, sorted. A value that is there
// twice is listed twice.
func leaves(t *testing.T, text []byte) []string {
	t.Helper()
	var all []string
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var depth []bool // objects, as opposed to lists
	isName := false
	for {
		word, err := d.Token()
		if word == nil && err != nil {
			break
		}
		switch w := word.(type) {
		case json.Delim:
			if w == '{' || w == '[' {
				depth = append(depth, w == '{')
			} else {
				depth = depth[:len(depth)-1]
			}
			isName = len(depth) > 0 && depth[len(depth)-1]
			continue
		case string:
			if !isName && w != "" && w != zeroTime {
				all = append(all, w)
			}
		case json.Number:
			if w != "0" {
				all = append(all, w.String())
			}
		case bool:
			if w {
				all = append(all, "true")
			}
		}
		if len(depth) > 0 && depth[len(depth)-1] {
			isName = !isName
		}
	}
	slices.Sort(all)
	return all
}

const zeroTime = "0001-01-01T00:00:00Z"

var noon = time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)

// FuzzStamp reads the environment's name from a body whose checksum is right.
func FuzzStamp(f *testing.F) {
	f.Fuzz(func(t *testing.T, text []byte) {
		if !json.Valid(text) {
			return
		}
		s := &shelf{}
		s.put("environment", sealed(t, token.KindEnvironment, "", 1, text))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		name, err := token.New(s).Environment(ctx)
		switch {
		case err != nil:
			wantFault(t, err)
			if name != "" {
				t.Errorf("there is a name, %q, beside the error %v", name, err)
			}
		case name == "":
			t.Errorf("a stamp that says %s is taken for none", text)
		case !slices.Contains(leaves(t, text), name):
			t.Errorf("%s is read as %q", text, name)
		}
		if err := token.New(s).Stamp(ctx, "another", "somebody"); err == nil && name != "another" || len(s.objects) != 1 {
			t.Errorf("a token with the stamp %s is stamped again (%v)", text, err)
		}
	})
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
