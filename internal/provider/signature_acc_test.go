package provider_test

import (
	"crypto"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
)

// openssl verifies what was signed, given as a message and as a digest.
func TestAccSignature(t *testing.T) {
	a := newAcceptance(t)
	config := a.with(key(`algorithm = "EC_P256"`), `
resource "hsm_key" "rsa" {
  name                = "rsa"
  algorithm           = "RSA_2048"
  deletion_protection = false
}
ephemeral "hsm_signature" "message" {
  key_id  = hsm_key.orders.id
  message = base64encode("message")
}
ephemeral "hsm_signature" "digest" {
  key_id = hsm_key.orders.id
  digest = "`+base64.StdEncoding.EncodeToString(sum(crypto.SHA256, "message"))+`"
}
ephemeral "hsm_signature" "pss" {
  key_id    = hsm_key.rsa.id
  algorithm = "PS512"
  digest    = "`+base64.StdEncoding.EncodeToString(sum(crypto.SHA512, "message"))+`"
}
ephemeral "hsm_random_bytes" "secret" {
  length = 24
}
provider "echo" {
  data = {
    message   = ephemeral.hsm_signature.message.signature
    version   = ephemeral.hsm_signature.message.version
    raw       = ephemeral.hsm_signature.message.signature_raw
    algorithm = ephemeral.hsm_signature.message.algorithm
    digest    = ephemeral.hsm_signature.digest.signature
    pss       = ephemeral.hsm_signature.pss.signature
    random    = ephemeral.hsm_random_bytes.secret.base64
    hex       = ephemeral.hsm_random_bytes.secret.hex
  }
}
resource "echo" "all" {}
`)
	a.testWithEcho(resource.TestCase{Steps: []resource.TestStep{{Config: config, Check: func(s *terraform.State) error {
		state := s.RootModule().Resources
		got := state["echo.all"].Primary.Attributes
		for name, options := range map[string][]string{
			"message": {"-sha256"}, "digest": {"-sha256"}, "pss": {"-sha512", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"},
		} {
			key := "hsm_key.orders"
			if name == "pss" {
				key = "hsm_key.rsa"
			}
			if err := opensslVerifies(t, state[key].Primary.Attributes["public_key_pem"], "message", got["data."+name], options...); err != nil {
				return err
			}
		}
		raw, err := base64.StdEncoding.DecodeString(got["data.raw"])
		if err != nil || len(raw) != 64 || got["data.version"] != "1" || got["data.algorithm"] != "ES256" {
			return fmt.Errorf("the signature is %v: %w", got, err)
		}
		random, err := base64.StdEncoding.DecodeString(got["data.random"])
		if err != nil || len(random) != 24 || hex.EncodeToString(random) != got["data.hex"] {
			return fmt.Errorf("the random bytes are %v: %w", got, err)
		}
		return nil
	}}}})
}

func sum(h crypto.Hash, message string) []byte {
	state := h.New()
	state.Write([]byte(message))
	return state.Sum(nil)
}

func opensslVerifies(t *testing.T, key, message, signature string, options ...string) error {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return err
	}
	dir := t.TempDir()
	for name, content := range map[string][]byte{"key": []byte(key), "message": []byte(message), "signature": raw} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return err
		}
	}
	verify := exec.Command("openssl", append(append([]string{"dgst"}, options...), "-verify", "key", "-signature", "signature", "message")...)
	verify.Dir = dir
	if out, err := verify.CombinedOutput(); err != nil {
		return fmt.Errorf("openssl says %s: %w", out, err)
	}
	return nil
}
