package provider_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

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

// ties are the ways to say to which credential an ephemeral secret belongs, by what
// the ephemeral block has beside the credential's id.
var ties = map[string]string{
	"by its id": "", "by its version": "version = hsm_api_credential.bot.version", "with depends_on": "depends_on = [hsm_api_credential.bot]",
}

// A secret is issued, opened and rotated; each time everything is in one apply.
func TestAccSharedSecret(t *testing.T) {
	for name, tie := range ties {
		t.Run(name, func(t *testing.T) {
			a := newAcceptance(t)
			first := learned{identity: newIdentity(t)}
			second := first
			block := sharedSecret(fmt.Sprintf("recipients = [%q]", first.identity.Recipient()), `rotate_every = "2160h"`, `overlap = "168h"`)
			number := func(n int64) []statecheck.StateCheck {
				return []statecheck.StateCheck{
					statecheck.ExpectKnownValue(bot, tfjsonpath.New("version"), knownvalue.Int64Exact(n)),
					statecheck.ExpectKnownValue(bot, tfjsonpath.New("key_id"), knownvalue.StringExact(fmt.Sprintf("test~bot~%d", n))),
				}
			}
			a.testWithEcho(resource.TestCase{Steps: []resource.TestStep{
				{
					Config: a.with(block, echoed("first", tie)), ConfigStateChecks: number(1),
					Check: resource.ComposeTestCheckFunc(first.fetch("first"), a.verifies("test~bot~1", first.sign, "")),
				},
				{
					PreConfig: a.pass(period), Config: a.with(block, echoed("second", tie)), ConfigStateChecks: number(2),
					ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(bot, plancheck.ResourceActionUpdate)}},
					Check: resource.ComposeTestCheckFunc(second.fetch("second"),
						a.verifies("test~bot~1", first.sign, ""), a.verifies("test~bot~2", second.sign, ""), a.verifies("test~bot~2", first.sign, credential.BadSignature)),
				},
				{PreConfig: a.pass(overlap), Config: a.with(block, echoed("second", tie)), PlanOnly: true},
				{
					Config: a.with(block, echoed("second", tie)),
					Check:  resource.ComposeTestCheckFunc(a.verifies("test~bot~1", first.sign, credential.IsSuperseded), a.verifies("test~bot~2", second.sign, "")),
				},
				{Config: a.with(), Check: a.verifies("test~bot~2", second.sign, credential.Unknown)},
			}})
		})
	}
}

// A credential is enabled again and its secret handed on in one apply, although the
// plan cannot open it yet.
func TestAccSuspendedSecret(t *testing.T) {
	for name, tie := range ties {
		t.Run(name, func(t *testing.T) {
			a := newAcceptance(t)
			kept := learned{identity: newIdentity(t)}
			recipients := fmt.Sprintf("recipients = [%q]", kept.identity.Recipient())
			a.testWithEcho(resource.TestCase{Steps: []resource.TestStep{
				{Config: a.with(sharedSecret(recipients), echoed("before", tie)), Check: kept.fetch("before")},
				{Config: a.with(sharedSecret(recipients, "enabled = false")), Check: a.verifies("test~bot~1", kept.sign, credential.IsSuspended)},
				{Config: a.with(sharedSecret(recipients, "enabled = false"), echoed("after", tie)), ExpectError: regexp.MustCompile(`(?s)The credential is disabled`)},
				{
					Config: a.with(sharedSecret(recipients), echoed("after", tie)),
					Check:  resource.ComposeTestCheckFunc(a.verifies("test~bot~1", kept.sign, ""), kept.fetch("after"), a.verifies("test~bot~1", kept.sign, "")),
				},
			}})
		})
	}
}
