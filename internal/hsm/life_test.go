package hsm_test

import (
	"encoding/hex"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

func decode(t *testing.T, id string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(id)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestLife takes a key of every algorithm from generation to destruction.
func TestLife(t *testing.T) {
	b := newBench(t)
	for _, a := range keyring.Algorithms() {
		t.Run(string(a), func(t *testing.T) {
			o := order("life", a, a.Operations())
			made := b.generate(t, o)
			if made.Birth != (keyring.Birth{Local: true, NeverExtractable: true, AlwaysSensitive: true, Attested: true}) {
				t.Errorf("birth certificate: %+v", made.Birth)
			}
			if made.Fingerprint == "" || (len(made.PublicKey) > 0) != a.IsPair() {
				t.Errorf("fingerprint %q, public key of %d bytes", made.Fingerprint, len(made.PublicKey))
			}

			publics := 0
			if a.IsPair() {
				publics = 1
			}
			seen := b.inspect(t, o.Ref, keyring.All)
			if seen.Secrets != 1 || seen.Publics != publics || seen.Permitted != a.Operations() || seen.Refused != 0 || seen.Performed != 0 {
				t.Errorf("a new key shows as %+v", seen)
			}
			if string(seen.PublicKey) != string(made.PublicKey) || a.IsPair() && seen.Fingerprint != made.Fingerprint {
				t.Error("the public key shows differently than it was made")
			}

			for _, allowed := range []keyring.Operations{a.Operations() & keyring.Processing, keyring.None, a.Operations()} {
				if e := b.permit(t, o.Ref, allowed); e != keyring.EnforcedByHSM {
					t.Errorf("enforcement of %s: %s", allowed, e)
				}
				seen := b.inspect(t, o.Ref, keyring.All)
				if seen.Secrets != 1 || seen.Publics != publics || seen.Permitted != allowed || seen.Performed != 0 || seen.Refused != a.Operations()&^allowed {
					t.Errorf("allowed %s: the key shows as %+v", allowed, seen)
				}
				if string(seen.PublicKey) != string(made.PublicKey) {
					t.Error("the public key changed")
				}
			}

			if a.IsPair() {
				if err := b.hsm.Destroy(t.Context(), o.Ref, false); err != nil {
					t.Fatal(err)
				}
				if seen := b.inspect(t, o.Ref, keyring.All); seen.Secrets != 0 || seen.Publics != 1 {
					t.Errorf("without its private half the key shows as %+v", seen)
				}
			}
			for range 2 { // destroying is idempotent
				if err := b.hsm.Destroy(t.Context(), o.Ref, true); err != nil {
					t.Fatal(err)
				}
			}
			if seen := b.inspect(t, o.Ref, keyring.All); seen.Secrets != 0 || seen.Publics != 0 || seen.Permitted != 0 {
				t.Errorf("a destroyed key shows as %+v", seen)
			}
		})
	}
}
