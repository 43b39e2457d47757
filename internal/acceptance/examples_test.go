package acceptance_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// exampleCases are the examples that are applied as they are, in the environment prod on
// a token of the label payments. Files of one case are added one after the other, as
// data sources read what is there already.
var exampleCases = []struct {
	name      string
	files     []string
	prelude   string            // what the examples refer to and leave out
	variables map[string]any    // beside module_path and token_label
	replace   map[string]string // what is different on this machine
	prepare   func(t *testing.T, token *softhsm.Token)
	says      []string // what the outputs have
	matches   []string // the same as regular expressions
}{
	{name: "provider", files: []string{"provider/provider.tf"}, prelude: providerData, replace: map[string]string{"payments-prod": "payments"}},
	{name: "quickstart", files: []string{"quickstart/main.tf"}, says: []string{"invoices_version = 1", "pkcs11:"}},
	{name: "hsm_key", files: []string{"resources/hsm_key/resource.tf"}},
	{name: "hsm_key_rotation", files: []string{"resources/hsm_key_rotation/resource.tf"}, says: []string{"BEGIN PUBLIC KEY", "kid"}},
	{name: "hsm_api_credential", files: []string{"resources/hsm_api_credential/resource.tf"}, says: []string{"prod~market-maker~1"}},
	{
		name: "hsm_access_policy", prelude: ordersAndCaller,
		files: []string{"resources/hsm_access_policy/resource.tf", "data-sources/hsm_access/data-source.tf"},
	},
	{
		name: "hsm_access_report", files: []string{"data-sources/hsm_access_report/data-source.tf"},
		says: []string{"who_signs_withdrawals = []"},
	},
	{
		name: "data sources of keys",
		files: []string{
			"resources/hsm_key/resource.tf", "data-sources/hsm_token/data-source.tf", "data-sources/hsm_key/data-source.tf",
			"data-sources/hsm_keys/data-source.tf",
		},
		says: []string{"invoices_version = 1", "BEGIN PUBLIC KEY", "payments (SoftHSM"},
	},
	{
		name: "hsm_audit", files: []string{"quickstart/main.tf", "data-sources/hsm_audit/data-source.tf"},
		prepare: func(t *testing.T, _ *softhsm.Token) {
			t.Helper()
			t.Setenv("HSM_AUDIT_DIRECTORY", t.TempDir())
		},
		says: []string{"audit_checkpoint", ": generated"},
	},
	{
		name: "functions",
		files: []string{
			"functions/pkcs11_uri/function.tf", "functions/parse_pkcs11_uri/function.tf", "functions/jwk_thumbprint/function.tf", "functions/ssh_public_key/function.tf",
			"functions/ethereum_address/function.tf", "functions/bitcoin_address/function.tf", "functions/solana_address/function.tf",
		},
		matches: []string{
			`orders_uri = "pkcs11:token=prod;object=orders:1;type=private;id=%0A%0B\?module-path=/usr/lib/softhsm/libsofthsm2.so"`,
			`signer_label = "orders:1"`, `signer_id = "0a0b"`, `signer_without_pin = "pkcs11:token=prod;object=orders:1;type=private;id=%0A%0B"`,
			`tokens_kid = "[\w-]{43}"`, `deploy_authorized_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI[A-Za-z0-9+/]{43} deploy@prod"`,
			`settlement_address = "0x[0-9a-fA-F]{40}"`, `treasury_address = "bc1q[a-z0-9]{38}"`, `treasury_test_address = "tb1q[a-z0-9]{38}"`,
			`payouts_address = "[1-9A-HJ-NP-Za-km-z]{32,44}"`,
		},
	},
	{name: "hsm_certificate_request", files: []string{"resources/hsm_certificate_request/resource.tf"}},
	{name: "hsm_jwt", files: []string{"ephemeral-resources/hsm_jwt/ephemeral-resource.tf"}},
	{name: "hsm_signature", files: []string{"ephemeral-resources/hsm_signature/ephemeral-resource.tf"}},
	{name: "hsm_random_bytes", files: []string{"ephemeral-resources/hsm_random_bytes/ephemeral-resource.tf"}},
	{name: "hsm_api_credential_secret", files: []string{"ephemeral-resources/hsm_api_credential_secret/ephemeral-resource.tf"}},
	{
		name:  "getting-started",
		files: []string{"guides/getting-started/main.tf"}, says: []string{`"1" = "active"`},
	},
	{
		name: "rotation", files: []string{"guides/rotation/orders.tf", "guides/rotation/announced.tf", "guides/rotation/algorithm.tf"},
		says: []string{"sign_with", "pkcs11:", "verify_with"},
	},
	{
		name: "environments", files: []string{"guides/environments/main.tf"}, says: []string{"verify_with"},
		replace: map[string]string{"terraform.workspace": `"prod"`}, // TestEnvironmentsGuide goes through the workspaces
	},
	{name: "secrets", files: []string{"guides/secrets/provider.tf", "guides/secrets/bot.tf"}, says: []string{"bot_fingerprint"}},
	{
		name:  "least-privilege",
		files: []string{"guides/least-privilege/keys.tf", "guides/least-privilege/policies.tf", "guides/least-privilege/review.tf"},
		variables: map[string]any{
			"bot_public_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDMhYDYYEJHXfEzI4Et7ua0C1WIDd3fcLPpffC2vExyb",
		},
		says: []string{"market-maker: sign with orders"},
	},
	{
		name: "import of foreign keys", files: []string{"guides/import/foreign.tf", "guides/import/foreign-rotation.tf"},
		prepare: func(t *testing.T, token *softhsm.Token) {
			t.Helper()
			token.Tool(t, "--keypairgen", "--key-type", "EC:prime256v1", "--id", "4af1", "--label", "legacy-ledger", "--usage-sign")
		},
		says: []string{`"generated_on_the_token" = true`},
	},
}

