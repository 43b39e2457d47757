package acceptance_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/assembly"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/tokens"
)

func TestMain(m *testing.M) { os.Exit(tokens.Main(m)) }

// TestTokens shows the provider's main job on every kind of token, minus what the
// kind's profile says that it cannot do. The tests of this package show the rest, in
// depth, on SoftHSM.
//
// Which kinds a run covers is said by HSM_TEST_TOKENS, see package tokens. `make test`
// leaves it unset, and so covers SoftHSM, by itself and behind p11-kit: the others take
// daemons and mounts, and are run by `make test-tokens`.
func TestTokens(t *testing.T) {
	for _, kind := range tokens.Chosen(t) {
		t.Run(string(kind), func(t *testing.T) {
			t.Run("doctor", func(t *testing.T) { examined(t, kind) })
			if !kind.Profile().KeepsRecords {
				t.Run("refused", func(t *testing.T) { refusedWithoutRecords(t, kind) })
				return
			}
			t.Run("what it cannot do", func(t *testing.T) { refusedAtPlan(t, kind) })
			t.Run("life of a key", func(t *testing.T) { lifeOfKeys(t, kind) })
			t.Run("adoption", func(t *testing.T) { adoption(t, kind) })
			t.Run("restriction", func(t *testing.T) { restriction(t, kind) })
			t.Run("credentials and policies", func(t *testing.T) { credentialsAndPolicies(t, kind) })
		})
	}
}

// newTokenCLI starts a token of a kind, and a CLI with a configuration for it.
func newTokenCLI(t *testing.T, kind tokens.Kind, blocks ...string) (*cli, *tokens.Token) {
	t.Helper()
	token := tokens.New(t, kind)
	c := attach(t, nil)
	t.Setenv("HSM_PIN", token.PIN)
	c.configure(tokenBlock(token) + strings.Join(blocks, "\n"))
	c.mustRun("init")
	return c, token
}

// tokenBlock is providerBlock for a token of any kind.
func tokenBlock(token *tokens.Token) string {
	parameters := ""
	if token.Parameters != "" {
		parameters = fmt.Sprintf("module_parameters = %q", token.Parameters)
	}
	return fmt.Sprintf(`
terraform {
  required_providers {
    hsm = { source = "keystead/hsm" }
  }
}

provider "hsm" {
  module_path  = %q
  token_label  = %q
  token_serial = %q
  environment  = "test"
  actor        = "ada@example"
  %s
}
`, token.Module, token.Label, token.Serial, parameters)
}

// keyWithRotation is the blocks of a key and its rotation; the name is the algorithm's, in lower case.
func keyWithRotation(a keyring.Algorithm) string {
	name := nameOf(a)
	return fmt.Sprintf(`
resource "hsm_key" %[1]q {
  name                = %[1]q
  algorithm           = %[2]q
  on_destroy          = "destroy"
  deletion_protection = false
}

resource "hsm_key_rotation" %[1]q {
  key_id        = hsm_key.%[1]s.id
  rotate_every  = "2160h"
  overlap       = "168h"
  retire_action = "destroy"
}
`, name, a)
}

func nameOf(a keyring.Algorithm) string { return strings.ToLower(string(a)) }

func rotationOf(a keyring.Algorithm) string { return "hsm_key_rotation." + nameOf(a) }

// representatives are one algorithm of each family that a kind of token has.
func representatives(p tokens.Profile) []keyring.Algorithm {
	var list []keyring.Algorithm
	for _, family := range [][]keyring.Algorithm{
		{keyring.ECP256}, {keyring.RSA2048}, {keyring.AES256}, {keyring.HMACSHA256}, {keyring.Ed25519},
	} {
		for _, a := range family {
			if p.Algorithms[a] != keyring.None {
				list = append(list, a)
			}
		}
	}
	return list
}

