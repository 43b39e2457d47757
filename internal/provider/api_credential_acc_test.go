package provider_test

import (
	"archive/zip"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-testing/echoprovider"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/keystead/terraform-provider-hsm/internal/assembly"
	"github.com/keystead/terraform-provider-hsm/internal/config"
	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/provider"
	"github.com/keystead/terraform-provider-hsm/internal/secret"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

const bot = "hsm_api_credential.bot"

// sharedSecret writes the credential "bot"; arguments are added.
func sharedSecret(arguments ...string) string {
	return "resource \"hsm_api_credential\" \"bot\" {\n  name = \"bot\"\n  owner = \"desk\"\n  type = \"shared_secret\"\n  algorithm = \"hmac-sha256\"\n  " +
		strings.Join(arguments, "\n  ") + "\n}\n"
}

// echoed hands the secret to a provider that keeps what it is given in the state of a
// resource of the given name, for tests to look at.
func echoed(name string, arguments ...string) string {
	return fmt.Sprintf(`
ephemeral "hsm_api_credential_secret" "bot" {
  credential_id = hsm_api_credential.bot.id
  %s
}
provider "echo" {
  data = ephemeral.hsm_api_credential_secret.bot
}
resource "echo" %q {}
`, strings.Join(arguments, "\n  "), name)
}

// testWithEcho is test with that provider beside ours.
func (a *acceptance) testWithEcho(c resource.TestCase) {
	a.t.Helper()
	c.ProtoV6ProviderFactories = map[string]func() (tfprotov6.ProviderServer, error){"hsm": a.serve, "echo": echoprovider.NewProviderServer()}
	resource.Test(a.t, c)
}

// use has somebody else work with what is on the token, between commands of the CLI.
func (a *acceptance) use(do func(*provider.Services) error) error {
	a.close()
	services, shut := assembly.Services(config.Settings{
		ModulePath: a.token.Module, TokenLabel: a.token.Label, Environment: "test", Actor: "gateway@test",
		PIN: func() (secret.Value, error) { return secret.New(softhsm.PIN), nil },
	}, a.now)
	return errors.Join(do(services), shut())
}

var request = []byte("POST /orders\n{\"side\":\"buy\"}")

// verifies expects the environment's verifier to accept a signature of the request, or
// to reject it for a reason.
func (a *acceptance) verifies(keyID string, sign func() ([]byte, error), want credential.Reason) resource.TestCheckFunc {
	return func(*terraform.State) error {
		signature, err := sign()
		if err != nil {
			return err
		}
		return a.use(func(services *provider.Services) error {
			all, err := services.Credentials.List(a.t.Context())
			if err != nil {
				return err
			}
			verifier, err := credential.NewVerifier("test", all, services.Keys, a.now)
			if err != nil {
				return err
			}
			who, err := verifier.Verify(a.t.Context(), keyID, request, signature)
			rejection, isRejected := errors.AsType[*credential.Rejection](err)
			switch {
			case want == "" && err == nil && credential.KeyID(who.Environment, who.Name, who.Version) == keyID:
				return nil
			case want != "" && isRejected && rejection.Reason == want:
				return nil
			}
			return fmt.Errorf("%s is %+v, %w; want %q", keyID, who, err, want)
		})
	}
}

// learned is what a recipient has found in sealed_secret, and the MAC that it makes.
type learned struct {
	identity *age.X25519Identity
	base64   string
}

// fetch opens sealed_secret in the state, and expects the ephemeral resource to have
// given the same to the named echo.
func (l *learned) fetch(echo string) resource.TestCheckFunc {
	return func(s *terraform.State) error {
		state := s.RootModule().Resources
		plain, err := age.Decrypt(armor.NewReader(strings.NewReader(state[bot].Primary.Attributes["sealed_secret"])), l.identity)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(plain)
		if err != nil {
			return err
		}
		l.base64 = string(text)
		if got := state["echo."+echo].Primary.Attributes["data.base64"]; got != l.base64 {
			return errors.New("the ephemeral resource gives another secret than sealed_secret")
		}
		return nil
	}
}

func (l *learned) sign() ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(l.base64)
	mac := hmac.New(sha256.New, key)
	mac.Write(request)
	return mac.Sum(nil), err
}

