package token_test

import (
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/catalog"
	"github.com/keystead/terraform-provider-hsm/internal/catalog/catalogtest"
	"github.com/keystead/terraform-provider-hsm/internal/catalog/token"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// TestBody: bodies that another version wrote, or another program, with the right checksum.
func TestBody(t *testing.T) {
	whole := string(encoded(t, catalogtest.Key("k", 2)))
	const first = `"birth":{`
	for name, test := range map[string]struct {
		from, to string
		kind     fault.Kind // 0: it is read
		says     string
	}{
		"as it was written":          {"", "", 0, ""},
		"without a field":            {`,"enabled":true`, ``, 0, ""}, // of an older version
		"with an empty field":        {first, `"suspended":false,"by":"","count":0,"why":null,` + first, 0, ""},
		"with a field more":          {first, `"suspended":true,` + first, fault.Unsupported, "at .versions.2.suspended"},
		"with a field in upper case": {`"counter"`, `"Counter"`, fault.Unsupported, "at .Counter"},
		"with a field twice":         {`"counter":2`, `"counter":2,"counter":2`, fault.Inconsistent, "says .counter twice"},
		"with a time in other words": {`"2026-01-02T03:04:05.000006Z"`, `"2026-01-02T04:04:05.000006+01:00"`, 0, ""},
		"with an unknown operation":  {`"sign"`, `"seal"`, fault.Inconsistent, "no such operation"},
		"without a version":          {whole[strings.Index(whole, `"versions":`) : strings.Index(whole, `"work"`)-1], `"versions":{"2":null}`, fault.Inconsistent, "version 2"},
		"with a smaller counter":     {`"counter":2`, `"counter":1`, fault.Inconsistent, "1 is the highest"},
		"which is no text":           {"somebody", "some\xffbody", fault.Inconsistent, "not a record"},
	} {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(whole, test.from, test.to, 1)
			got, err := load[*keyring.Key](t, token.Keys, "k", sealed(t, token.Keys, "k", 1, []byte(changed)))
			switch {
			case test.kind == 0 && (err != nil || got.Body.Counter != 2):
				t.Errorf("read %+v, %v", got.Body, err)
			case test.kind != 0 && (!fault.Is(err, test.kind) || !strings.Contains(err.Error(), test.says)):
				t.Errorf("got %v, want %q with %q", err, test.kind, test.says)
			}
		})
	}
}

// TestFlaw: what could not be read again is not written.
func TestFlaw(t *testing.T) {
	s := &shelf{}
	c := token.Of[*keyring.Key](token.New(s), token.Keys)
	flawed := catalogtest.Key("k", 1)
	flawed.Versions[1] = nil
	if _, err := c.Create(t.Context(), flawed); !fault.Is(err, fault.Internal) || !strings.Contains(err.Error(), "version 1") {
		t.Errorf("create: %v", err)
	}
	r := must[catalog.Record[*keyring.Key]](t)(c.Create(t.Context(), catalogtest.Key("k", 1)))
	if _, err := c.Replace(t.Context(), r, flawed); !fault.Is(err, fault.Internal) {
		t.Errorf("replace: %v", err)
	}
	if got, err := c.Load(t.Context(), "k"); err != nil || got.Generation != 1 || len(s.objects) != 1 {
		t.Errorf("%+v, %v, and %d objects", got, err, len(s.objects))
	}
}

// TestSameWrite: two objects that claim to be one write are one only if they are equal.
func TestSameWrite(t *testing.T) {
	one := sealed(t, token.Keys, "k", 1, encoded(t, catalogtest.Key("k", 1)))
	other := sealed(t, token.Keys, "k", 1, encoded(t, catalogtest.Key("k", 2)))
	if got, err := load[*keyring.Key](t, token.Keys, "k", one, one); err != nil || got.Body.Counter != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	for _, pair := range [][2][]byte{{one, other}, {other, one}} {
		if got, err := load[*keyring.Key](t, token.Keys, "k", pair[0], pair[1]); !fault.Is(err, fault.Inconsistent) {
			t.Errorf("%+v, %v", got, err)
		}
	}
}