// examined: the operator's tool says of a token what the provider can do with it.
func examined(t *testing.T, kind tokens.Kind) {
	token, profile := tokens.New(t, kind), kind.Profile()
	t.Setenv("HSM_PIN", token.PIN)
	args := []string{"doctor", "-module-path", token.Module, "-token-label", token.Label}
	if token.Parameters != "" {
		args = append(args, "-module-parameters", token.Parameters)
	}
	var b strings.Builder
	code := assembly.Command(t.Context(), "test", args, &b, &b)
	out := strings.Join(strings.Fields(b.String()), " ")
	want := []string{token.Serial, "The provider can work with this token."}
	if !profile.KeepsRecords {
		want = []string{token.Serial, "FAILED records: This token keeps no private data objects", "The provider could not work."}
	}
	for _, each := range []struct {
		able             bool
		ability, warning string
	}{
		{profile.Enforcement == keyring.EnforcedByHSM, "is refused by the token", "goes on doing what was switched off"},
		{profile.Attests, "tells truthfully where a key was generated", "does not prove where a key was generated"},
		{profile.Can(keyring.HMACSHA256, keyring.Sign), "HMAC_SHA256", "shared_secret cannot be issued"},
	} {
		if each.able {
			want = append(want, each.ability)
		} else {
			want = append(want, each.warning)
		}
	}
	expect(t, out, want...)
	if wantCode := map[bool]int{true: 0, false: 1}[profile.KeepsRecords]; code != wantCode {
		t.Errorf("exit code %d, want %d:\n%s", code, wantCode, out)
	}
}

// refusedWithoutRecords: a token that keeps no data objects is refused at plan, with
// the reason and what to use instead. It can still be looked at.
func refusedWithoutRecords(t *testing.T, kind tokens.Kind) {
	look := "\ndata \"hsm_token\" \"this\" {}\n\noutput \"can\" {\n  value = data.hsm_token.this.capabilities\n}\n"
	c, token := newTokenCLI(t, kind, keyWithRotation(representatives(kind.Profile())[0]))
	for _, command := range [][]string{{"plan"}, {"apply", "-auto-approve"}} {
		c.failing(command, "This token keeps no private data objects", "SoftHSM, openCryptoki, a TPM", "not there yet")
	}
	c.configure(tokenBlock(token) + look)
	expect(t, c.apply(), "keeps_records = false", "This token keeps no private data objects")
}

// refusedAtPlan: an algorithm that the token does not do is an error at plan, which
// names those that it does.
func refusedAtPlan(t *testing.T, kind tokens.Kind) {
	var wanted, blocks []string
	for _, a := range keyring.Algorithms() {
		if _, ok := kind.Profile().Algorithms[a]; !ok {
			blocks = append(blocks, fmt.Sprintf("resource \"hsm_key\" %q {\n  name = %[1]q\n  algorithm = %q\n}\n", nameOf(a), a))
			wanted = append(wanted, fmt.Sprintf("This token cannot make %s keys.", a))
		}
	}
	if len(wanted) == 0 { // it does everything: then an operation that a key of the kind never has
		blocks = append(blocks, "resource \"hsm_key\" \"odd\" {\n  name = \"odd\"\n  algorithm = \"ED25519\"\n  allowed_mechanisms = [\"CKM_AES_CBC\"]\n}\n")
		wanted = append(wanted, "None of the allowed mechanisms")
	} else {
		for _, a := range representatives(kind.Profile()) {
			wanted = append(wanted, string(a))
		}
		wanted = append(wanted, "It can make:")
	}
	c, _ := newTokenCLI(t, kind, blocks...)
	c.failing([]string{"plan"}, wanted...)
}

// lifeOfKeys: a key of each family is made, used, rotated, retired and destroyed, and
// no plan after any of it finds a thing to do.
func lifeOfKeys(t *testing.T, kind tokens.Kind) {
	profile := kind.Profile()
	algorithms := representatives(profile)
	var blocks []string
	for _, a := range algorithms {
		blocks = append(blocks, keyWithRotation(a))
	}
	c, token := newTokenCLI(t, kind, blocks...)

	said := c.apply()
	if kind == tokens.SoftHSM || kind == tokens.P11Kit {
		expect(t, said, "This token is not for every purpose", "not for keys of value")
	}
	c.noChanges()
	signatures := map[keyring.Algorithm][]byte{}
	for _, a := range algorithms {
		r := c.state(rotationOf(a))
		r.want(t, "version=1", "versions/1/state=active", "versions/1/attested="+fmt.Sprint(profile.Attests))
		signatures[a] = signedWith(t, token, a, r, "1")
	}

	var replace []string
	for _, a := range algorithms {
		replace = append(replace, "-replace="+rotationOf(a))
	}
	c.apply(replace...)
	c.noChanges()
	for _, a := range algorithms {
		r := c.state(rotationOf(a))
		r.want(t, "version=2", "versions/1/state=deactivated", "versions/2/state=active", "versions/1/enforcement="+string(enforcementOf(profile, a)))
		stopped(t, token, a, r.at("versions", "1", "cka_id"), enforcementOf(profile, a))
		verified(t, a, r.at("versions", "1", "public_key_pem"), signatures[a]) // old signatures stay good
		signedWith(t, token, a, r, "2")
	}

	c.pass(overlap)
	for _, a := range algorithms {
		if got := c.changes()[rotationOf(a)]; got != "update" {
			t.Errorf("after the overlap the plan for %s is %q, want an update", a, got)
		}
	}
	c.apply()
	c.noChanges()
	for _, a := range algorithms {
		r := c.state(rotationOf(a))
		r.want(t, "version=2", "versions/1/state=destroyed")
		if found := object(t, token, classOf(a), r.at("versions", "1", "cka_id")); found != "" {
			t.Errorf("version 1 of %s was destroyed, and is there:\n%s", a, found)
		}
		signedWith(t, token, a, r, "2")
	}

	c.mustRun("destroy", "-auto-approve")
	// Public keys of retired versions stay; nothing secret does.
	for _, class := range []string{"privkey", "secrkey"} {
		if left := token.Tool(t, "--list-objects", "--type", class); strings.Contains(left, "Key Object") {
			t.Errorf("after destroy the token has:\n%s", left)
		}
	}
}

