package acceptance_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// shown is what the outputs of examples show.
var shown = map[string][]string{
	"data sources": {"invoices_version = 1", "BEGIN PUBLIC KEY"},
	"functions": {
		`orders_uri = "pkcs11:token=prod;object=orders:1;type=private;id=%0A%0B\?module-path=/usr/lib/softhsm/libsofthsm2.so"`,
		`signer_label = "orders:1"`, `signer_id = "0a0b"`, `signer_without_pin = "pkcs11:token=prod;object=orders:1;type=private;id=%0A%0B"`,
		`tokens_kid = "[\w-]{43}"`, `deploy_authorized_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI[A-Za-z0-9+/]{43} deploy@prod"`,
		`settlement_address = "0x[0-9a-fA-F]{40}"`, `treasury_address = "bc1q[a-z0-9]{38}"`, `treasury_test_address = "tb1q[a-z0-9]{38}"`,
		`payouts_address = "[1-9A-HJ-NP-Za-km-z]{32,44}"`,
	},
}

// TestExamples applies the examples of the documentation as they are.
func TestExamples(t *testing.T) {
	for name, files := range map[string][]string{
		"hsm_key":          {"resources/hsm_key/resource.tf"},
		"hsm_key_rotation": {"resources/hsm_key_rotation/resource.tf"},
		"quickstart":       {"quickstart/main.tf"},
		"functions": {
			"functions/pkcs11_uri/function.tf", "functions/parse_pkcs11_uri/function.tf", "functions/jwk_thumbprint/function.tf", "functions/ssh_public_key/function.tf",
			"functions/ethereum_address/function.tf", "functions/bitcoin_address/function.tf", "functions/solana_address/function.tf",
		},
		"hsm_certificate_request": {"resources/hsm_certificate_request/resource.tf"},
		"hsm_jwt":                 {"ephemeral-resources/hsm_jwt/ephemeral-resource.tf"},
		"hsm_signature":           {"ephemeral-resources/hsm_signature/ephemeral-resource.tf"},
		"hsm_random_bytes":        {"ephemeral-resources/hsm_random_bytes/ephemeral-resource.tf"},
		"data sources": {
			"resources/hsm_key/resource.tf",
			"data-sources/hsm_token/data-source.tf", "data-sources/hsm_key/data-source.tf", "data-sources/hsm_keys/data-source.tf",
		},
	} {
		t.Run(name, func(t *testing.T) {
			token := softhsm.New(t, "acceptance")
			configuration := providerBlock(token, "test")
			if name == "quickstart" { // it configures the provider itself
				configuration = ""
				t.Setenv("TF_VAR_module_path", token.Module)
				t.Setenv("TF_VAR_token_label", token.Label)
			}
			var c *cli
			for _, file := range files { // one after the other: data sources read what is there already
				text, err := os.ReadFile(filepath.Join("..", "..", "examples", file))
				if err != nil {
					t.Fatal(err)
				}
				configuration += "\n" + string(text)
				if c == nil {
					c = newCLI(t, configuration)
				} else {
					c.configure(configuration)
				}
				c.apply()
				c.noChanges()
			}
			out := c.mustRun("output")
			for _, says := range shown[name] {
				if !regexp.MustCompile(says).MatchString(out) {
					t.Errorf("no output is %s:\n%s", says, out)
				}
			}
		})
	}
}
