package cryptoki_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// constants reads this package's constants with a prefix from its source.
func constants(t *testing.T, prefix string) map[string]uint {
	t.Helper()
	found := map[string]uint{}
	for _, path := range []string{"constants.go", "return_values.go"} {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || !strings.HasPrefix(spec.Names[0].Name, prefix) {
				return true
			}
			literal, ok := spec.Values[0].(*ast.BasicLit)
			if !ok {
				t.Fatalf("%s is no number", spec.Names[0].Name)
			}
			v, err := strconv.ParseUint(literal.Value, 0, 64)
			if err != nil {
				t.Fatal(err)
			}
			found[spec.Names[0].Name] = uint(v)
			return true
		})
	}
	return found
}

// reference reads the constants of miekg/pkcs11 (version 2.40), as a second opinion.
func reference(t *testing.T, prefix string) map[string]uint {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/miekg/pkcs11").Output()
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "zconst.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]uint{}
	for _, m := range regexp.MustCompile(`(?m)^\s*(`+prefix+`\w+)\s*=\s*(0x[0-9a-fA-F]+)`).FindAllStringSubmatch(string(source), -1) {
		v, err := strconv.ParseUint(m[2], 0, 64)
		if err != nil {
			t.Fatal(err)
		}
		found[m[1]] = uint(v)
	}
	if len(found) == 0 {
		t.Fatalf("miekg/pkcs11 has no constants %s…", prefix)
	}
	return found
}

func TestConstantsAgreeWithTheHeader(t *testing.T) {
	for _, prefix := range []string{"CKA_", "CKO_", "CKK_", "CKM_", "CKF_", "CKG_", "CKD_", "CKR_"} {
		theirs := reference(t, prefix)
		for name, v := range constants(t, prefix) {
			if w, ok := theirs[name]; ok && w != v {
				t.Errorf("%s is %#x here and %#x there", name, v, w)
			}
		}
	}
}

func TestReturnValuesAreComplete(t *testing.T) {
	names := cryptoki.ReturnNames()
	for name, v := range reference(t, "CKR_") {
		if name != "CKR_VENDOR_DEFINED" && names[v] != name {
			t.Errorf("%s (%#x) is called %q", name, v, names[v])
		}
	}
	for name, v := range constants(t, "CKR_") {
		if names[v] != name {
			t.Errorf("%s (%#x) is called %q", name, v, names[v])
		}
		err := cryptoki.Meaning(v)
		f, ok := errors.AsType[*fault.Error](err)
		if !ok || f.Problem == "" || f.Code != "C_Test: "+name {
			t.Errorf("%s is told as %v", name, err)
		}
		if got, ok := cryptoki.Code(fmt.Errorf("wrapped: %w", &fault.Error{Op: "outer", Cause: err})); !ok || got != v {
			t.Errorf("the code of %s is %#x, %v", name, got, ok)
		}
		needsHint := f.Kind == fault.Denied || f.Kind == fault.Unavailable || f.Kind == fault.Exhausted || f.Kind == fault.Internal || f.Kind == fault.Conflict
		if needsHint && f.Hint == "" {
			t.Errorf("%s (%s) says nothing about what to do", name, f.Kind)
		}
	}
}

