package keyring_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

func TestParseOperations(t *testing.T) {
	for name, tc := range map[string]struct {
		names []string
		want  keyring.Operations
		text  string
	}{
		"nothing":       {nil, keyring.None, "nothing"},
		"one":           {[]string{"sign"}, keyring.Sign, "sign"},
		"in any order":  {[]string{"decrypt", "encrypt"}, keyring.Encrypt | keyring.Decrypt, "encrypt, decrypt"},
		"repeated":      {[]string{"wrap", "wrap"}, keyring.Wrap, "wrap"},
		"all there are": {keyring.OperationNames(), keyring.All, "sign, verify, encrypt, decrypt, wrap, unwrap, derive"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := keyring.ParseOperations(tc.names)
			if err != nil || got != tc.want || got.String() != tc.text {
				t.Errorf("got %q (%b), %v; want %q", got, got, err, tc.text)
			}
			if back, err := keyring.ParseOperations(got.Names()); err != nil || back != got {
				t.Errorf("its names %v give %q, %v", got.Names(), back, err)
			}
		})
	}
	for _, unknown := range []string{"", "SIGN", "sign ", "seal"} {
		got, err := keyring.ParseOperations([]string{"sign", unknown})
		if got != keyring.None || !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), `"`+unknown+`"`) {
			t.Errorf("%q gives %q, %v; want fault.Invalid that names it", unknown, got, err)
		}
	}
}

func TestOperationNamesIsACopy(t *testing.T) {
	keyring.OperationNames()[0] = "changed"
	if got := keyring.OperationNames()[0]; got != "sign" {
		t.Errorf("a caller changed the first name to %q", got)
	}
}

func TestOperationsHas(t *testing.T) {
	set := keyring.Sign | keyring.Verify
	for name, tc := range map[string]struct {
		other keyring.Operations
		want  bool
	}{
		"one of them":  {keyring.Sign, true},
		"all of them":  {set, true},
		"nothing":      {keyring.None, true},
		"another":      {keyring.Wrap, false},
		"one too many": {set | keyring.Derive, false},
	} {
		if got := set.Has(tc.other); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestProtectingAndProcessingShareEveryOperation(t *testing.T) {
	if both := keyring.Protecting & keyring.Processing; both != keyring.None {
		t.Errorf("%s protects and processes", both)
	}
	if all := keyring.Protecting | keyring.Processing; all != keyring.All {
		t.Errorf("together they are %s", all)
	}
}

func TestOperationsJSON(t *testing.T) {
	for _, tc := range []struct {
		set  keyring.Operations
		text string
	}{
		{keyring.None, `[]`},
		{keyring.Verify | keyring.Sign, `["sign","verify"]`},
		{keyring.All, `["sign","verify","encrypt","decrypt","wrap","unwrap","derive"]`},
	} {
		text, err := json.Marshal(tc.set)
		if err != nil || string(text) != tc.text {
			t.Errorf("%s: %s, %v; want %s", tc.set, text, err, tc.text)
		}
		var back keyring.Operations
		if err := json.Unmarshal(text, &back); err != nil || back != tc.set {
			t.Errorf("%s comes back as %s, %v", tc.text, back, err)
		}
	}
	for _, bad := range []string{`["seal"]`, `"sign"`, `3`, `[1]`} {
		before := keyring.Wrap
		if err := json.Unmarshal([]byte(bad), &before); err == nil || before != keyring.Wrap {
			t.Errorf("%s: error %v, the set is now %s", bad, err, before)
		}
	}
}

func TestNamesOfNothingIsNotNil(t *testing.T) {
	if got := keyring.None.Names(); got == nil || !slices.Equal(got, []string{}) {
		t.Errorf("got %#v", got)
	}
}