// providerData has both of the provider's configurations open the token.
const providerData = `
data "hsm_token" "one" {}

data "hsm_token" "other" {
  provider = hsm.by_uri
}
`

const ordersAndCaller = `
resource "hsm_key" "orders" {
  name      = "orders"
  algorithm = "EC_P256"
  tags      = { desk = "treasury" }
}

resource "hsm_api_credential" "market_maker" {
  name      = "market-maker"
  owner     = "spot-desk"
  type      = "shared_secret"
  algorithm = "hmac-sha256"
}
`

// TestExamples applies the examples of the documentation as they are. No check of theirs
// may warn, and nothing may be left to do.
func TestExamples(t *testing.T) {
	for _, tc := range exampleCases {
		t.Run(tc.name, func(t *testing.T) {
			token := softhsm.New(t, "payments")
			if tc.prepare != nil {
				tc.prepare(t, token)
			}
			_, others := newVault(t)
			c := attach(t, others)
			c.setenv("TF_VAR_module_path", token.Module)
			c.setenv("TF_VAR_token_label", token.Label)
			c.setenv("TF_VAR_pin", softhsm.PIN)
			c.setenv("TF_VAR_tokens", fmt.Sprintf(`{ prod = { module_path = %q, label = "payments" } }`, token.Module))
			if tc.variables != nil {
				c.variables(tc.variables)
			}

			here := elsewhere(t, token, tc.replace)
			configuration := tc.prelude
			if !strings.Contains(example(t, tc.files[0]), `provider "hsm"`) {
				configuration += providerBlock(token, "prod")
			}
			c.configure(configuration)
			for i, file := range tc.files {
				c.write(strings.ReplaceAll(file, "/", "-"), here.Replace(example(t, file)))
				if i == 0 {
					c.mustRun("init")
				}
				if out := c.apply(); strings.Contains(out, "Check block assertion") {
					t.Errorf("a check fails:\n%s", out)
				}
				c.noChanges()
			}
			for _, matches := range tc.matches {
				if out := c.mustRun("output"); !regexp.MustCompile(matches).MatchString(out) {
					t.Errorf("no output is %s:\n%s", matches, out)
				}
			}
			if len(tc.says) > 0 {
				expect(t, c.mustRun("output"), tc.says...)
			}
		})
	}
}

