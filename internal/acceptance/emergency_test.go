package acceptance_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"maps"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// incident is the configuration of the guide on emergencies, before anything happens.
type incident struct {
	*cli
	token  *softhsm.Token
	people map[string]ed25519.PrivateKey
	bot    map[string]*age.X25519Identity // who can open the bot's secret
}

func newIncident(t *testing.T) *incident {
	t.Helper()
	i := &incident{token: softhsm.New(t, "acceptance"), people: map[string]ed25519.PrivateKey{}, bot: map[string]*age.X25519Identity{}}
	for _, name := range []string{"ada", "bruno"} {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		i.people[name] = private
	}
	for _, name := range []string{"ada", "bot"} {
		identity, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		i.bot[name] = identity
	}
	i.cli = follow(t, i.token, nil, "guides/emergency/before.tf")
	i.staff()
	i.apply()
	i.noChanges()
	return i
}

// staff writes the variables: everybody but those who have left.
func (i *incident) staff(left ...string) {
	i.t.Helper()
	people, recipients := map[string]any{}, map[string]string{}
	for name, private := range i.people {
		spki, err := keyring.NewEdwardsPublicKey(keyring.Ed25519, private.Public().(ed25519.PublicKey))
		if err != nil {
			i.t.Fatal(err)
		}
		people[name] = map[string]string{"public_key": spki.PEM()}
	}
	for name, identity := range i.bot {
		recipients[name] = identity.Recipient().String()
	}
	for _, name := range left {
		delete(people, name)
		delete(recipients, name)
	}
	i.variables(map[string]any{"people": people, "bot_recipients": recipients})
}

// secret is what a recipient opens.
func (i *incident) secret(recipient string) []byte {
	i.t.Helper()
	return unseal(i.t, i.mustRun("output", "-raw", "bot_sealed_secret"), i.bot[recipient])
}

// want checks who has signed a request, or why nobody has.
func (i *incident) want(keyID string, signature []byte, name string, reason credential.Reason) {
	i.t.Helper()
	who, err := i.whoSigned(i.token, "prod", keyID, signature)
	if got := rejection(i.t, err); who.Name != name || got != reason {
		i.t.Errorf("%s is %q, rejected as %q; want %q, %q", keyID, who.Name, got, name, reason)
	}
}

// revoke plans, wants exactly these changes, applies them in one go, and wants nothing
// to be left to do. It returns what the plan said.
func (i *incident) revoke(changes map[string]string) string {
	i.t.Helper()
	out := i.mustRun("plan", "-out=revoke.tfplan")
	if got := i.planned("revoke.tfplan"); !maps.Equal(got, changes) {
		i.t.Errorf("the plan changes %v, want %v", got, changes)
	}
	i.mustRun("apply", "revoke.tfplan")
	i.noChanges()
	return out
}

func TestEmergencyLeakedCredential(t *testing.T) {
	i := newIncident(t)
	leaked := i.secret("bot")
	i.want("prod~market-maker~1", mac(leaked), "market-maker", "")

	i.add("guides/emergency/leaked-credential/bot_override.tf")
	i.revoke(map[string]string{"hsm_api_credential.bot": "update"})

	i.state("hsm_api_credential.bot").want(t, "version=2", "versions/1/state=revoked", "versions/1/revoked_for=key_compromise", "versions/2/state=active")
	i.want("prod~market-maker~1", mac(leaked), "", credential.IsRevoked) // there is no overlap
	i.want("prod~market-maker~2", mac(leaked), "", credential.BadSignature)
	i.want("prod~market-maker~2", mac(i.secret("bot")), "market-maker", "")

	i.write("bot_override.tf", "") // taking the entry away brings nothing back
	i.apply()
	i.want("prod~market-maker~1", mac(leaked), "", credential.IsRevoked)
}

func TestEmergencyLeavingPerson(t *testing.T) {
	i := newIncident(t)
	known := i.secret("ada")
	request := func(name string) []byte { return ed25519.Sign(i.people[name], request) }
	i.want("prod~ada~1", request("ada"), "ada", "")

	i.staff("ada")
	i.add("guides/emergency/leaving-person/bot_override.tf", "guides/emergency/leaving-person/report.tf")
	out := i.revoke(map[string]string{
		`hsm_api_credential.people["ada"]`: "delete", "hsm_api_credential.bot": "update", "hsm_access_policy.orders": "update",
	})
	expect(t, out, "Access is taken away", "- ada: sign with orders", "Ada can still use ada")
	if out := i.mustRun("plan"); strings.Contains(out, "Ada can still use") {
		t.Errorf("the plan after the apply warns:\n%s", out)
	}

	i.want("prod~ada~1", request("ada"), "", credential.Unknown)
	i.want("prod~bruno~1", request("bruno"), "bruno", "")
	i.want("prod~market-maker~1", mac(known), "", credential.IsRevoked)
	i.want("prod~market-maker~2", mac(i.secret("bot")), "market-maker", "")
	sealed := i.mustRun("output", "-raw", "bot_sealed_secret")
	if _, err := age.Decrypt(strings.NewReader(sealed), i.bot["ada"]); err == nil {
		t.Error("she can open the new secret")
	}
}