// A secret is issued, opened and rotated. Everything is made in one apply, in whatever
// way the ephemeral resource is tied to the credential.
func TestAccSharedSecret(t *testing.T) {
	for name, argument := range map[string]string{
		"by its id": "", "by its version": "version = hsm_api_credential.bot.version", "with depends_on": "depends_on = [hsm_api_credential.bot]",
	} {
		t.Run(name, func(t *testing.T) {
			a := newAcceptance(t)
			first, second := learned{identity: newIdentity(t)}, learned{identity: newIdentity(t)}
			second.identity = first.identity
			credentialBlock := sharedSecret(fmt.Sprintf("recipients = [%q]", first.identity.Recipient()), `rotate_every = "2160h"`, `overlap = "168h"`)
			number := func(n int64) []statecheck.StateCheck {
				return []statecheck.StateCheck{
					statecheck.ExpectKnownValue(bot, tfjsonpath.New("version"), knownvalue.Int64Exact(n)),
					statecheck.ExpectKnownValue(bot, tfjsonpath.New("key_id"), knownvalue.StringExact(fmt.Sprintf("test~bot~%d", n))),
				}
			}
			a.testWithEcho(resource.TestCase{Steps: []resource.TestStep{
				{
					Config: a.with(credentialBlock, echoed("first", argument)), ConfigStateChecks: number(1),
					Check: resource.ComposeTestCheckFunc(first.fetch("first"), a.verifies("test~bot~1", first.sign, "")),
				},
				{
					PreConfig: a.pass(period), Config: a.with(credentialBlock, echoed("second", argument)), ConfigStateChecks: number(2),
					ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(bot, plancheck.ResourceActionUpdate)}},
					Check: resource.ComposeTestCheckFunc(second.fetch("second"),
						a.verifies("test~bot~1", first.sign, ""), a.verifies("test~bot~2", second.sign, ""), a.verifies("test~bot~2", first.sign, credential.BadSignature)),
				},
				{
					PreConfig: a.pass(overlap), Config: a.with(credentialBlock, echoed("second", argument)), PlanOnly: true,
					ExpectNonEmptyPlan: false,
				},
				{
					Config: a.with(credentialBlock, echoed("second", argument)),
					Check:  resource.ComposeTestCheckFunc(a.verifies("test~bot~1", first.sign, credential.IsSuperseded), a.verifies("test~bot~2", second.sign, "")),
				},
				{
					Config: a.with(strings.Replace(credentialBlock, `"bot"`+"\n  owner", `"bot"`+"\n  enabled = false\n  owner", 1)),
					Check:  a.verifies("test~bot~2", second.sign, credential.IsSuspended),
				},
				{ // which the plan cannot open yet
					Config: a.with(credentialBlock, echoed("third", argument)), Check: second.fetch("third"),
				},
				{Config: a.with(), Check: a.verifies("test~bot~2", second.sign, credential.Unknown)},
			}})
		})
	}
}

// opensslKey is a private key that openssl has made.
type opensslKey struct {
	t                 *testing.T
	file              string
	public            string // PEM
	isEdwards, isLowS bool
}

func newOpenSSLKey(t *testing.T, algorithm ...string) *opensslKey {
	t.Helper()
	k := &opensslKey{t: t, file: filepath.Join(t.TempDir(), "key.pem"), isEdwards: len(algorithm) == 2, isLowS: strings.Contains(strings.Join(algorithm, " "), "secp256k1")}
	k.run(append([]string{"genpkey", "-out", k.file}, algorithm...)...)
	k.public = string(k.run("pkey", "-in", k.file, "-pubout"))
	return k
}

func (k *opensslKey) run(args ...string) []byte {
	k.t.Helper()
	var said bytes.Buffer
	command := exec.CommandContext(k.t.Context(), "openssl", args...)
	command.Stderr = &said
	out, err := command.Output()
	if err != nil {
		k.t.Fatalf("openssl %s: %v\n%s", args[0], err, &said)
	}
	return out
}

// secp256k1Order is n of SEC 2 section 2.4.1.
const secp256k1Order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"