func TestKinds(t *testing.T) {
	tests := []struct {
		value   uint
		kind    fault.Kind
		refusal bool
	}{
		{cryptoki.CKR_PIN_INCORRECT, fault.Denied, false},
		{cryptoki.CKR_PIN_LOCKED, fault.Denied, false},
		{cryptoki.CKR_PIN_EXPIRED, fault.Denied, false},
		{cryptoki.CKR_DEVICE_ERROR, fault.Unavailable, false},
		{cryptoki.CKR_DEVICE_REMOVED, fault.Unavailable, false},
		{cryptoki.CKR_GENERAL_ERROR, fault.Unavailable, false},
		{cryptoki.CKR_SESSION_HANDLE_INVALID, fault.Unavailable, false},
		{cryptoki.CKR_DEVICE_MEMORY, fault.Exhausted, false},
		{cryptoki.CKR_SESSION_COUNT, fault.Exhausted, false},
		{cryptoki.CKR_MECHANISM_INVALID, fault.Unsupported, false},
		{cryptoki.CKR_ATTRIBUTE_TYPE_INVALID, fault.Unsupported, false},
		{cryptoki.CKR_KEY_HANDLE_INVALID, fault.Conflict, false},
		{cryptoki.CKR_KEY_FUNCTION_NOT_PERMITTED, fault.Unsupported, true},
		{cryptoki.CKR_KEY_TYPE_INCONSISTENT, fault.Unsupported, true},
		{cryptoki.CKR_SIGNATURE_INVALID, fault.Invalid, false},
		{0x80000001, fault.Internal, false},
	}
	for _, test := range tests {
		err := cryptoki.Meaning(test.value)
		if !fault.Is(err, test.kind) || cryptoki.IsRefusal(err) != test.refusal {
			t.Errorf("%v is %s, refusal %v", err, fault.KindOf(err), cryptoki.IsRefusal(err))
		}
	}
	if err := cryptoki.Meaning(0x80000001); !strings.HasSuffix(err.Error(), "[C_Test: 0x80000001]") {
		t.Errorf("a vendor's code reads %q", err)
	}
	for _, err := range []error{nil, errors.New("other"), &fault.Error{}} {
		if _, ok := cryptoki.Code(err); ok || cryptoki.IsRefusal(err) {
			t.Errorf("%v has a code", err)
		}
	}
}

func TestMechanismNames(t *testing.T) {
	for name, v := range reference(t, "CKM_") {
		if name == "CKM_VENDOR_DEFINED" {
			continue
		}
		if code, ok := cryptoki.MechanismCode(name); !ok || code != v {
			t.Errorf("%s is %#x, %v; want %#x", name, code, ok, v)
		}
	}
	for code, name := range cryptoki.MechanismNames() {
		if back, ok := cryptoki.MechanismCode(name); !ok || back != code || cryptoki.MechanismName(code) != name {
			t.Errorf("%#x and %s are not each other's", code, name)
		}
	}
	for name, v := range constants(t, "CKM_") {
		if cryptoki.MechanismName(v) != name {
			t.Errorf("%s is called %s", name, cryptoki.MechanismName(v))
		}
	}
	tests := []struct {
		name string
		code uint
		ok   bool
	}{
		{"CKM_AES_KEY_WRAP", 0x2109, true}, {"CKM_AES_KEY_WRAP_PAD", 0x210A, true}, {"CKM_EDDSA", 0x1057, true},
		{"CKM_EC_EDWARDS_KEY_PAIR_GEN", 0x1055, true}, {"CKM_ECDSA_KEY_PAIR_GEN", 0x1040, true}, {"CKM_0x80001234", 0x80001234, true},
		{"CKM_NO_SUCH_THING", 0, false}, {"CKM_0xgg", 0, false}, {"", 0, false},
	}
	for _, test := range tests {
		if code, ok := cryptoki.MechanismCode(test.name); ok != test.ok || code != test.code {
			t.Errorf("%q is %#x, %v", test.name, code, ok)
		}
	}
	if got := cryptoki.MechanismName(0x80001234); got != "CKM_0x80001234" {
		t.Errorf("a vendor's mechanism is called %s", got)
	}
}

func TestAttributeForms(t *testing.T) {
	if !cryptoki.Bool(1, true).Bool() || cryptoki.Bool(1, false).Bool() || (cryptoki.Attribute{}).Bool() {
		t.Error("booleans")
	}
	if cryptoki.Ulong(1, 4711).Ulong() != 4711 || (cryptoki.Attribute{Value: []byte{1}}).Ulong() != 0 {
		t.Error("numbers")
	}
	o := cryptoki.Object{Attrs: map[uint][]byte{1: cryptoki.Ulongs(1, 5, 6).Value, 2: {1, 2, 3}, 3: cryptoki.Ulong(3, ^uint(0)).Value, 4: {}}}
	if list := o.Ulongs(1); len(list) != 2 || list[1] != 6 {
		t.Errorf("list is %v", list)
	}
	if o.Ulongs(2) != nil || o.Ulongs(9) != nil {
		t.Error("no list is read as one")
	}
	if _, ok := o.Ulong(3); ok {
		t.Error("CK_UNAVAILABLE_INFORMATION is read as a number")
	}
	if !o.Has(4) || o.Has(9) || o.Bool(4) || o.Bytes(9) != nil {
		t.Error("absent and empty are confused")
	}
}
