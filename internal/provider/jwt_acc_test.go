package provider_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
)

// jose is the verifier of the jose package for Node.js, which has nothing to do with
// this provider.
type jose struct {
	a   *acceptance
	dir string
}

// newJose installs the verifier as its lock file pins it. Where it cannot be had the test fails.
func newJose(a *acceptance) *jose {
	a.t.Helper()
	j := &jose{a: a, dir: a.t.TempDir()}
	if err := os.CopyFS(j.dir, os.DirFS(filepath.Join("testdata", "jose"))); err != nil {
		a.t.Fatal(err)
	}
	install := exec.Command("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	install.Dir = j.dir
	if out, err := install.CombinedOutput(); err != nil {
		a.t.Fatalf("the verifier cannot be installed: run `make test`, which installs node and npm; npm needs its registry: %v\n%s", err, out)
	}
	return j
}

// verdict is what the verifier says of a token.
type verdict struct {
	Verified bool
	Code     string // why not
	Header   struct{ Alg, Kid string }
	Claims   struct{ Iat, Exp int64 }
}

func (j *jose) verify(token, jwks string) (verdict, error) {
	input, err := json.Marshal(map[string]any{"token": token, "jwks": json.RawMessage(jwks), "now": j.a.now().Unix()})
	if err != nil {
		return verdict{}, err
	}
	run := exec.Command("node", "verify.mjs")
	run.Dir, run.Stdin, run.Stderr = j.dir, bytes.NewReader(input), os.Stderr
	out, err := run.Output()
	if err != nil {
		return verdict{}, err
	}
	var v verdict
	return v, json.Unmarshal(out, &v)
}

// accepts expects the token that a named echo was given to verify now with the key set of
// the rotation, or to be rejected with a code.
func (j *jose) accepts(echo string, want string) resource.TestCheckFunc {
	return func(s *terraform.State) error {
		state := s.RootModule().Resources
		got, err := j.verify(state["echo."+echo].Primary.Attributes["data.token"], state["hsm_key_rotation.orders"].Primary.Attributes["jwks"])
		if err != nil || got.Verified != (want == "") || got.Code != want {
			return fmt.Errorf("of the %s token jose says %+v: %w; want %q", echo, got, err, want)
		}
		return nil
	}
}

// signedToken writes a key, its rotation and a token, which goes to a provider that keeps
// it, for tests to look at.
func signedToken(generation, echoes string) string {
	return key(`algorithm = "EC_P256"`) + fmt.Sprintf(`
resource "hsm_key_rotation" "orders" {
  key_id              = hsm_key.orders.id
  overlap             = "20m"
  rotate_when_changed = { generation = %q }
}
ephemeral "hsm_jwt" "orders" {
  key_id    = hsm_key_rotation.orders.key_id
  claims    = jsonencode({ iss = "orders", aud = "shop" })
  valid_for = "1h"
}
provider "echo" {
  data = ephemeral.hsm_jwt.orders
}
`, generation) + strings.ReplaceAll(echoes, " ", "\n")
}

// A token is accepted before, during and after a rotation, as long as the key set has the
// version that signed it.
func TestAccJWT(t *testing.T) {
	a := newAcceptance(t)
	j := newJose(a)
	const first, second = `resource"echo""first"{}`, `resource"echo""second"{}`
	version := func(echo, want string) resource.TestCheckFunc {
		return resource.TestCheckResourceAttr("echo."+echo, "data.version", want)
	}
	a.testWithEcho(resource.TestCase{Steps: []resource.TestStep{
		{Config: a.with(signedToken("a", first)), Check: resource.ComposeTestCheckFunc(version("first", "1"), j.accepts("first", ""))},
		{
			PreConfig: a.pass(10 * time.Minute), Config: a.with(signedToken("b", first+" "+second)),
			Check: resource.ComposeTestCheckFunc(version("second", "2"), j.accepts("first", ""), j.accepts("second", "")),
		},
		{PreConfig: a.pass(20*time.Minute + time.Second), Config: a.with(signedToken("b", first+" "+second)), PlanOnly: true, ExpectNonEmptyPlan: true},
		{
			Config: a.with(signedToken("b", first+" "+second)), // the first one would be valid for half an hour more
			Check:  resource.ComposeTestCheckFunc(j.accepts("first", "ERR_JWKS_NO_MATCHING_KEY"), j.accepts("second", "")),
		},
		{
			PreConfig: a.pass(time.Hour), Config: a.with(signedToken("b", first+" "+second)),
			Check: j.accepts("second", "ERR_JWT_EXPIRED"),
		},
	}})
}

// Tokens by every algorithm that both the HSM and the verifier have.
func TestAccJWTAlgorithms(t *testing.T) {
	a := newAcceptance(t)
	j := newJose(a)
	algorithms := map[string]string{
		"ES256": "EC_P256", "ES384": "EC_P384", "ES512": "EC_P521", "EdDSA": "ED25519",
		"RS256": "RSA_2048", "RS512": "RSA_2048", "PS256": "RSA_2048", "PS384": "RSA_3072",
	}
	config, tokens := a.with(), ""
	for name, algorithm := range algorithms {
		config += fmt.Sprintf(`
resource "hsm_key" %[1]q {
  name                = %[1]q
  algorithm           = %[2]q
  deletion_protection = false
}
ephemeral "hsm_jwt" %[1]q {
  key_id    = hsm_key.%[1]s.id
  algorithm = %[1]q
  claims    = jsonencode({ iss = "orders", aud = "shop" })
}
`, name, algorithm)
		tokens += fmt.Sprintf("%[1]s = ephemeral.hsm_jwt.%[1]s.token\n", name)
	}
	config += "provider \"echo\" {\n  data = {\n" + tokens + "  }\n}\nresource \"echo\" \"all\" {}\n"
	a.testWithEcho(resource.TestCase{Steps: []resource.TestStep{{Config: config, Check: func(s *terraform.State) error {
		state := s.RootModule().Resources
		for name := range algorithms {
			key := state["hsm_key."+name]
			got, err := j.verify(state["echo.all"].Primary.Attributes["data."+name], `{"keys":[`+key.Primary.Attributes["public_key_jwk"]+`]}`)
			if err != nil || !got.Verified || got.Header.Alg != name || got.Claims.Exp-got.Claims.Iat != 300 {
				return fmt.Errorf("of the token by %s jose says %+v: %w", name, got, err)
			}
		}
		return nil
	}}}})
}
