package hsm_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/hsm"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// prove asks in a run of its own, which remembers nothing.
func (b *bench) prove(t *testing.T, ref keyring.Ref, recorded lifecycle.Generated) lifecycle.Proof {
	t.Helper()
	fresh, _ := open(t, b.Token)
	proof, err := fresh.Prove(t.Context(), ref, recorded.PublicKey, recorded.Fingerprint)
	if err != nil {
		t.Fatal(err)
	}
	return proof
}

// swap puts an independent key of the same kind under a key's id and label, with the
// same attributes. Of a pair the recorded public object stays.
func (b *bench) swap(t *testing.T, o lifecycle.Generation) {
	t.Helper()
	impostor := o
	impostor.Ref = keyring.NewRef("impostor", 1, o.Algorithm)
	b.generate(t, impostor)
	for _, old := range b.objects(t, o.Ref.ID) {
		if old.Class != cryptoki.CKO_PUBLIC_KEY {
			if err := b.device.DestroyObject(context.Background(), old.Handle); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, fresh := range b.objects(t, impostor.Ref.ID) {
		if fresh.Class == cryptoki.CKO_PUBLIC_KEY {
			continue
		}
		set := []cryptoki.Attribute{cryptoki.Bytes(cryptoki.CKA_ID, decode(t, o.Ref.ID)), cryptoki.Bytes(cryptoki.CKA_LABEL, []byte(o.Ref.Label))}
		if err := b.device.SetAttributes(context.Background(), fresh.Handle, set); err != nil {
			t.Fatal(err)
		}
	}
}

// TestProve: a key is told from one that somebody put in its place, by whatever it
// may do; a key that may do nothing of use is not.
func TestProve(t *testing.T) {
	b := newBench(t)
	type row struct {
		algorithm  keyring.Algorithm
		operations keyring.Operations
		mechanisms []keyring.Mechanism
		allowed    keyring.Operations // what is left when it is asked
		genuine    lifecycle.Proof
		swapped    lifecycle.Proof
	}
	var rows []row
	for _, a := range keyring.Algorithms() {
		ops := a.DefaultOperations()
		rows = append(rows, row{a, ops, nil, ops, lifecycle.Proven, lifecycle.Disproven})
	}
	const cipher = keyring.Encrypt | keyring.Decrypt
	const signature = keyring.Sign | keyring.Verify
	rows = append(rows, []row{
		{keyring.RSA2048, cipher, nil, keyring.Decrypt, lifecycle.Proven, lifecycle.Disproven},
		{keyring.RSA2048, signature, nil, keyring.None, lifecycle.Untried, lifecycle.Disproven}, // its modulus shows
		{keyring.ECP256, keyring.Derive, nil, keyring.Derive, lifecycle.Proven, lifecycle.Disproven},
		{keyring.ECSecp256k1, keyring.Derive, nil, keyring.Derive, lifecycle.Proven, lifecycle.Disproven},
		{keyring.ECP256, signature, nil, keyring.Verify, lifecycle.Untried, lifecycle.Untried},
		{keyring.Ed25519, signature, nil, keyring.None, lifecycle.Untried, lifecycle.Untried},
		{keyring.ECP256, signature, []keyring.Mechanism{"CKM_ECDSA"}, signature, lifecycle.Proven, lifecycle.Disproven},
		{keyring.AES256, cipher, nil, keyring.Decrypt, lifecycle.Proven, lifecycle.Disproven},
		{keyring.AES256, signature, nil, signature, lifecycle.Proven, lifecycle.Disproven},
		{keyring.AES256, cipher | signature, nil, signature, lifecycle.Proven, lifecycle.Disproven}, // recorded by another way
		{keyring.AES256, cipher, []keyring.Mechanism{"CKM_AES_CBC"}, keyring.Decrypt, lifecycle.Untried, lifecycle.Untried},
		{keyring.AES256, cipher, []keyring.Mechanism{"CKM_AES_GCM"}, cipher, lifecycle.Proven, lifecycle.Disproven}, // kcv:
		{keyring.AES256, keyring.Wrap | keyring.Unwrap, nil, keyring.None, lifecycle.Proven, lifecycle.Disproven},   // kcv:
		{keyring.AES256, cipher, nil, keyring.None, lifecycle.Untried, lifecycle.Untried},
		{keyring.HMACSHA256, signature, nil, keyring.Verify, lifecycle.Untried, lifecycle.Untried},
	}...)
	for _, r := range rows {
		t.Run(fmt.Sprintf("%s that may %s, made to %s", r.algorithm, r.allowed, r.operations), func(t *testing.T) {
			o := order("proven", r.algorithm, r.operations)
			o.Mechanisms = r.mechanisms
			made := b.generate(t, o)
			b.permit(t, o.Ref, r.allowed)
			if got := b.prove(t, o.Ref, made); got != r.genuine {
				t.Errorf("the key itself: %d, want %d", got, r.genuine)
			}
			before := len(b.objects(t, o.Ref.ID))
			b.swap(t, o)
			b.permit(t, o.Ref, r.allowed)
			if got := b.prove(t, o.Ref, made); got != r.swapped {
				t.Errorf("an impostor: %d, want %d", got, r.swapped)
			}
			if after := len(b.objects(t, o.Ref.ID)); after != before {
				t.Errorf("%d objects, before the proof %d", after, before)
			}
		})
	}
}

// TestProveAfterOtherOperations: the operations of a key change, its recorded check
// value does not.
func TestProveAfterOtherOperations(t *testing.T) {
	b := newBench(t)
	o := order("changed", keyring.AES256, keyring.Sign)
	made := b.generate(t, o)
	b.permit(t, o.Ref, keyring.Encrypt)
	if got := b.prove(t, o.Ref, made); got != lifecycle.Proven {
		t.Errorf("recorded by CMAC, may encrypt: %d", got)
	}
	o.Operations = keyring.Encrypt
	b.swap(t, o)
	if got := b.prove(t, o.Ref, made); got != lifecycle.Disproven {
		t.Errorf("an impostor: %d", got)
	}
	r := &rig{Device: b.device}
	r.before = r.on("CopyObject", 1, true, broken(fault.Unsupported))
	if got, err := hsm.NewOn(r).Prove(t.Context(), o.Ref, nil, made.Fingerprint); got != lifecycle.Disproven || err != nil {
		t.Errorf("an impostor that cannot be copied: %d, %v", got, err)
	}
	if left := b.objects(t, o.Ref.ID); len(left) != 1 {
		t.Errorf("%d objects are left", len(left))
	}
}

// TestProveOnce: a run uses a key once, and another handle is another key.
func TestProveOnce(t *testing.T) {
	b := newBench(t)
	o := order("once", keyring.ECP256, keyring.Sign|keyring.Verify)
	r := &rig{Device: b.device}
	token := hsm.NewOn(r)
	made, err := token.Generate(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(token *hsm.Token, want lifecycle.Proof, uses int) {
		t.Helper()
		before := r.calls["Sign"]
		got, err := token.Prove(t.Context(), o.Ref, made.PublicKey, made.Fingerprint)
		if err != nil || got != want || r.calls["Sign"]-before != uses {
			t.Errorf("%d, %v after %d uses; want %d after %d", got, err, r.calls["Sign"]-before, want, uses)
		}
	}
	ask(token, lifecycle.Proven, 0) // it was made here
	later := hsm.NewOn(r)
	ask(later, lifecycle.Proven, 1)
	ask(later, lifecycle.Proven, 0)
	b.swap(t, o)
	ask(later, lifecycle.Disproven, 1)
	ask(later, lifecycle.Disproven, 1) // only a proof is remembered
}

// TestProveTrouble: what the token does not answer is neither proof nor disproof.
func TestProveTrouble(t *testing.T) {
	b := newBench(t)
	o := order("trouble", keyring.ECP256, keyring.Sign|keyring.Verify)
	made := b.generate(t, o)
	for kind, want := range map[fault.Kind]bool{fault.Unavailable: true, fault.Exhausted: true, fault.Denied: true, fault.Unsupported: false} {
		r := &rig{Device: b.device}
		r.before = r.on("Sign", 1, true, broken(kind))
		proof, err := hsm.NewOn(r).Prove(t.Context(), o.Ref, made.PublicKey, made.Fingerprint)
		if proof != lifecycle.Untried || fault.Is(err, kind) != want {
			t.Errorf("%s: %d, %v", kind, proof, err)
		}
	}
	r := &rig{Device: b.device}
	r.edit = func(o *cryptoki.Object) { o.Attrs[cryptoki.CKA_ALWAYS_AUTHENTICATE] = []byte{1} }
	proof, err := hsm.NewOn(r).Prove(t.Context(), o.Ref, made.PublicKey, made.Fingerprint)
	if proof != lifecycle.Untried || err != nil || r.calls["Sign"] != 0 {
		t.Errorf("a key that asks for the PIN at each use: %d, %v", proof, err)
	}
	// A token that takes no public keys verifies with the one that is there.
	o = order("no import", keyring.ECSecp256k1, keyring.Sign|keyring.Verify)
	made = b.generate(t, o)
	for _, want := range []lifecycle.Proof{lifecycle.Proven, lifecycle.Disproven} {
		r = &rig{Device: b.device}
		r.before = r.on("CreateObject", 1, true, broken(fault.Unsupported))
		if proof, err := hsm.NewOn(r).Prove(t.Context(), o.Ref, made.PublicKey, made.Fingerprint); proof != want || err != nil {
			t.Errorf("without imported public keys: %d, %v, want %d", proof, err, want)
		}
		b.swap(t, o)
	}
}

// BenchmarkRefresh reads 500 P-256 keys as a refresh does, with login and scan.
func BenchmarkRefresh(b *testing.B) {
	token := softhsm.New(b, "hsm")
	const keys = 500
	maker, _ := open(b, token)
	refs, made := make([]keyring.Ref, keys), make([]lifecycle.Generated, keys)
	for i := range keys {
		o := order(fmt.Sprint("key", i), keyring.ECP256, keyring.Sign|keyring.Verify)
		var err error
		if made[i], err = maker.Generate(b.Context(), o); err != nil {
			b.Fatal(err)
		}
		refs[i] = o.Ref
	}
	for name, prove := range map[string]bool{"attributes only": false, "with a proof": true} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				run, _ := open(b, token)
				for i, ref := range refs {
					if _, err := run.Inspect(b.Context(), ref, keyring.None); err != nil {
						b.Fatal(err)
					}
					if !prove {
						continue
					}
					if proof, err := run.Prove(b.Context(), ref, made[i].PublicKey, made[i].Fingerprint); err != nil || proof != lifecycle.Proven {
						b.Fatal(proof, err)
					}
				}
			}
		})
	}
}
