package provider_test

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/keystead/terraform-provider-hsm/internal/provider"
)

// What the CLI says of a private key that was pasted does not show it, not even in the
// lines that it quotes from the configuration.
func TestAccPrivateKeyIsNotShown(t *testing.T) {
	p, identity := newPair(t), newIdentity(t).String()
	body := strings.Split(p.pkcs8, "\n")[1]
	for name, test := range map[string]struct{ argument, private string }{
		"public_key":         {"public_key = <<-EOT\n" + p.pkcs8 + "EOT", body},
		"public_key, inline": {fmt.Sprintf("public_key = %q", p.pkcs8), body},
		"recipients":         {fmt.Sprintf("recipients = [%q]", identity), identity},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAcceptance(t)
			kind := `type = "public_key"`
			if name == "recipients" {
				kind = "type = \"shared_secret\"\n  algorithm = \"hmac-sha256\""
			}
			said := ""
			a.testWithEcho(resource.TestCase{
				ErrorCheck: func(err error) error { said = err.Error(); return nil },
				Steps: []resource.TestStep{{
					Config:             a.with("resource \"hsm_api_credential\" \"ada\" {\n  name = \"ada\"\n  owner = \"ada\"\n  " + kind + "\n  " + test.argument + "\n}\n"),
					PlanOnly:           true,
					ExpectNonEmptyPlan: true,
				}},
			})
			argument, _, _ := strings.Cut(name, ",")
			if !strings.Contains(said, "rgument "+argument) || !strings.Contains(said, "private key") && !strings.Contains(said, "age identity") {
				t.Errorf("the CLI says %s", said)
			}
			if strings.Contains(said, test.private) {
				t.Errorf("the CLI shows it: %s", said)
			}
		})
	}
}

// traced has CLI and provider log everything, and returns how to read it.
func traced(t *testing.T) func() string {
	t.Helper()
	log := filepath.Join(t.TempDir(), "trace.log")
	t.Setenv("TF_ACC_LOG", "TRACE")
	t.Setenv("TF_ACC_LOG_PATH", log)
	return func() string {
		text, err := os.ReadFile(log)
		if err != nil || !bytes.Contains(text, []byte("[TRACE]")) || !bytes.Contains(text, []byte("derived a secret")) {
			t.Fatalf("CLI or provider has traced nothing: %v", err)
		}
		return string(text)
	}
}

// Neither state nor plan nor a trace of everything has the secret in any form.
func TestAccSecretIsNowhere(t *testing.T) {
	a := newAcceptance(t)
	logged, dir := traced(t), t.TempDir()
	t.Setenv("TF_ACC_PERSIST_WORKING_DIR", "1")
	// A provisioner gets the secret and says which one by its SHA-256.
	received := filepath.Join(t.TempDir(), "fingerprint")
	block := a.with(sharedSecret(fmt.Sprintf("recipients = [%q]", newIdentity(t).Recipient()), `rotate_every = "2160h"`), fmt.Sprintf(`
ephemeral "hsm_api_credential_secret" "bot" {
  credential_id = hsm_api_credential.bot.id
}
resource "terraform_data" "bot" {
  triggers_replace = hsm_api_credential.bot.version
  provisioner "local-exec" {
    command     = "printf %%s \"$SECRET\" | base64 -d | sha256sum | cut -c 1-64 > %s"
    environment = { SECRET = ephemeral.hsm_api_credential_secret.bot.base64 }
  }
}
`, received))
	forms := map[string]string{}
	collect := func(number int) resource.TestCheckFunc {
		return func(*terraform.State) error {
			return a.use(func(services *provider.Services) error {
				derived, _, err := services.Credentials.Secret(t.Context(), "bot", number)
				raw := derived.Reveal()
				forms[fmt.Sprintf("base64 of version %d", number)] = base64.RawStdEncoding.EncodeToString(raw)
				forms[fmt.Sprintf("base64url of version %d", number)] = base64.RawURLEncoding.EncodeToString(raw)
				forms[fmt.Sprintf("hex of version %d", number)] = fmt.Sprintf("%x", raw)
				forms[fmt.Sprintf("version %d itself", number)] = string(raw)
				return err
			})
		}
	}
	look := func(state *terraform.State) error {
		text, err := os.ReadFile(received)
		if want := state.RootModule().Resources[bot].Primary.Attributes["fingerprint_sha256"]; err != nil || strings.TrimSpace(string(text)) != want {
			return fmt.Errorf("the secret that was handed on has the fingerprint %s, want %s: %w", text, want, err)
		}
		kept := contents(t, dir)
		if _, ok := kept["tfplan"]; !ok || !strings.Contains(kept["terraform.tfstate"], "age-encryption.org") && !strings.Contains(kept["terraform.tfstate"], "BEGIN AGE") {
			return fmt.Errorf("the plan or the state is not among %d files", len(kept))
		}
		kept["trace"] = logged()
		for where, text := range kept {
			for form, shown := range forms {
				if strings.Contains(text, shown) {
					return fmt.Errorf("the secret (%s) is in %s", form, where)
				}
			}
		}
		return nil
	}
	a.testWithEcho(resource.TestCase{WorkingDir: dir, Steps: []resource.TestStep{
		{Config: block, Check: resource.ComposeTestCheckFunc(collect(1), look)},
		{PreConfig: a.pass(period), Config: block, Check: resource.ComposeTestCheckFunc(collect(2), look)},
	}})
	if len(forms) != 8 {
		t.Errorf("only %d forms were looked for", len(forms))
	}
}

// contents reads every file below a directory, by its name; plan files are unpacked.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	files := os.DirFS(dir)
	err := fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := fs.ReadFile(files, path)
		all[entry.Name()] += string(text)
		if archive, zipErr := zip.NewReader(bytes.NewReader(text), int64(len(text))); zipErr == nil {
			for _, member := range archive.File {
				in, err := member.Open()
				if err != nil {
					return err
				}
				part, err := io.ReadAll(in)
				if err != nil {
					return err
				}
				all[entry.Name()] += string(part)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
