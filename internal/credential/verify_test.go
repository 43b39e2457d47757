package credential_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"hash"
	"maps"
	"math/big"
	"sync"
	"testing"
	"time"

	koblitz "github.com/decred/dcrd/dcrec/secp256k1/v4"
	koblitzecdsa "github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"

	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

var message = []byte("POST\n/v1/orders\n2026-03-01T12:00:00Z\n{\"side\":\"buy\"}")

// digests are what the MACs of shared secrets are made with.
var digests = map[credential.Algorithm]func() hash.Hash{credential.HMACSHA256: sha256.New, credential.HMACSHA512: sha512.New}

// signer is a caller's side of a credential.
type signer struct {
	spec credential.Spec
	sign func(message []byte) []byte
}

func (b *bench) verifier() *credential.Verifier {
	b.t.Helper()
	all := must[[]*credential.Credential](b.t)(b.service().List(b.t.Context()))
	return must[*credential.Verifier](b.t)(credential.NewVerifier("test", all, &b.root, func() time.Time { return b.clock }))
}

// callers are one of each kind, issued in the environment.
func (b *bench) callers() map[string]signer {
	b.t.Helper()
	all := map[string]signer{}
	for name, a := range map[string]credential.Algorithm{"sha256": credential.HMACSHA256, "sha512": credential.HMACSHA512} {
		spec := bot()
		spec.Name, spec.Algorithm = name, a
		b.create(spec)
		key := b.secret(name, 1)
		all[name] = signer{spec, func(message []byte) []byte {
			m := hmac.New(digests[a], key)
			m.Write(message)
			return m.Sum(nil)
		}}
	}

	spec, edwards := person(b.t)
	spec.Name = "edwards"
	b.create(spec)
	all["edwards"] = signer{spec, func(message []byte) []byte {
		return must[[]byte](b.t)(edwards.Sign(rand.Reader, message, crypto.Hash(0)))
	}}

	p256 := must[*ecdsa.PrivateKey](b.t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	spec.Name, spec.PublicKey = "p256", must[keyring.PublicKey](b.t)(keyring.NewECPublicKey(keyring.ECP256, must[[]byte](b.t)(p256.PublicKey.Bytes())))
	b.create(spec)
	all["p256"] = signer{spec, func(message []byte) []byte {
		digest := sha256.Sum256(message)
		r, s, err := ecdsa.Sign(rand.Reader, p256, digest[:])
		if err != nil {
			b.t.Fatal(err)
		}
		return joined(r, s)
	}}

	k256 := must[*koblitz.PrivateKey](b.t)(koblitz.GeneratePrivateKey())
	spec.Name, spec.PublicKey = "secp256k1", must[keyring.PublicKey](b.t)(keyring.NewECPublicKey(keyring.ECSecp256k1, k256.PubKey().SerializeUncompressed()))
	b.create(spec)
	all["secp256k1"] = signer{spec, func(message []byte) []byte {
		digest := sha256.Sum256(message)
		signature := koblitzecdsa.Sign(k256, digest[:])
		r, s := signature.R(), signature.S()
		rb, sb := r.Bytes(), s.Bytes()
		return append(rb[:], sb[:]...)
	}}
	return all
}

func joined(r, s *big.Int) []byte {
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signature
}

func wantRejected(t *testing.T, err error, want credential.Reason) {
	t.Helper()
	rejection, ok := errors.AsType[*credential.Rejection](err)
	if !ok || rejection.Reason != want {
		t.Errorf("%v, want %q", err, want)
	}
}

// TestVerify: whoever signs is told, and nobody who has not.
func TestVerify(t *testing.T) {
	b := newBench(t)
	callers := b.callers()
	v := b.verifier()
	for name, caller := range callers {
		t.Run(name, func(t *testing.T) {
			id, signature := credential.KeyID("test", name, 1), caller.sign(message)
			who, err := v.Verify(t.Context(), id, message, signature)
			if err != nil || who.Environment != "test" || who.Name != name || who.Owner != caller.spec.Owner || who.Version != 1 || !maps.Equal(who.Tags, caller.spec.Tags) {
				t.Fatalf("%+v, %v", who, err)
			}
			for what, bad := range map[string][]byte{
				"none": nil, "empty": {}, "zero": make([]byte, len(signature)), "ones": bytes.Repeat([]byte{0xff}, len(signature)),
				"cut off": signature[:len(signature)-1], "too long": append(bytes.Clone(signature), 0), "half": signature[:len(signature)/2],
				"of another message": caller.sign(append(bytes.Clone(message), ' ')), "of nothing": caller.sign(nil),
			} {
				who, err := v.Verify(t.Context(), id, message, bad)
				wantRejected(t, err, credential.BadSignature)
				if who.Name != "" {
					t.Errorf("%s: %+v", what, who)
				}
			}
			for i := range signature {
				bad := bytes.Clone(signature)
				bad[i] ^= 1
				_, err := v.Verify(t.Context(), id, message, bad)
				wantRejected(t, err, credential.BadSignature)
			}
			for other := range callers {
				if other == name {
					continue
				}
				_, err := v.Verify(t.Context(), credential.KeyID("test", other, 1), message, signature)
				wantRejected(t, err, credential.BadSignature)
			}
		})
	}
}

// TestVerifyWithOpenSSL: signatures of another implementation are understood.
func TestVerifyWithOpenSSL(t *testing.T) {
	b := newBench(t)
	dir := t.TempDir()
	openssl(t, nil, "genpkey", "-algorithm", "ed25519", "-out", dir+"/key")
	key, _, err := credential.ParsePublicKey(string(openssl(t, nil, "pkey", "-in", dir+"/key", "-pubout")))
	if err != nil {
		t.Fatal(err)
	}
	spec, _ := person(t)
	spec.PublicKey = key
	b.create(spec)
	b.create(bot())
	tool(t, message, "tee", dir+"/message")
	signature := openssl(t, nil, "pkeyutl", "-sign", "-inkey", dir+"/key", "-rawin", "-in", dir+"/message")
	if _, err := b.verifier().Verify(t.Context(), "test~alice~1", message, signature); err != nil {
		t.Error(err)
	}
	mac := openssl(t, message, "mac", "-binary", "-digest", "SHA256", "-macopt", "hexkey:"+hexadecimal(b.secret("bot", 1)), "HMAC")
	if _, err := b.verifier().Verify(t.Context(), "test~bot~1", message, mac); err != nil {
		t.Error(err)
	}
}

func hexadecimal(b []byte) string { return new(big.Int).SetBytes(append([]byte{1}, b...)).Text(16)[1:] }

// TestVerifyLowS: of the two signatures with secp256k1 that are good for a message one is
// accepted; of the two with P-256, where no chain depends on it, both are.
func TestVerifyLowS(t *testing.T) {
	b := newBench(t)
	callers := b.callers()
	v := b.verifier()
	for name, order := range map[string]*big.Int{"secp256k1": koblitz.Params().N, "p256": elliptic.P256().Params().N} {
		signature := callers[name].sign(message)
		r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
		_, err := v.Verify(t.Context(), credential.KeyID("test", name, 1), message, joined(r, s.Sub(order, s)))
		if name == "secp256k1" {
			wantRejected(t, err, credential.BadSignature)
		} else if err != nil {
			t.Error(err)
		}
		_, err = v.Verify(t.Context(), credential.KeyID("test", name, 1), message, joined(order, s))
		wantRejected(t, err, credential.BadSignature)
	}
}

// TestVerifyRejects: each reason, with a signature that is good.
func TestVerifyRejects(t *testing.T) {
	b := newBench(t)
	callers := b.callers()
	for _, each := range []struct {
		change func(*credential.Spec)
		reason map[int]credential.Reason // by version; empty is none
	}{
		{func(*credential.Spec) {}, map[int]credential.Reason{1: ""}},
		{func(s *credential.Spec) { s.Enabled = false }, map[int]credential.Reason{1: credential.IsSuspended}},
		{func(s *credential.Spec) { s.RotateWhenChanged = map[string]string{"incident": "one"} }, map[int]credential.Reason{1: "", 2: credential.BadSignature}},
		{func(*credential.Spec) { b.clock = b.clock.Add(2 * day) }, map[int]credential.Reason{1: credential.IsSuperseded, 2: credential.BadSignature}},
		{func(s *credential.Spec) { s.Revoke = map[int]keyring.Reason{1: keyring.KeyCompromise} }, map[int]credential.Reason{1: credential.IsRevoked, 2: credential.BadSignature}},
		{func(s *credential.Spec) { s.ExpiresAt = b.clock.Add(3 * day) }, map[int]credential.Reason{2: credential.BadSignature}},
		{func(*credential.Spec) { b.clock = b.clock.Add(3 * day) }, map[int]credential.Reason{1: credential.IsRevoked, 2: credential.IsExpired}},
	} {
		spec := b.store.Stored["sha256"].Body.Spec
		spec.Enabled = true
		each.change(&spec)
		b.update(spec, true)
		for version, want := range each.reason {
			_, err := b.verifier().Verify(t.Context(), credential.KeyID("test", "sha256", version), message, callers["sha256"].sign(message))
			if want != "" {
				wantRejected(t, err, want)
			} else if err != nil {
				t.Errorf("version %d: %v", version, err)
			}
		}
	}
	v := b.verifier()
	for _, id := range []string{"", "sha512", "test~sha512", "test~sha512~2", "test~sha512~01", "prod~sha512~1", "test~nobody~1", "TEST~sha512~1", "test~sha512~1\n"} {
		_, err := v.Verify(t.Context(), id, message, callers["sha512"].sign(message))
		wantRejected(t, err, credential.Unknown)
	}
	if err := b.service().Destroy(t.Context(), "sha512"); err != nil {
		t.Fatal(err)
	}
	_, err := b.verifier().Verify(t.Context(), "test~sha512~1", message, callers["sha512"].sign(message))
	wantRejected(t, err, credential.Unknown)
	stone := b.store.Stored["sha512"].Body
	removed := must[*credential.Verifier](t)(credential.NewVerifier("test", []*credential.Credential{stone}, &b.root, func() time.Time { return b.clock }))
	_, err = removed.Verify(t.Context(), "test~sha512~1", message, callers["sha512"].sign(message))
	wantRejected(t, err, credential.IsRevoked)
}

// TestVerifyTrouble: an HSM that does not answer is no verdict on a signature, and is
// not even asked about one whose version is not accepted.
func TestVerifyTrouble(t *testing.T) {
	b := newBench(t)
	sign := b.callers()["sha256"].sign
	v := b.verifier()
	b.root.trouble = &fault.Error{Kind: fault.Unavailable, Op: "derive secret", Problem: "The HSM does not answer."}
	_, err := v.Verify(t.Context(), "test~sha256~1", message, sign(message))
	wantFault(t, err, fault.Unavailable, "", "does not answer")
	calls := b.root.calls
	_, err = v.Verify(t.Context(), "test~nobody~1", message, nil)
	wantRejected(t, err, credential.Unknown)
	if b.root.calls != calls {
		t.Error("the HSM was asked about a caller whom nobody knows")
	}
}

// TestVerifyTogether: a verifier serves many callers at once, and what it hands out is
// the receiver's own.
func TestVerifyTogether(t *testing.T) {
	b := newBench(t)
	callers := b.callers()
	v := b.verifier()
	var all sync.WaitGroup
	for name, caller := range callers {
		signature := caller.sign(message)
		for range 8 {
			all.Go(func() {
				who, err := v.Verify(t.Context(), credential.KeyID("test", name, 1), message, signature)
				if err != nil || who.Name != name {
					t.Errorf("%+v, %v", who, err)
				}
				if who.Tags != nil {
					who.Tags["desk"] = "another"
				}
			})
		}
	}
	all.Wait()
	who, err := v.Verify(t.Context(), "test~sha256~1", message, callers["sha256"].sign(message))
	if err != nil || who.Tags["desk"] != "spot" {
		t.Errorf("%+v, %v", who, err)
	}
}

// TestVerifierRefusesBrokenKey: a record that was changed makes no verifier.
func TestVerifierRefusesBrokenKey(t *testing.T) {
	b := newBench(t)
	spec, _ := person(t)
	c := b.create(spec)
	for name, damage := range map[string]func(*credential.Version){
		"no key":          func(v *credential.Version) { v.PublicKey = nil },
		"another kind":    func(v *credential.Version) { v.Algorithm = credential.ECDSAP256 },
		"an unknown kind": func(v *credential.Version) { v.Algorithm = "rot13" },
	} {
		broken := c.Clone()
		damage(broken.Versions[1])
		if _, err := credential.NewVerifier("test", []*credential.Credential{broken}, &b.root, time.Now); !fault.Is(err, fault.Inconsistent) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !ed25519.PublicKey(must[[]byte](t)(c.Versions[1].PublicKey.Point())).Equal(ed25519.PublicKey(must[[]byte](t)(spec.PublicKey.Point()))) {
		t.Error("breaking a copy broke the credential")
	}
}