func TestEmergencyCompromisedKey(t *testing.T) {
	i := newIncident(t)
	one := i.state("hsm_key_rotation.orders").at("versions", "1", "cka_id")
	before := i.state("hsm_key_rotation.orders").at("jwks")
	mustSign(t, i.token, one, digest)

	i.add("guides/emergency/compromised-key/orders_override.tf")
	i.revoke(map[string]string{"hsm_key_rotation.orders": "delete create"})

	r := i.state("hsm_key_rotation.orders")
	r.want(t, "version=2", "versions/1/state=compromised", "versions/1/enforcement=hsm", "versions/2/state=active")
	refusesToSign(t, i.token, one) // at once, whoever asks
	verify(t, r.at("public_key_pem"), mustSign(t, i.token, r.at("versions", "2", "cka_id"), digest))
	if r.at("trusted_public_keys", "1") != "" || r.at("trusted_public_keys", "2") == "" || r.at("jwks") == before {
		t.Errorf("published is %s", r.at("trusted_public_keys"))
	}

	i.write("orders_override.tf", "") // taking the entry away brings nothing back
	i.apply()
	i.state("hsm_key_rotation.orders").want(t, "version=2", "versions/1/state=compromised")
	refusesToSign(t, i.token, one)
}

// TestEmergencyDeletedKey: where the token goes on doing what was switched off, the
// object is deleted by hand, and the version is revoked after that.
func TestEmergencyDeletedKey(t *testing.T) {
	i := newIncident(t)
	one := i.state("hsm_key_rotation.orders").at("versions", "1", "cka_id")
	token := func(version string) string {
		return "ephemeral \"hsm_jwt\" \"orders\" {\n  key_id = hsm_key_rotation.orders.key_id\n  claims = jsonencode({ iss = \"orders\" })\n" + version + "}\n"
	}
	i.write("token.tf", token("  version = hsm_key_rotation.orders.version\n"))
	i.noChanges()
	i.token.Tool(t, "--delete-object", "--type", "privkey", "--id", one)
	i.failing([]string{"plan"}, "no longer on the token")

	i.add("guides/emergency/compromised-key/orders_override.tf")
	i.write("token.tf", token("")) // it would be signed by what is lost, and says what to do
	// OpenTofu does not ask for it while the rotation is going to be replaced.
	if out, code := i.run("plan", "-refresh=false"); code != 0 || !strings.Contains(out, "ephemeral.hsm_jwt.orders: Deferred due to pending dependencies") {
		expect(t, out, "Error: ", "ephemeral.hsm_jwt.orders", "no longer on the token", "version = hsm_key_rotation", "count = 0")
	}
	i.write("token.tf", token("  version = hsm_key_rotation.orders.version\n"))
	i.apply("-refresh=false")
	i.noChanges()
	r := i.state("hsm_key_rotation.orders")
	r.want(t, "version=2", "versions/1/state=destroyed", "versions/2/state=active")
	if r.at("versions", "1", "public_key_pem") == "" || r.at("trusted_public_keys", "1") != "" {
		t.Errorf("version 1 is %s, published is %s", r.at("versions", "1"), r.at("trusted_public_keys"))
	}
	mustSign(t, i.token, r.at("versions", "2", "cka_id"), digest)
}

// TestEmergencyCompromisedSecretKey: what was encrypted with a key that is revoked is
// read no more; so it is encrypted anew before, in the overlap.
func TestEmergencyCompromisedSecretKey(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	archive := func(revoke string) string {
		return providerBlock(token, "prod") + `
resource "hsm_key" "archive" {
  name      = "archive"
  algorithm = "AES_256"
}

resource "hsm_key_rotation" "archive" {
  key_id  = hsm_key.archive.id
  overlap = "168h"
  ` + revoke + `
}
`
	}
	c := newCLI(t, archive(""))
	c.apply()
	one := c.state("hsm_key_rotation.archive").at("versions", "1", "cka_id")
	sealed := encrypt(t, token, one)

	c.apply("-replace=hsm_key_rotation.archive")
	if refusal := decrypt(t, token, one, sealed); refusal != "" {
		t.Errorf("in the overlap the HSM does not decrypt: %s", refusal)
	}
	c.configure(archive(`revoke = { "1" = "key_compromise" }`))
	c.apply()
	c.noChanges()
	c.state("hsm_key_rotation.archive").want(t, "version=2", "versions/1/state=compromised")
	if refusal := decrypt(t, token, one, sealed); !strings.Contains(refusal, "CKR_KEY_FUNCTION_NOT_PERMITTED") {
		t.Errorf("the HSM should refuse to decrypt, pkcs11-tool says %q", refusal)
	}
}
