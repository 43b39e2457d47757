package hsm_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/hsm"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

// TestGenerateOperations orders each operation alone: it must be on, everything
// else off, and the token must refuse everything else.
func TestGenerateOperations(t *testing.T) {
	b := newBench(t)
	for _, a := range []keyring.Algorithm{keyring.AES256, keyring.HMACSHA512, keyring.RSA2048, keyring.ECP256, keyring.ECSecp256k1, keyring.Ed25519, keyring.Ed448} {
		for _, name := range a.Operations().Names() {
			t.Run(fmt.Sprintf("%s/%s", a, name), func(t *testing.T) {
				op, err := keyring.ParseOperations([]string{name})
				if err != nil {
					t.Fatal(err)
				}
				o := order("alone", a, op)
				b.generate(t, o)
				if seen := b.inspect(t, o.Ref, keyring.All); seen.Permitted != op || seen.Refused != a.Operations()&^op || seen.Performed != 0 {
					t.Errorf("the key shows as %+v", seen)
				}
			})
		}
	}
}

// TestGenerateMechanisms restricts keys to mechanisms; the self-test has to find
// its way with these.
func TestGenerateMechanisms(t *testing.T) {
	b := newBench(t)
	for _, test := range []struct {
		algorithm  keyring.Algorithm
		operations keyring.Operations
		mechanisms []keyring.Mechanism
		allowed    string // pkcs11-tool -m that must work
		denied     string // and one that must not
	}{
		{keyring.AES256, keyring.Encrypt | keyring.Decrypt, []keyring.Mechanism{"CKM_AES_GCM"}, "", ""},
		{keyring.AES256, keyring.Decrypt, []keyring.Mechanism{"CKM_AES_GCM"}, "", ""},
		{keyring.AES256, keyring.Encrypt | keyring.Decrypt, []keyring.Mechanism{"CKM_AES_CBC_PAD"}, "AES-CBC-PAD", "AES-ECB"},
		{keyring.AES256, keyring.Encrypt | keyring.Decrypt, []keyring.Mechanism{"CKM_AES_CTR"}, "", "AES-ECB"},
		{keyring.AES256, keyring.Encrypt | keyring.Decrypt, []keyring.Mechanism{"CKM_AES_ECB"}, "AES-ECB", "AES-CBC"},
		{keyring.AES256, keyring.Sign | keyring.Verify, []keyring.Mechanism{"CKM_AES_CMAC"}, "", ""},
		{keyring.AES256, keyring.Wrap | keyring.Unwrap, []keyring.Mechanism{"CKM_AES_KEY_WRAP_PAD"}, "", ""},
		// For the encryption there is no mechanism; only the MAC can be tested.
		{keyring.AES256, keyring.Sign | keyring.Encrypt, []keyring.Mechanism{"CKM_AES_CMAC"}, "", "AES-ECB"},
		{keyring.HMACSHA512, keyring.Sign | keyring.Verify, []keyring.Mechanism{"CKM_SHA256_HMAC"}, "", ""},
		{keyring.HMACSHA256, keyring.Sign | keyring.Verify, []keyring.Mechanism{"CKM_SHA_1_HMAC"}, "", ""}, // none that is known here
		{keyring.RSA2048, keyring.Sign | keyring.Verify, []keyring.Mechanism{"CKM_SHA512_RSA_PKCS"}, "SHA512-RSA-PKCS", "SHA256-RSA-PKCS"},
		{keyring.RSA2048, keyring.Sign | keyring.Verify, []keyring.Mechanism{"CKM_RSA_PKCS"}, "RSA-PKCS", "SHA256-RSA-PKCS"},
		{keyring.RSA2048, keyring.Sign | keyring.Verify, []keyring.Mechanism{"CKM_SHA384_RSA_PKCS_PSS"}, "", "SHA256-RSA-PKCS"},
		{keyring.RSA2048, keyring.Sign | keyring.Verify, []keyring.Mechanism{"CKM_RSA_PKCS_PSS"}, "", "SHA256-RSA-PKCS"},
		{keyring.RSA2048, keyring.Encrypt | keyring.Decrypt | keyring.Wrap | keyring.Unwrap, []keyring.Mechanism{"CKM_RSA_PKCS_OAEP"}, "", ""},
		{keyring.RSA2048, keyring.Encrypt | keyring.Decrypt | keyring.Wrap | keyring.Unwrap, []keyring.Mechanism{"CKM_RSA_PKCS"}, "", ""},
		{keyring.ECP384, keyring.Sign | keyring.Verify | keyring.Derive, []keyring.Mechanism{"CKM_ECDSA"}, "ECDSA", ""},
		{keyring.ECP384, keyring.Sign | keyring.Verify | keyring.Derive, []keyring.Mechanism{"CKM_ECDH1_DERIVE"}, "", "ECDSA"},
		{keyring.ECP384, keyring.Sign | keyring.Verify | keyring.Derive, []keyring.Mechanism{"CKM_ECDH1_DERIVE", "CKM_ECDSA"}, "ECDSA", ""},
	} {
		t.Run(fmt.Sprintf("%s/%v", test.algorithm, test.mechanisms), func(t *testing.T) {
			o := order("restricted", test.algorithm, test.operations)
			o.Mechanisms = test.mechanisms
			b.generate(t, o)
			found, err := b.hsm.Find(t.Context(), lifecycle.Locator{ID: o.Ref.ID})
			if err != nil || !slices.Equal(slices.Sorted(slices.Values(found.Mechanisms)), slices.Sorted(slices.Values(test.mechanisms))) {
				t.Errorf("found with mechanisms %v, %v", found.Mechanisms, err)
			}
			if test.allowed != "" {
				if out, err := b.useTool(t, o, test.allowed); err != nil {
					t.Errorf("%s is refused: %s", test.allowed, out)
				}
			}
			if test.denied != "" {
				if out, err := b.useTool(t, o, test.denied); err == nil || !strings.Contains(out, "CKR_MECHANISM_INVALID") {
					t.Errorf("%s is not refused: %s", test.denied, out)
				}
			}
			// Taking everything away must not trip over the restriction.
			if e := b.permit(t, o.Ref, keyring.None); e != keyring.EnforcedByHSM {
				t.Errorf("enforcement %s", e)
			}
		})
	}
}

