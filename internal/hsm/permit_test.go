package hsm_test

import (
	"context"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/hsm"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// double copies the objects of a class under an id as a killed run would have left
// them, with other flags.
func (b *bench) double(t *testing.T, id string, class uint, attrs ...cryptoki.Attribute) {
	t.Helper()
	for _, o := range b.objects(t, id) {
		if o.Class == class {
			if _, err := b.device.CopyObject(context.Background(), o.Handle, attrs); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestPermitDoubles starts from what a kill between copy and destroy leaves, with
// the order that was interrupted and with another one.
func TestPermitDoubles(t *testing.T) {
	b := newBench(t)
	signOff, encryptOff := cryptoki.Bool(cryptoki.CKA_SIGN, false), cryptoki.Bool(cryptoki.CKA_ENCRYPT, false)
	verifyOff := cryptoki.Bool(cryptoki.CKA_VERIFY, false)
	for name, test := range map[string]struct {
		algorithm keyring.Algorithm
		ops       keyring.Operations
		class     uint
		copy      []cryptoki.Attribute
		allowed   keyring.Operations
	}{
		"private, same order again":  {keyring.ECP256, keyring.Sign | keyring.Verify, cryptoki.CKO_PRIVATE_KEY, []cryptoki.Attribute{signOff}, keyring.Verify},
		"private, order taken back":  {keyring.ECP256, keyring.Sign | keyring.Verify, cryptoki.CKO_PRIVATE_KEY, []cryptoki.Attribute{signOff}, keyring.Sign | keyring.Verify},
		"private, third order":       {keyring.ECP256, keyring.Sign | keyring.Verify | keyring.Derive, cryptoki.CKO_PRIVATE_KEY, []cryptoki.Attribute{signOff}, keyring.Sign},
		"public, same order again":   {keyring.RSA2048, keyring.Sign | keyring.Verify, cryptoki.CKO_PUBLIC_KEY, []cryptoki.Attribute{verifyOff}, keyring.None},
		"secret, same order again":   {keyring.AES256, keyring.Encrypt | keyring.Decrypt, cryptoki.CKO_SECRET_KEY, []cryptoki.Attribute{encryptOff}, keyring.Decrypt},
		"secret, everything off":     {keyring.AES256, keyring.Encrypt, cryptoki.CKO_SECRET_KEY, []cryptoki.Attribute{encryptOff}, keyring.None},
		"secret, two of one kind":    {keyring.HMACSHA256, keyring.Sign | keyring.Verify, cryptoki.CKO_SECRET_KEY, []cryptoki.Attribute{cryptoki.Bool(cryptoki.CKA_DERIVE, false)}, keyring.Verify},
		"secret, two as they should": {keyring.HMACSHA256, keyring.Sign | keyring.Verify, cryptoki.CKO_SECRET_KEY, []cryptoki.Attribute{cryptoki.Bool(cryptoki.CKA_DERIVE, false)}, keyring.Sign | keyring.Verify},
	} {
		t.Run(name, func(t *testing.T) {
			o := order("doubles", test.algorithm, test.ops)
			made := b.generate(t, o)
			b.double(t, o.Ref.ID, test.class, test.copy...)
			seen := b.inspect(t, o.Ref, keyring.None)
			if seen.Secrets+seen.Publics != len(b.objects(t, o.Ref.ID)) || seen.Permitted != test.ops {
				t.Errorf("the doubles show as %+v", seen)
			}
			if string(seen.PublicKey) != string(made.PublicKey) {
				t.Error("the public key of doubles is not theirs")
			}
			for range 2 {
				if e := b.permit(t, o.Ref, test.allowed); e != keyring.EnforcedByHSM {
					t.Errorf("enforcement %s", e)
				}
				seen = b.inspect(t, o.Ref, keyring.All)
				if seen.Secrets != 1 || seen.Publics > 1 || seen.Permitted != test.allowed || seen.Performed != 0 {
					t.Errorf("the key shows as %+v", seen)
				}
			}
			if e := b.permit(t, o.Ref, test.ops); e != keyring.EnforcedByHSM {
				t.Errorf("enforcement %s", e)
			}
			// Whichever object was kept, it is the key that was made.
			found, err := b.hsm.Find(t.Context(), locate(o.Ref))
			if err != nil || found.Fingerprint != made.Fingerprint || found.Birth != made.Birth {
				t.Errorf("afterwards the key is %+v, %v", found, err)
			}
		})
	}
}

// TestPermitStrangers: two keys that only share an id are not doubles.
func TestPermitStrangers(t *testing.T) {
	b := newBench(t)
	for name, test := range map[string]struct {
		algorithm keyring.Algorithm
		tool      []string
	}{
		"another AES key":             {keyring.AES256, []string{"--keygen", "--key-type", "AES:32"}},
		"another size":                {keyring.AES256, []string{"--keygen", "--key-type", "AES:16"}},
		"another EC key":              {keyring.ECP256, []string{"--keypairgen", "--key-type", "EC:secp384r1"}},
		"another RSA key":             {keyring.RSA2048, []string{"--keypairgen", "--key-type", "RSA:2048"}},
		"another EC key of the curve": {keyring.ECP256, []string{"--keypairgen", "--key-type", "EC:prime256v1"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := order("strangers", test.algorithm, test.algorithm.DefaultOperations())
			b.generate(t, o)
			b.Tool(t, append(test.tool, "--id", o.Ref.ID, "--label", o.Ref.Label)...)
			before := len(b.objects(t, o.Ref.ID))
			if _, err := b.hsm.Permit(t.Context(), o.Ref, keyring.None); !fault.Is(err, fault.Inconsistent) {
				t.Errorf("%v", err)
			}
			if after := len(b.objects(t, o.Ref.ID)); after != before {
				t.Errorf("of %d objects %d are left", before, after)
			}
			if seen := b.inspect(t, o.Ref, keyring.None); seen.Secrets != 2 {
				t.Errorf("they show as %+v", seen)
			}
		})
	}
}

// TestPermitFailure lets each step of a change fail. The key must survive it, and
// calling again must bring the change to its end.
func TestPermitFailure(t *testing.T) {
	b := newBench(t)
	lost, full := broken(fault.Unavailable), broken(fault.Exhausted)
	inPlace := &cryptoki.Profile{}
	for name, test := range map[string]struct {
		rig  func(*rig)
		kind fault.Kind
	}{
		"search":                       {func(r *rig) { r.before = r.on("Search", 1, true, lost) }, fault.Unavailable},
		"before the copy":              {func(r *rig) { r.before = r.on("CopyObject", 1, true, full) }, fault.Exhausted},
		"after the copy":               {func(r *rig) { r.after = r.on("CopyObject", 1, true, lost) }, fault.Unavailable},
		"copy is another key":          {func(r *rig) { r.edit = spoil(r, cryptoki.CKA_LABEL) }, fault.Inconsistent},
		"before destroying":            {func(r *rig) { r.before = r.on("DestroyObject", 1, true, full) }, fault.Unavailable},
		"after destroying":             {func(r *rig) { r.after = r.on("DestroyObject", 1, true, full) }, fault.Unavailable},
		"before the public copy":       {func(r *rig) { r.before = r.on("CopyObject", 2, true, full) }, fault.Unavailable},
		"after the public copy":        {func(r *rig) { r.after = r.on("CopyObject", 2, true, full) }, fault.Unavailable},
		"before destroying the second": {func(r *rig) { r.before = r.on("DestroyObject", 2, true, full) }, fault.Unavailable},
		"trying":                       {func(r *rig) { r.before = r.on("Sign", 1, true, full) }, fault.Unavailable},
		"in place, before":             {func(r *rig) { r.profile = inPlace; r.before = r.on("SetAttributes", 1, true, lost) }, fault.Unavailable},
		"in place, after":              {func(r *rig) { r.profile = inPlace; r.after = r.on("SetAttributes", 1, true, lost) }, fault.Unavailable},
		"in place, second half":        {func(r *rig) { r.profile = inPlace; r.before = r.on("SetAttributes", 2, true, lost) }, fault.Unavailable},
		"in place, reading again":      {func(r *rig) { r.profile = inPlace; r.before = r.on("Search", 2, true, full) }, fault.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			o := order("failing", keyring.ECP256, keyring.Sign|keyring.Verify)
			made := b.generate(t, o)
			r := &rig{Device: b.device, calls: map[string]int{}}
			token := hsm.NewOn(r)
			test.rig(r)
			if _, err := token.Permit(t.Context(), o.Ref, keyring.None); !fault.Is(err, test.kind) {
				t.Errorf("kind %s, not %s: %v", fault.KindOf(err), test.kind, err)
			}
			if e := b.permit(t, o.Ref, keyring.None); e != keyring.EnforcedByHSM {
				t.Errorf("enforcement %s", e)
			}
			seen := b.inspect(t, o.Ref, keyring.All)
			if seen.Secrets != 1 || seen.Publics != 1 || seen.Permitted != keyring.None || seen.Performed != keyring.None {
				t.Errorf("the key shows as %+v", seen)
			}
			b.permit(t, o.Ref, o.Operations)
			if found, err := b.hsm.Find(t.Context(), locate(o.Ref)); err != nil || found.Fingerprint != made.Fingerprint {
				t.Errorf("afterwards the key is %+v, %v", found, err)
			}
		})
	}
}

// spoil changes an attribute of the first copy that is made.
func spoil(r *rig, typ uint) func(*cryptoki.Object) {
	return func(o *cryptoki.Object) {
		if r.calls["CopyObject"] == 1 && r.calls["DestroyObject"] == 0 {
			o.Attrs[typ] = []byte("spoilt")
		}
	}
}

// TestPermitUnchangeable: a token that does not switch off is advisory, one that
// does not switch on again cannot serve.
func TestPermitUnchangeable(t *testing.T) {
	b := newBench(t)
	readOnly := broken(fault.Unsupported)
	for name, test := range map[string]struct {
		rig func(*rig)
	}{
		"refuses copies":    {func(r *rig) { r.before = r.on("CopyObject", 1, true, readOnly) }},
		"refuses changes":   {func(r *rig) { r.profile = &cryptoki.Profile{}; r.before = r.on("SetAttributes", 1, true, readOnly) }},
		"does as if it did": {func(r *rig) { r.profile = &cryptoki.Profile{}; r.Device = deaf{r.Device} }},
	} {
		t.Run(name, func(t *testing.T) {
			r := &rig{Device: b.device}
			test.rig(r)
			token := hsm.NewOn(r)
			o := order("stubborn", keyring.AES256, keyring.Encrypt)
			b.generate(t, o)
			if e, err := token.Permit(t.Context(), o.Ref, keyring.None); err != nil || e != keyring.EnforcedAdvisory {
				t.Errorf("%q, %v", e, err)
			}
			if _, err := token.Permit(t.Context(), o.Ref, keyring.Encrypt|keyring.Decrypt); !fault.Is(err, fault.Unsupported) {
				t.Errorf("%v", err)
			}
		})
	}
}

// deaf accepts changes and makes none.
type deaf struct{ hsm.Device }

func (deaf) SetAttributes(context.Context, cryptoki.Handle, []cryptoki.Attribute) error { return nil }

// TestPermitNoWrite: a key that is as it should be is not written.
func TestPermitNoWrite(t *testing.T) {
	b := newBench(t)
	for _, a := range []keyring.Algorithm{keyring.AES256, keyring.ECP256} {
		o := order("settled", a, a.Operations())
		b.generate(t, o)
		r := &rig{Device: b.device}
		e, err := hsm.NewOn(r).Permit(t.Context(), o.Ref, keyring.All)
		// Nothing was taken away that could be tried; the probe's word stands.
		if err != nil || e != keyring.EnforcedByHSM {
			t.Errorf("%q, %v", e, err)
		}
		for _, call := range []string{"CopyObject"} {
			if r.calls[call] != 0 {
				t.Errorf("%s was called", call)
			}
		}
		if n := len(b.objects(t, o.Ref.ID)); n > 2 {
			t.Errorf("%d objects", n)
		}
	}
}