// elsewhere replaces what is elsewhere on this machine: the module, and a file with the
// PIN.
func elsewhere(t *testing.T, token *softhsm.Token, more map[string]string) *strings.Replacer {
	t.Helper()
	pin := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(pin, []byte(softhsm.PIN+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	pairs := []string{"/usr/lib/softhsm/libsofthsm2.so", token.Module, "/run/secrets/hsm-pin", pin}
	for text, by := range more {
		pairs = append(pairs, text, by)
	}
	return strings.NewReplacer(pairs...)
}

// importCases are the ways to import: what makes the thing, and its import.
var importCases = []struct{ kind, address string }{
	{"hsm_key", "hsm_key.invoices"},
	{"hsm_key_rotation", "hsm_key_rotation.invoices"},
	{"hsm_api_credential", "hsm_api_credential.bot"},
	{"hsm_access_policy", "hsm_access_policy.market_maker"},
}

var importCommand = regexp.MustCompile(`(?m)^terraform import (\S+) "?([^"\n]+)"?$`)

// TestImportExamples takes things out of the state and brings them back, as the import
// examples of their pages say.
func TestImportExamples(t *testing.T) {
	for _, tc := range importCases {
		dir := "resources/" + tc.kind
		configuration := ""
		if tc.kind == "hsm_access_policy" {
			configuration = ordersAndCaller
		}
		configuration += example(t, dir+"/resource.tf")
		again := func(t *testing.T) *cli {
			token := softhsm.New(t, "payments")
			c := newCLI(t, providerBlock(token, "prod")+configuration)
			c.apply()
			c.mustRun("state", "rm", tc.address)
			return c
		}
		t.Run(tc.kind+" by block", func(t *testing.T) {
			c := again(t)
			c.add(dir + "/import-by-string-id.tf")
			expect(t, c.apply(), "1 imported, 0 added, 0 changed, 0 destroyed")
			c.noChanges()
		})
		t.Run(tc.kind+" by command", func(t *testing.T) {
			c := again(t)
			command := importCommand.FindStringSubmatch(example(t, dir+"/import.sh"))
			if command == nil {
				t.Fatal("import.sh has no command")
			}
			c.mustRun("import", command[1], command[2])
			c.noChanges()
		})
	}
	for _, command := range importCommand.FindAllStringSubmatch(example(t, "resources/hsm_key/import.sh"), -1) {
		if !strings.HasPrefix(command[2], "pkcs11:") {
			continue
		}
		t.Run(command[2], func(t *testing.T) {
			token := softhsm.New(t, "payments")
			token.Tool(t, "--keypairgen", "--key-type", "EC:prime256v1", "--id", "4af1", "--label", "invoices", "--usage-sign")
			c := newCLI(t, providerBlock(token, "prod")+"resource \"hsm_key\" \"invoices\" {\n  name = \"invoices\"\n  algorithm = \"EC_P256\"\n}\n")
			c.mustRun("import", command[1], command[2])
			c.noChanges()
		})
	}
	t.Run("guide", func(t *testing.T) {
		token := softhsm.New(t, "payments")
		c := newCLI(t, providerBlock(token, "prod")+example(t, "resources/hsm_key_rotation/resource.tf"))
		c.apply()
		if err := os.Remove(filepath.Join(c.dir, "terraform.tfstate")); err != nil { // lost
			t.Fatal(err)
		}
		c.configure(providerBlock(token, "prod"))
		c.add("guides/import/recorded.tf")
		expect(t, c.apply(), "2 imported, 0 added, 0 changed, 0 destroyed")
		c.noChanges()

		// To let go of them, and to have them again.
		for _, name := range []string{"hsm_key", "hsm_key_rotation"} {
			c.write("removed-"+name+".tf", "removed {\n  from = "+name+".invoices\n  lifecycle {\n    destroy = false\n  }\n}\n")
		}
		c.write("recorded.tf", "")
		c.apply()
		for _, name := range []string{"hsm_key", "hsm_key_rotation"} {
			c.write("removed-"+name+".tf", "")
		}
		c.add("guides/import/recorded.tf")
		expect(t, c.apply(), "2 imported, 0 added, 0 changed, 0 destroyed")
	})
}

// ownTests are the examples that have a test of their own. Actions, lists and imports by
// identity are for newer CLIs than the oldest one that is supported: what they ask for is
// tested by the protocol, in internal/provider.
var ownTests = []string{"trading-desk/", "guides/emergency/", "guides/import/recorded.tf", "bring-your-own-key/", "actions/", "list-resources/"}

// TestEveryExampleIsApplied fails for a configuration that is shown and that no test
// applies.
func TestEveryExampleIsApplied(t *testing.T) {
	applied := map[string]bool{}
	for _, tc := range exampleCases {
		for _, file := range tc.files {
			applied[file] = true
		}
	}
	for _, tc := range importCases {
		applied["resources/"+tc.kind+"/import-by-identity.tf"] = true
		applied["resources/"+tc.kind+"/import-by-string-id.tf"], applied["resources/"+tc.kind+"/import.sh"] = true, true
	}
	err := fs.WalkDir(os.DirFS(examples), ".", func(path string, entry fs.DirEntry, err error) error {
		own := slices.ContainsFunc(ownTests, func(prefix string) bool { return strings.HasPrefix(path, prefix) })
		if err == nil && entry.Type().IsRegular() && !own && !applied[path] {
			t.Errorf("no test applies examples/%s: add it to exampleCases", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