// sign has openssl sign the request, and brings ECDSA's result into the form that the
// verifier takes.
func (k *opensslKey) sign() ([]byte, error) {
	file := filepath.Join(k.t.TempDir(), "request")
	if err := os.WriteFile(file, request, 0o600); err != nil {
		return nil, err
	}
	if k.isEdwards {
		return k.run("pkeyutl", "-sign", "-rawin", "-inkey", k.file, "-in", file), nil
	}
	var numbers struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(k.run("dgst", "-sha256", "-sign", k.file, file), &numbers); err != nil {
		return nil, err
	}
	if n, _ := new(big.Int).SetString(secp256k1Order, 16); k.isLowS && numbers.S.Cmp(new(big.Int).Rsh(n, 1)) > 0 {
		numbers.S.Sub(n, numbers.S)
	}
	return append(numbers.R.FillBytes(make([]byte, 32)), numbers.S.FillBytes(make([]byte, 32))...), nil
}

// People keep their private keys; what they sign with openssl is accepted.
func TestAccPublicKey(t *testing.T) {
	a := newAcceptance(t)
	keys := []*opensslKey{
		newOpenSSLKey(t, "-algorithm", "ed25519"),
		newOpenSSLKey(t, "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
		newOpenSSLKey(t, "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"),
	}
	algorithms := []string{"ed25519", "ecdsa-p256", "ecdsa-secp256k1"}
	config := func(key *opensslKey, arguments ...string) string {
		return a.with(fmt.Sprintf("resource \"hsm_api_credential\" \"ada\" {\n  name = \"ada\"\n  owner = \"ada\"\n  type = \"public_key\"\n  overlap = \"1h\"\n  public_key = <<-EOT\n%sEOT\n  %s\n}\n",
			key.public, strings.Join(arguments, "\n  ")))
	}
	const ada = "hsm_api_credential.ada"
	var steps []resource.TestStep
	var before *opensslKey
	for i, key := range keys {
		checks := []resource.TestCheckFunc{a.verifies(fmt.Sprintf("test~ada~%d", i+1), key.sign, "")}
		if before != nil {
			id := fmt.Sprintf("test~ada~%d", i)
			checks = append(checks, a.verifies(id, before.sign, ""), a.verifies(id, key.sign, credential.BadSignature))
		}
		before = key
		steps = append(steps, resource.TestStep{
			Config: config(key), Check: resource.ComposeTestCheckFunc(checks...),
			ConfigStateChecks: []statecheck.StateCheck{
				statecheck.ExpectKnownValue(ada, tfjsonpath.New("versions").AtMapKey(fmt.Sprint(i+1)).AtMapKey("algorithm"), knownvalue.StringExact(algorithms[i])),
			},
		})
	}
	a.test(append(steps,
		resource.TestStep{ResourceName: ada, ImportState: true, ImportStateId: "ada", ImportStateVerify: true},
		resource.TestStep{ResourceName: ada, ImportState: true, ImportStateId: "ada", ImportStateKind: resource.ImportBlockWithID},
		resource.TestStep{ResourceName: ada, ImportState: true, ImportStateId: "nobody", ExpectError: regexp.MustCompile(`not found`)},
		resource.TestStep{
			Config: config(keys[2], `revoke = { "3" = "key_compromise" }`),
			Check:  resource.ComposeTestCheckFunc(a.verifies("test~ada~3", keys[2].sign, credential.IsRevoked), a.verifies("test~ada~2", keys[1].sign, "")),
		},
		resource.TestStep{
			PreConfig: a.pass(time.Hour), Config: config(keys[0], `revoke = { "3" = "key_compromise" }`),
			Check: resource.ComposeTestCheckFunc(a.verifies("test~ada~4", keys[0].sign, ""), a.verifies("test~ada~2", keys[1].sign, credential.IsSuperseded)),
		},
		resource.TestStep{
			Config: config(keys[0], `expires_at = "2027-01-01T00:30:00Z"`), ExpectError: regexp.MustCompile(`(?s)expires_at.*would have expired`),
		},
	)...)
}

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
	// The configuration of a provider is kept nowhere, so this one may have the secret.
	block := a.with(sharedSecret(fmt.Sprintf("recipients = [%q]", newIdentity(t).Recipient()), `rotate_every = "2160h"`),
		"ephemeral \"hsm_api_credential_secret\" \"bot\" {\n  credential_id = hsm_api_credential.bot.id\n}\nprovider \"echo\" {\n  data = ephemeral.hsm_api_credential_secret.bot\n}\n")
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
	look := func(*terraform.State) error {
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
