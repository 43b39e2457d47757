package acceptance_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/inventory"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// providerBlock configures the provider for a token and an environment.
func providerBlock(token *softhsm.Token, environment string) string {
	return fmt.Sprintf(`
terraform {
  required_providers {
    hsm = { source = "keystead/hsm" }
  }
}

provider "hsm" {
  module_path = %q
  token_label = %q
  environment = %q
  actor       = "ada@example"
}
`, token.Module, token.Label, environment)
}

// client is a token that pkcs11-tool can be logged in to.
type client interface {
	Tool(tb testing.TB, args ...string) string
	TryTool(tb testing.TB, args ...string) (out string, err error)
}

// sign has pkcs11-tool, an independent client, sign with the private key of a
// CKA_ID. It returns the signature, or what the refusal said.
func sign(t *testing.T, token client, id, mechanism string, data []byte) (signature []byte, refusal string) {
	t.Helper()
	dir := t.TempDir()
	in, out := filepath.Join(dir, "data"), filepath.Join(dir, "signature")
	if err := os.WriteFile(in, data, 0o600); err != nil {
		t.Fatal(err)
	}
	said, err := token.TryTool(t, "--sign", "--id", id, "--mechanism", mechanism, "--signature-format", "openssl", "-i", in, "-o", out)
	if err != nil {
		return nil, said
	}
	signature, err = os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return signature, ""
}

// mustSign and refuses are the two outcomes that a test can want.
func mustSign(t *testing.T, token *softhsm.Token, id string, data []byte) []byte {
	t.Helper()
	signature, refusal := sign(t, token, id, "ECDSA", data)
	if signature == nil {
		t.Fatalf("the HSM does not sign with %s: %s", id, refusal)
	}
	return signature
}

func refusesToSign(t *testing.T, token *softhsm.Token, id string) {
	t.Helper()
	if _, refusal := sign(t, token, id, "ECDSA", digest); !strings.Contains(refusal, "CKR_KEY_FUNCTION_NOT_PERMITTED") {
		t.Errorf("the HSM should refuse to sign with %s, pkcs11-tool says: %q", id, refusal)
	}
}

// object returns what pkcs11-tool lists of the objects of a type ("privkey",
// "pubkey", "secrkey") and CKA_ID; empty if there are none.
func object(t *testing.T, token client, class, id string) string {
	t.Helper()
	var found []string
	for _, block := range regexp.MustCompile(`(?m)^\S`).Split(token.Tool(t, "--list-objects", "--type", class), -1) {
		if strings.Contains(block, id) {
			found = append(found, block)
		}
	}
	return strings.Join(found, "")
}

// digest is what the tests sign: 32 bytes, as if they were a SHA-256.
var digest = []byte("0123456789abcdef0123456789abcdef")

// verify has openssl check a signature over digest with a public key from the state.
func verify(t *testing.T, publicKeyPEM string, signature []byte, options ...string) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string][]byte{"key.pem": []byte(publicKeyPEM), "digest": digest, "signature": signature} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("openssl", append([]string{"pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-in", "digest", "-sigfile", "signature"}, options...)...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "Verified Successfully") {
		t.Errorf("openssl does not verify the signature: %v\n%s", err, out)
	}
}

// tamper opens the token by itself, as somebody with the PIN could, and hands the
// test every object of a CKA_ID.
func tamper(t *testing.T, token *softhsm.Token, id string, do func(hsm *cryptoki.Token, o cryptoki.Object) error) {
	t.Helper()
	raw, err := hex.DecodeString(id)
	if err != nil {
		t.Fatal(err)
	}
	opened(t, token, func(hsm *cryptoki.Token) {
		objects, err := hsm.Search(context.Background(), []cryptoki.Attribute{cryptoki.Bytes(cryptoki.CKA_ID, raw)})
		if err != nil || len(objects) == 0 {
			t.Fatalf("nothing found with CKA_ID %s: %v", id, err)
		}
		for _, o := range objects {
			if err := do(hsm, o); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// turnOn gives a private key its CKA_SIGN back.
func turnOn(t *testing.T, token *softhsm.Token, id string) {
	t.Helper()
	tamper(t, token, id, func(hsm *cryptoki.Token, o cryptoki.Object) error {
		if o.Class != cryptoki.CKO_PRIVATE_KEY {
			return nil
		}
		return hsm.SetAttributes(context.Background(), o.Handle, []cryptoki.Attribute{cryptoki.Bool(cryptoki.CKA_SIGN, true)})
	})
}

// opened opens the token by itself, as somebody with the PIN could, for as long as do
// takes.
func opened(t *testing.T, token *softhsm.Token, do func(hsm *cryptoki.Token)) {
	t.Helper()
	hsm := cryptoki.New(cryptoki.Config{
		ModulePath: token.Module, Select: cryptoki.Selector{Label: token.Label, Serial: token.Serial},
		PIN: func() ([]byte, error) { return []byte(softhsm.PIN), nil },
	})
	defer func() {
		if err := hsm.Close(); err != nil {
			t.Error(err)
		}
	}()
	do(hsm)
}

// look takes the inventory of a token that nobody else is writing to.
func look(t *testing.T, token *softhsm.Token) *inventory.Inventory {
	t.Helper()
	return inventory.Read(t, softhsm.Module(t), token.Serial, softhsm.PIN)
}

const vector = "000102030405060708090a0b0c0d0e0f"

// encrypt has pkcs11-tool encrypt the digest with the secret key of a CKA_ID.
func encrypt(t *testing.T, token client, id string) []byte {
	t.Helper()
	dir := t.TempDir()
	in, out := filepath.Join(dir, "data"), filepath.Join(dir, "sealed")
	if err := os.WriteFile(in, digest, 0o600); err != nil {
		t.Fatal(err)
	}
	token.Tool(t, "--encrypt", "--id", id, "--mechanism", "AES-CBC-PAD", "--iv", vector, "-i", in, "-o", out)
	sealed, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// decrypt has it decrypted again; it returns what the refusal said, if there was one.
func decrypt(t *testing.T, token client, id string, sealed []byte) (refusal string) {
	t.Helper()
	dir := t.TempDir()
	in, out := filepath.Join(dir, "sealed"), filepath.Join(dir, "data")
	if err := os.WriteFile(in, sealed, 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := token.TryTool(t, "--decrypt", "--id", id, "--mechanism", "AES-CBC-PAD", "--iv", vector, "-i", in, "-o", out); err != nil {
		return said
	}
	if plain, err := os.ReadFile(out); err != nil || string(plain) != string(digest) {
		t.Errorf("decrypted is %q: %v", plain, err)
	}
	return ""
}