func TestGenerateExtractable(t *testing.T) {
	b := newBench(t)
	for _, a := range []keyring.Algorithm{keyring.AES128, keyring.ECP256} {
		o := order("extractable", a, a.DefaultOperations())
		o.Extractable = true
		made := b.generate(t, o)
		if made.Birth != (keyring.Birth{Local: true, AlwaysSensitive: true, Attested: true}) {
			t.Errorf("%s: %+v", a, made.Birth)
		}
	}
}

func TestGenerateInvalid(t *testing.T) {
	b := newBench(t)
	good := order("invalid", keyring.ECP256, keyring.Sign)
	b.generate(t, good)
	for name, test := range map[string]struct {
		change func(*lifecycle.Generation)
		kind   fault.Kind
	}{
		"algorithm":       {func(o *lifecycle.Generation) { o.Algorithm = "DES" }, fault.Invalid},
		"operation":       {func(o *lifecycle.Generation) { o.Operations = keyring.Wrap }, fault.Invalid},
		"mechanism":       {func(o *lifecycle.Generation) { o.Mechanisms = []keyring.Mechanism{"CKM_NONE_SUCH"} }, fault.Invalid},
		"pair":            {func(o *lifecycle.Generation) { o.Ref.Pair = false }, fault.Invalid},
		"no id":           {func(o *lifecycle.Generation) { o.Ref.ID = "" }, fault.Invalid},
		"id in use":       {func(*lifecycle.Generation) {}, fault.Conflict},
		"not hexadecimal": {func(o *lifecycle.Generation) { o.Ref.ID = "xy" }, fault.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			o := good
			test.change(&o)
			if _, err := b.hsm.Generate(t.Context(), o); !fault.Is(err, test.kind) {
				t.Errorf("%v", err)
			}
		})
	}
	if n := len(b.objects(t, good.Ref.ID)); n != 2 {
		t.Errorf("%d objects are left of the key that was there", n)
	}
}