// enforcementOf is the profile's, which is about the whole token: on NSS it is advisory
// because of ECDH alone.
func enforcementOf(p tokens.Profile, _ keyring.Algorithm) keyring.Enforcement { return p.Enforcement }

// classOf is what pkcs11-tool calls the half that must be kept secret.
func classOf(a keyring.Algorithm) string {
	if a.IsPair() {
		return "privkey"
	}
	return "secrkey"
}

// toolMechanisms are the mechanisms by which pkcs11-tool signs with the keys of a
// family, and openssl verifies; with what goes before the digest (RFC 8017 section 9.2).
var toolMechanisms = map[keyring.Family]struct{ name, prefix string }{
	keyring.EC:  {"ECDSA", ""},
	keyring.RSA: {"RSA-PKCS", "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"},
}

// signedWith signs with a version by means of pkcs11-tool and verifies with openssl,
// and returns the signature; nil for the families of which pkcs11-tool or openssl does
// not do it.
func signedWith(t *testing.T, token *tokens.Token, a keyring.Algorithm, r attributes, version string) []byte {
	t.Helper()
	mechanism, ok := toolMechanisms[a.Family()]
	if !ok {
		return nil
	}
	id := r.at("versions", version, "cka_id")
	signature, refusal := sign(t, token, id, mechanism.name, append([]byte(mechanism.prefix), digest...))
	if signature == nil {
		t.Fatalf("the token does not sign with %s %s: %s", a, version, refusal)
	}
	verified(t, a, r.at("versions", version, "public_key_pem"), signature)
	return signature
}

// verified has openssl verify what signedWith made.
func verified(t *testing.T, a keyring.Algorithm, publicKeyPEM string, signature []byte) {
	t.Helper()
	switch a.Family() {
	case keyring.EC:
		verify(t, publicKeyPEM, signature)
	case keyring.RSA:
		verify(t, publicKeyPEM, signature, "-pkeyopt", "digest:sha256")
	}
}

// stopped checks that a version which was replaced does not sign any more, or that it
// does where the token is known to sign on.
func stopped(t *testing.T, token *tokens.Token, a keyring.Algorithm, id string, enforcement keyring.Enforcement) {
	t.Helper()
	mechanism, ok := toolMechanisms[a.Family()]
	if !ok {
		return
	}
	signature, refusal := sign(t, token, id, mechanism.name, append([]byte(mechanism.prefix), digest...))
	switch {
	case enforcement == keyring.EnforcedByHSM && !strings.Contains(refusal, "CKR_KEY_FUNCTION_NOT_PERMITTED"):
		t.Errorf("the token should refuse to sign with the replaced %s key; pkcs11-tool says: %q", a, refusal)
	case enforcement == keyring.EnforcedAdvisory && signature == nil:
		t.Errorf("the profile says that the token signs on with the replaced %s key, and it does not: %s", a, refusal)
	}
}

