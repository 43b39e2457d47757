package hsm_test

import (
	"context"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/hsm"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

func locate(ref keyring.Ref) lifecycle.Locator { return lifecycle.Locator{ID: ref.ID} }

// TestHalves: pairs of which a kill, or somebody, has left one half.
func TestHalves(t *testing.T) {
	b := newBench(t)
	for name, test := range map[string]struct {
		remove           string // pkcs11-tool --type
		secrets, publics int
		permit           fault.Kind
	}{
		"private only": {"pubkey", 1, 0, 0},
		"public only":  {"privkey", 0, 1, fault.NotFound},
	} {
		t.Run(name, func(t *testing.T) {
			o := order("half", keyring.ECP256, keyring.Sign|keyring.Verify)
			b.generate(t, o)
			b.Tool(t, "--delete-object", "--type", test.remove, "--id", o.Ref.ID)
			fresh, _ := open(t, b.Token) // as a later run, whose scan shows the half
			seen, err := fresh.Inspect(t.Context(), o.Ref, keyring.All)
			if err != nil || seen.Secrets != test.secrets || seen.Publics != test.publics {
				t.Errorf("shows as %+v, %v", seen, err)
			}
			_, err = fresh.Permit(t.Context(), o.Ref, keyring.None)
			if test.permit == 0 && err != nil || test.permit != 0 && !fault.Is(err, test.permit) {
				t.Errorf("permit: %v", err)
			}
			if test.permit == 0 {
				if out, err := b.useTool(t, o, "ECDSA"); err == nil {
					t.Errorf("half a pair signs although it must not: %s", out)
				}
			}
			if err := fresh.Destroy(t.Context(), o.Ref, true); err != nil {
				t.Fatal(err)
			}
			if n := len(b.objects(t, o.Ref.ID)); n != 0 {
				t.Errorf("%d objects are left", n)
			}
		})
	}
}

// TestInspectStale: the scan in memory is older than what another process did.
func TestInspectStale(t *testing.T) {
	b := newBench(t)
	o := order("stale", keyring.AES256, keyring.Encrypt|keyring.Decrypt)
	b.generate(t, o)
	early, _ := open(t, b.Token)
	if _, err := early.Inspect(t.Context(), o.Ref, keyring.None); err != nil {
		t.Fatal(err)
	}
	b.permit(t, o.Ref, keyring.Decrypt) // replaces the object: the early handle is void
	seen, err := early.Inspect(t.Context(), o.Ref, keyring.Wrap)
	if err != nil || seen.Secrets != 1 || seen.Permitted != keyring.Decrypt || seen.Refused != keyring.Wrap {
		t.Errorf("shows as %+v, %v", seen, err)
	}
	late, _ := open(t, b.Token)
	if err := late.Destroy(t.Context(), o.Ref, true); err != nil {
		t.Fatal(err)
	}
	seen, err = early.Inspect(t.Context(), o.Ref, keyring.Wrap)
	if err != nil || seen.Secrets != 0 || seen.Permitted != 0 {
		t.Errorf("shows as %+v, %v", seen, err)
	}
}

// TestInspectDrift: an independent client turns a flag back on.
func TestInspectDrift(t *testing.T) {
	b := newBench(t)
	o := order("drift", keyring.AES256, keyring.Encrypt|keyring.Decrypt)
	b.generate(t, o)
	b.permit(t, o.Ref, keyring.None)
	objects := b.objects(t, o.Ref.ID)
	if err := b.device.SetAttributes(context.Background(), objects[0].Handle, []cryptoki.Attribute{cryptoki.Bool(cryptoki.CKA_ENCRYPT, true)}); err != nil {
		t.Fatal(err)
	}
	if seen := b.inspect(t, o.Ref, keyring.All); seen.Permitted != keyring.Encrypt {
		t.Errorf("shows as %+v", seen)
	}
	b.permit(t, o.Ref, keyring.None)
	if seen := b.inspect(t, o.Ref, keyring.All); seen.Permitted != keyring.None || seen.Performed != keyring.None {
		t.Errorf("shows as %+v", seen)
	}
}

// TestInspectLiar: a token whose flags read false while the operation goes on.
func TestInspectLiar(t *testing.T) {
	b := newBench(t)
	for _, a := range []keyring.Algorithm{keyring.AES256, keyring.HMACSHA256, keyring.RSA2048, keyring.ECP256, keyring.Ed25519} {
		o := order("liar", a, a.Operations())
		b.generate(t, o)
		r := &rig{Device: b.device}
		r.edit = func(obj *cryptoki.Object) {
			for _, typ := range []uint{
				cryptoki.CKA_SIGN, cryptoki.CKA_VERIFY, cryptoki.CKA_ENCRYPT, cryptoki.CKA_DECRYPT, cryptoki.CKA_WRAP, cryptoki.CKA_UNWRAP, cryptoki.CKA_DERIVE,
			} {
				if obj.Has(typ) {
					obj.Attrs[typ] = []byte{0}
				}
			}
		}
		token := hsm.NewOn(r)
		seen, err := token.Inspect(t.Context(), o.Ref, keyring.All)
		// SoftHSM's answer to a made-up wrapped key is no answer.
		performed := a.Operations()
		if a == keyring.AES256 {
			performed &^= keyring.Unwrap
		}
		if err != nil || seen.Permitted != keyring.None || seen.Performed != performed || seen.Refused != keyring.None {
			t.Errorf("%s shows as %+v, %v", a, seen, err)
		}
		if e, err := token.Permit(t.Context(), o.Ref, keyring.None); err != nil || e != keyring.EnforcedAdvisory {
			t.Errorf("%s: %q, %v", a, e, err)
		}
	}
}

// TestInspectPublicKey: the forms that CKA_EC_POINT has on tokens, and some that
// it must not have.
func TestInspectPublicKey(t *testing.T) {
	b := newBench(t)
	for _, a := range []keyring.Algorithm{keyring.ECP256, keyring.ECP521, keyring.Ed25519} {
		o := order("point", a, keyring.Sign)
		made := b.generate(t, o)
		header := 2
		if a == keyring.ECP521 {
			header = 3 // 04 81 85
		}
		for name, test := range map[string]struct {
			edit func(der []byte) []byte
			kind fault.Kind
		}{
			"in an OCTET STRING":      {func(der []byte) []byte { return der }, 0},
			"bare":                    {func(der []byte) []byte { return der[header:] }, 0},
			"cut off":                 {func(der []byte) []byte { return der[:len(der)-1] }, fault.Inconsistent},
			"with something after it": {func(der []byte) []byte { return append(der, 0) }, fault.Inconsistent},
			"in another string":       {func(der []byte) []byte { der[0] = 0x03; return der }, fault.Inconsistent},
			"missing":                 {func([]byte) []byte { return nil }, fault.Inconsistent},
		} {
			r := &rig{Device: b.device}
			r.edit = func(obj *cryptoki.Object) {
				if obj.Class == cryptoki.CKO_PUBLIC_KEY {
					obj.Attrs[cryptoki.CKA_EC_POINT] = test.edit(append([]byte(nil), obj.Bytes(cryptoki.CKA_EC_POINT)...))
				}
			}
			seen, err := hsm.NewOn(r).Inspect(t.Context(), o.Ref, keyring.None)
			if test.kind != 0 && !fault.Is(err, test.kind) || test.kind == 0 && (err != nil || seen.Fingerprint != made.Fingerprint) {
				t.Errorf("%s %s: %+v, %v", a, name, seen, err)
			}
		}
	}
}

// TestAbsence: what a search does not show is missing on positive evidence only.
func TestAbsence(t *testing.T) {
	b := newBench(t)
	lost := broken(fault.Unavailable)
	ref := order("absent", keyring.ECP256, keyring.Sign).Ref
	there := order("there", keyring.ECP256, keyring.Sign)
	b.generate(t, there)
	hidden := func() *rig { // the object is hidden from the first search
		r := &rig{}
		r.Device = &blind{Device: b.device, searches: 1}
		return r
	}
	t.Run("no evidence", func(t *testing.T) {
		r := &rig{Device: b.device}
		r.before = func(call string) error {
			if call == "ConfirmAbsent" {
				return lost
			}
			return nil
		}
		token := hsm.NewOn(r)
		if _, err := token.Inspect(t.Context(), ref, keyring.None); !fault.Is(err, fault.Unavailable) {
			t.Errorf("inspect: %v", err)
		}
		if _, err := token.Permit(t.Context(), ref, keyring.None); !fault.Is(err, fault.Unavailable) {
			t.Errorf("permit: %v", err)
		}
		if err := token.Destroy(t.Context(), ref, true); !fault.Is(err, fault.Unavailable) {
			t.Errorf("destroy: %v", err)
		}
		if _, err := token.Find(t.Context(), locate(ref)); !fault.Is(err, fault.Unavailable) {
			t.Errorf("find: %v", err)
		}
	})
	t.Run("hidden for a moment", func(t *testing.T) {
		if seen, err := hsm.NewOn(hidden()).Inspect(t.Context(), there.Ref, keyring.None); err != nil || seen.Secrets != 1 || seen.Publics != 1 {
			t.Errorf("inspect: %+v, %v", seen, err)
		}
		if _, err := hsm.NewOn(hidden()).Find(t.Context(), locate(there.Ref)); err != nil {
			t.Errorf("find: %v", err)
		}
		if _, err := hsm.NewOn(hidden()).Permit(t.Context(), there.Ref, keyring.None); err != nil {
			t.Errorf("permit: %v", err)
		}
		if err := hsm.NewOn(hidden()).Destroy(t.Context(), there.Ref, true); err != nil {
			t.Errorf("destroy: %v", err)
		}
		if n := len(b.objects(t, there.Ref.ID)); n != 0 {
			t.Errorf("%d objects are left", n)
		}
	})
}

// blind does not see anything in its first searches.
type blind struct {
	hsm.Device
	searches int
}

func (b *blind) Lookup(context.Context, uint, []byte) ([]cryptoki.Object, error) { return nil, nil }

func (b *blind) Search(ctx context.Context, template []cryptoki.Attribute) ([]cryptoki.Object, error) {
	if b.searches > 0 {
		b.searches--
		return nil, nil
	}
	return b.Device.Search(ctx, template)
}