// TestGenerateFailure lets each step fail: nothing may be left, and if it is not
// known whether something is, the error has to say so.
func TestGenerateFailure(t *testing.T) {
	b := newBench(t)
	if _, err := b.hsm.Capabilities(t.Context()); err != nil {
		t.Fatal(err)
	}
	full, lost := broken(fault.Exhausted), broken(fault.Unavailable)
	flip := func(call string) func(string, []byte) {
		return func(now string, b []byte) {
			if now == call && len(b) > 0 {
				b[0] ^= 1
			}
		}
	}
	for name, test := range map[string]struct {
		algorithm  keyring.Algorithm
		operations keyring.Operations
		rig        func(*rig)
		kind       fault.Kind
		left       int
	}{
		"full before the secret key":   {keyring.AES256, keyring.Encrypt, func(r *rig) { r.before = r.on("GenerateKey", 3, true, full) }, fault.Exhausted, 0},
		"full after the secret key":    {keyring.AES256, keyring.Encrypt, func(r *rig) { r.after = r.on("GenerateKey", 3, true, full) }, fault.Exhausted, 0},
		"lost before the pair":         {keyring.ECP256, keyring.Sign, func(r *rig) { r.before = r.on("GenerateKeyPair", 1, true, lost) }, fault.Unavailable, 0},
		"lost after the pair":          {keyring.ECP256, keyring.Sign, func(r *rig) { r.after = r.on("GenerateKeyPair", 1, true, lost) }, fault.Unavailable, 0},
		"no session for the cargo":     {keyring.AES256, keyring.Wrap | keyring.Unwrap, func(r *rig) { r.before = r.on("GenerateKey", 4, true, full) }, fault.Exhausted, 0},
		"no session for the peer":      {keyring.ECP256, keyring.Derive, func(r *rig) { r.before = r.on("GenerateKeyPair", 2, true, full) }, fault.Exhausted, 0},
		"signing fails":                {keyring.ECP256, keyring.Sign, func(r *rig) { r.before = r.on("Sign", 1, true, lost) }, fault.Unavailable, 0},
		"wrong signature of P-256":     {keyring.ECP256, keyring.Sign, func(r *rig) { r.made = flip("Sign") }, fault.Inconsistent, 0},
		"wrong signature of Ed25519":   {keyring.Ed25519, keyring.Sign, func(r *rig) { r.made = flip("Sign") }, fault.Inconsistent, 0},
		"wrong signature of RSA":       {keyring.RSA2048, keyring.Sign, func(r *rig) { r.made = flip("Sign") }, fault.Inconsistent, 0},
		"wrong signature of Ed448":     {keyring.Ed448, keyring.Sign, func(r *rig) { r.made = flip("Sign") }, fault.Inconsistent, 0},
		"wrong signature of secp256k1": {keyring.ECSecp256k1, keyring.Sign, func(r *rig) { r.made = flip("Sign") }, fault.Inconsistent, 0},
		"wrong MAC":                    {keyring.HMACSHA256, keyring.Sign | keyring.Verify, func(r *rig) { r.made = flip("Sign") }, fault.Inconsistent, 0},
		"wrong plaintext":              {keyring.AES256, keyring.Encrypt | keyring.Decrypt, func(r *rig) { r.made = flip("Decrypt") }, fault.Inconsistent, 0},
		"not local":                    {keyring.AES256, keyring.Encrypt, misreport(cryptoki.CKA_LOCAL, false), fault.Inconsistent, 0},
		"not always sensitive":         {keyring.ECP256, keyring.Sign, misreport(cryptoki.CKA_ALWAYS_SENSITIVE, false), fault.Inconsistent, 0},
		"once extractable":             {keyring.ECP256, keyring.Sign, misreport(cryptoki.CKA_NEVER_EXTRACTABLE, false), fault.Inconsistent, 0},
		"extractable":                  {keyring.ECP256, keyring.Sign, misreport(cryptoki.CKA_EXTRACTABLE, true), fault.Inconsistent, 0},
		"not sensitive":                {keyring.AES256, keyring.Encrypt, misreport(cryptoki.CKA_SENSITIVE, false), fault.Inconsistent, 0},
		"public":                       {keyring.AES256, keyring.Encrypt, misreport(cryptoki.CKA_PRIVATE, false), fault.Inconsistent, 0},
		"another operation":            {keyring.AES256, keyring.Encrypt, misreport(cryptoki.CKA_DECRYPT, true), fault.Inconsistent, 0},
		"an operation less":            {keyring.ECP256, keyring.Sign | keyring.Verify, misreport(cryptoki.CKA_VERIFY, false), fault.Inconsistent, 0},
		"another mechanism":            {keyring.AES256, keyring.Encrypt, misreportUlong(cryptoki.CKA_KEY_GEN_MECHANISM, 7), fault.Inconsistent, 0},
		"clearing up fails":            {keyring.ECP256, keyring.Sign, func(r *rig) { r.made = flip("Sign"); r.before = r.on("DestroyObject", 1, true, full) }, fault.Unavailable, 2},
		"clearing up cannot look":      {keyring.ECP256, keyring.Sign, func(r *rig) { r.made = flip("Sign"); r.before = r.on("Search", 1, true, full) }, fault.Unavailable, 2},
	} {
		t.Run(name, func(t *testing.T) {
			r := &rig{Device: b.device}
			token := hsm.NewOn(r)
			// Let the probe pass: a lying token must be known as a truthful one first.
			if _, err := token.Find(t.Context(), lifecycle.Locator{ID: "00"}); !fault.Is(err, fault.NotFound) {
				t.Fatal(err)
			}
			base := r.calls["GenerateKey"]
			if base != 2 {
				t.Fatalf("the probe made %d keys; the table counts on 2", base)
			}
			clear(r.calls)
			r.calls["GenerateKey"] = base
			test.rig(r)
			o := order("failing", test.algorithm, test.operations)
			_, err := token.Generate(t.Context(), o)
			if !fault.Is(err, test.kind) {
				t.Errorf("kind %s, not %s: %v", fault.KindOf(err), test.kind, err)
			}
			if left := b.objects(t, o.Ref.ID); len(left) != test.left {
				t.Errorf("%d objects are left", len(left))
			}
		})
	}
}

