package credential_test

import (
	"crypto/ed25519"
	"crypto/hmac"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
)

// compare reports how long something takes as a multiple of a baseline, both done in
// turns.
func compare(b *testing.B, something, baseline func()) {
	b.Helper()
	var took, least time.Duration
	for b.Loop() {
		start := time.Now()
		baseline()
		middle := time.Now()
		something()
		least, took = least+middle.Sub(start), took+time.Since(middle)
	}
	b.ReportMetric(float64(took)/float64(least), "×baseline")
}

// BenchmarkVerifyEd25519 compares a verification with that of crypto/ed25519 alone.
func BenchmarkVerifyEd25519(b *testing.B) {
	env := newBench(b)
	spec, private := person(b)
	env.create(spec)
	verifier, public, signature := env.verifier(), private.Public().(ed25519.PublicKey), ed25519.Sign(private, message)
	compare(b,
		func() {
			if _, err := verifier.Verify(b.Context(), "test~alice~1", message, signature); err != nil {
				b.Fatal(err)
			}
		},
		func() {
			if !ed25519.Verify(public, message, signature) {
				b.Fatal("a good signature is bad")
			}
		})
}

// BenchmarkVerifyShared compares a verification with two MACs that the same token
// computes with the same key, by its handle, over as many bytes as a secret is derived
// from.
func BenchmarkVerifyShared(b *testing.B) {
	for algorithm, digest := range digests {
		b.Run(string(algorithm), func(b *testing.B) {
			services, device := onSoftHSM(b)
			spec := bot()
			spec.Algorithm = algorithm
			c := must[*credential.Credential](b)(services.Credentials.Create(b.Context(), spec))
			verifier := must[*credential.Verifier](b)(credential.NewVerifier("test", []*credential.Credential{c}, services.Keys, time.Now))
			value, _, err := services.Credentials.Secret(b.Context(), spec.Name, 0)
			if err != nil {
				b.Fatal(err)
			}
			m := hmac.New(digest, value.Reveal())
			m.Write(message)
			signature := m.Sum(nil)

			keys := must[[]cryptoki.Object](b)(device.Search(b.Context(), []cryptoki.Attribute{cryptoki.Ulong(cryptoki.CKA_CLASS, cryptoki.CKO_SECRET_KEY)}))
			if len(keys) != 1 {
				b.Fatalf("%d derivation keys", len(keys))
			}
			input := make([]byte, 160)
			compare(b,
				func() {
					if _, err := verifier.Verify(b.Context(), "test~bot~1", message, signature); err != nil {
						b.Fatal(err)
					}
				},
				func() {
					for range 2 {
						if _, err := device.Sign(b.Context(), cryptoki.Mechanism{Code: cryptoki.CKM_SHA256_HMAC}, keys[0].Handle, input); err != nil {
							b.Fatal(err)
						}
					}
				})
		})
	}
}