// adoption: a key that pkcs11-tool made becomes a resource, and a configuration that
// says what it is has nothing to do.
func adoption(t *testing.T, kind tokens.Kind) {
	c, token := newTokenCLI(t, kind)
	kindOfKey, algorithm := "EC:prime256v1", keyring.ECP256
	if !kind.Profile().Can(algorithm, keyring.Sign) {
		kindOfKey, algorithm = "RSA:2048", keyring.RSA2048
	}
	token.Tool(t, "--keypairgen", "--key-type", kindOfKey, "--id", "a1b2", "--label", "made-elsewhere", "--usage-sign")
	written := func(lines string) string {
		return tokenBlock(token) + fmt.Sprintf("\nresource \"hsm_key\" \"elsewhere\" {\n  name = \"made-elsewhere\"\n  algorithm = %q\n%s}\n", algorithm, lines)
	}
	c.configure(written(""))
	c.mustRun("import", "hsm_key.elsewhere", "pkcs11:object=made-elsewhere;id=%a1%b2;type=private")
	// What the other program and the token made of the key differs from token to token.
	found := c.state("hsm_key.elsewhere")
	lines := ""
	for _, name := range []string{"operations", "extractable", "allowed_mechanisms"} {
		if value := found[name]; value != nil {
			text, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			lines += fmt.Sprintf("  %s = %s\n", name, text)
		}
	}
	c.configure(written(lines))
	c.noChanges()
	found.want(t, "versions/1/cka_id=a1b2", "versions/1/attested="+fmt.Sprint(kind.Profile().Attests))
	signedWith(t, token, algorithm, found, "1")
}

// restriction: a key that may be used by one mechanism only is refused by the token for
// another, where the token can do that; otherwise the plan says that it cannot.
func restriction(t *testing.T, kind tokens.Kind) {
	algorithm, allowed, other := keyring.ECP256, "CKM_ECDSA_SHA256", "ECDSA"
	if kind == tokens.SoftHSM || kind == tokens.P11Kit || !kind.Profile().Can(algorithm, keyring.Sign) {
		algorithm, allowed, other = keyring.RSA2048, "CKM_SHA512_RSA_PKCS", "SHA256-RSA-PKCS" // SoftHSM has but one mechanism of EC
	}
	c, token := newTokenCLI(t, kind, fmt.Sprintf(
		"resource \"hsm_key\" \"orders\" {\n  name = \"orders\"\n  algorithm = %q\n  operations = [\"sign\", \"verify\"]\n  allowed_mechanisms = [%q]\n}\n", algorithm, allowed))
	if !kind.Profile().RestrictsMechanisms {
		c.failing([]string{"plan"}, "cannot restrict a key to certain mechanisms", "Leave allowed_mechanisms out")
		return
	}
	c.apply()
	c.noChanges()
	if signature, _ := sign(t, token, c.state("hsm_key.orders").at("versions", "1", "cka_id"), other, digest); signature != nil {
		t.Errorf("a key that is restricted to %s signs with %s", allowed, other)
	}
}

// credentialsAndPolicies: callers with a public key everywhere, with a derived secret
// where the token makes HMAC keys, and a policy that names both.
func credentialsAndPolicies(t *testing.T, kind tokens.Kind) {
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	algorithm := representatives(kind.Profile())[0]
	common := keyWithRotation(algorithm) + fmt.Sprintf(`
resource "hsm_api_credential" "alice" {
  name       = "alice"
  owner      = "desk"
  type       = "public_key"
  public_key = <<-PEM
    %s
  PEM
}
`, strings.ReplaceAll(strings.TrimSpace(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))), "\n", "\n    "))
	bot := `
resource "hsm_api_credential" "bot" {
  name      = "bot"
  owner     = "desk"
  type      = "shared_secret"
  algorithm = "hmac-sha256"
}
`
	policy := func(principals string) string {
		return fmt.Sprintf(`
resource "hsm_access_policy" "desk" {
  name = "desk"

  statement {
    effect     = "permit"
    principals = [%s]
    actions    = ["sign"]
    keys       = [hsm_key.%s.id]
  }
}
`, principals, nameOf(algorithm))
	}
	c, token := newTokenCLI(t, kind)
	block := tokenBlock(token)
	principals, hasSecrets := "hsm_api_credential.alice.id", kind.Profile().Can(keyring.HMACSHA256, keyring.Sign)
	if hasSecrets {
		common, principals = common+bot, principals+", hsm_api_credential.bot.id"
	} else {
		c.configure(block + bot)
		c.failing([]string{"plan"}, "This token cannot make HMAC_SHA256 keys")
	}
	c.configure(block + common + policy(principals))
	c.apply()
	c.noChanges()
	if got := effective(c.state("hsm_access_policy.desk")); len(got) == 0 {
		t.Error("nobody has access")
	}
	if hasSecrets {
		c.apply("-replace=hsm_api_credential.bot")
		c.noChanges()
	}
	c.mustRun("destroy", "-auto-approve")
}