func misreport(attribute uint, value bool) func(*rig) {
	return func(r *rig) {
		r.edit = func(o *cryptoki.Object) {
			if o.Has(attribute) {
				o.Attrs[attribute] = cryptoki.Bool(attribute, value).Value
			}
		}
	}
}

func misreportUlong(attribute, value uint) func(*rig) {
	return func(r *rig) {
		r.edit = func(o *cryptoki.Object) { o.Attrs[attribute] = cryptoki.Ulong(attribute, value).Value }
	}
}

// TestGenerateUnattested: a token that is known to be careless in birth certificates
// is not held to them.
func TestGenerateUnattested(t *testing.T) {
	b := newBench(t)
	r := &rig{Device: b.device}
	misreport(cryptoki.CKA_LOCAL, true)(r) // also for a key that was brought along
	token := hsm.NewOn(r)
	made, err := token.Generate(t.Context(), order("unattested", keyring.AES256, keyring.Encrypt))
	if err != nil || made.Birth.Attested {
		t.Errorf("%+v, %v", made.Birth, err)
	}
	misreport(cryptoki.CKA_NEVER_EXTRACTABLE, false)(r)
	// What was found out once stays.
	made, err = token.Generate(t.Context(), order("unattested", keyring.AES256, keyring.Encrypt))
	if err != nil || made.Birth != (keyring.Birth{Local: true, AlwaysSensitive: true}) {
		t.Errorf("%+v, %v", made.Birth, err)
	}
}

// TestGenerateLean: a token that does not know every attribute of a template gets
// one without what means nothing for the algorithm.
func TestGenerateLean(t *testing.T) {
	b := newBench(t)
	r := &rig{Device: b.device}
	refused := 0
	r.attributes = func(list []cryptoki.Attribute) []cryptoki.Attribute {
		for _, a := range list {
			if a.Type == cryptoki.CKA_VERIFY_RECOVER || a.Type == cryptoki.CKA_SIGN_RECOVER {
				refused++
				return append(slices.Clone(list), cryptoki.Bool(0x7FFFFFF1, true)) // SoftHSM: CKR_ATTRIBUTE_TYPE_INVALID
			}
		}
		return list
	}
	token := hsm.NewOn(r)
	for range 2 {
		o := order("lean", keyring.ECP256, keyring.Sign|keyring.Verify)
		if _, err := token.Generate(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		if seen := b.inspect(t, o.Ref, keyring.None); seen.Permitted != o.Operations {
			t.Errorf("the key shows as %+v", seen)
		}
	}
	if refused != 2 { // both halves, once
		t.Errorf("the full template was tried %d times", refused)
	}
}

func TestGenerateCancelled(t *testing.T) {
	b := newBench(t)
	r := &rig{Device: b.device}
	token := hsm.NewOn(r)
	ctx, cancel := context.WithCancel(t.Context())
	r.after = func(call string) error {
		if call == "GenerateKeyPair" {
			cancel()
		}
		return nil
	}
	o := order("cancelled", keyring.ECP256, keyring.Sign)
	if _, err := token.Generate(ctx, o); err == nil {
		t.Error("a cancelled order succeeded")
	}
	if left := b.objects(t, o.Ref.ID); len(left) != 0 {
		t.Errorf("%d objects are left", len(left))
	}
}
