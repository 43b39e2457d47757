package hsm_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

// useTool has pkcs11-tool sign or encrypt with a key.
func (b *bench) useTool(t *testing.T, o lifecycle.Generation, mechanism string, more ...string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	if err := os.WriteFile(in, bytes.Repeat([]byte{7}, 32), 0o600); err != nil {
		t.Fatal(err)
	}
	verb := "--sign"
	if strings.HasPrefix(mechanism, "AES-") && mechanism != "AES-CMAC" {
		verb = "--encrypt"
	}
	args := []string{verb, "--mechanism", mechanism, "--id", o.Ref.ID, "--input-file", in, "--output-file", out}
	if strings.HasPrefix(mechanism, "AES-CBC") {
		args = append(args, "--iv", strings.Repeat("00", 16))
	}
	return b.TryTool(t, append(args, more...)...)
}

// TestEnforcement asks an independent client whether what Permit takes away is gone,
// and what it gives back is back.
func TestEnforcement(t *testing.T) {
	b := newBench(t)
	for _, test := range []struct {
		algorithm keyring.Algorithm
		ops       keyring.Operations
		mechanism string
	}{
		{keyring.ECP256, keyring.Sign | keyring.Verify, "ECDSA"},
		{keyring.Ed25519, keyring.Sign | keyring.Verify, "EDDSA"},
		{keyring.RSA2048, keyring.Sign | keyring.Verify, "SHA256-RSA-PKCS"},
		{keyring.AES256, keyring.Encrypt | keyring.Decrypt, "AES-ECB"},
	} {
		t.Run(string(test.algorithm), func(t *testing.T) {
			o := order("enforced-"+string(test.algorithm), test.algorithm, test.ops)
			b.generate(t, o)
			if out, err := b.useTool(t, o, test.mechanism); err != nil {
				t.Fatalf("the new key does not work: %s", out)
			}
			if e := b.permit(t, o.Ref, test.ops&keyring.Processing); e != keyring.EnforcedByHSM {
				t.Errorf("enforcement %s", e)
			}
			if out, err := b.useTool(t, o, test.mechanism); err == nil || !strings.Contains(out, "CKR_KEY_FUNCTION_NOT_PERMITTED") {
				t.Errorf("what was taken away is still done: %s", out)
			}
			b.permit(t, o.Ref, test.ops)
			if out, err := b.useTool(t, o, test.mechanism); err != nil {
				t.Errorf("what was given back is refused: %s", out)
			}
			if n := strings.Count(b.Tool(t, "--list-objects"), o.Ref.Label); n != len(b.objects(t, o.Ref.ID)) {
				t.Errorf("pkcs11-tool sees %d objects", n)
			}
		})
	}
}
