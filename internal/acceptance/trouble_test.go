package acceptance_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// setenv changes one variable of the CLI, and so of nothing else.
func (c *cli) setenv(name, value string) {
	env := []string{name + "=" + value}
	for _, pair := range c.env {
		if !strings.HasPrefix(pair, name+"=") {
			env = append(env, pair)
		}
	}
	c.env = env
}

// TestReplacedBehindOurBack: another key under the same CKA_ID and label is not taken
// for the recorded one, whatever its attributes say, and is left as it is.
func TestReplacedBehindOurBack(t *testing.T) {
	for name, tc := range map[string]struct {
		algorithm string
		replace   func(t *testing.T, token *softhsm.Token, id string)
		says      string
	}{
		"HMAC key that anybody can read": {"HMAC_SHA256", func(t *testing.T, token *softhsm.Token, id string) {
			token.Tool(t, "--delete-object", "--type", "secrkey", "--id", id)
			token.Tool(t, "--keygen", "--key-type", "GENERIC:32", "--id", id, "--label", "orders:1")
		}, "CKA_ALWAYS_SENSITIVE is false, recorded is true"},
		"AES key with the same birth certificate": {"AES_256", func(t *testing.T, token *softhsm.Token, id string) {
			token.Tool(t, "--delete-object", "--type", "secrkey", "--id", id)
			token.Tool(t, "--keygen", "--key-type", "AES:32", "--sensitive", "--id", id, "--label", "orders:1")
		}, "check value"},
		"EC private key beside the recorded public key": {"EC_P256", replacePrivate, "recorded public key"},
		"RSA private key beside the recorded public key": {"RSA_2048", func(t *testing.T, token *softhsm.Token, id string) {
			replacePair(t, token, id, "RSA:2048")
		}, "recorded public key"},
	} {
		t.Run(name, func(t *testing.T) {
			token := softhsm.New(t, "acceptance")
			c := newCLI(t, providerBlock(token, "test")+fmt.Sprintf("\nresource \"hsm_key\" \"orders\" {\n  name = \"orders\"\n  algorithm = %q\n}\n", tc.algorithm))
			c.apply()
			c.noChanges()
			before := c.state("hsm_key.orders")
			id := before.at("versions", "1", "cka_id")
			tc.replace(t, token, id)
			listed := token.Tool(t, "--list-objects")
			for _, command := range [][]string{{"plan"}, {"apply", "-auto-approve"}, {"apply", "-auto-approve", "-refresh-only"}} {
				c.failing(command, "somebody replaced it", tc.says, "version 1", "backup", "revoke map")
			}
			c.state("hsm_key.orders").want(t, "versions/1/cka_id="+id, "versions/1/fingerprint_sha256="+before.at("versions", "1", "fingerprint_sha256"))
			if after := token.Tool(t, "--list-objects"); after != listed {
				t.Errorf("the token was changed.\nbefore:\n%s\nafter:\n%s", listed, after)
			}
		})
	}
}

func replacePrivate(t *testing.T, token *softhsm.Token, id string) {
	t.Helper()
	replacePair(t, token, id, "EC:prime256v1")
}

// replacePair makes another pair in place of one, and writes the old public key back.
func replacePair(t *testing.T, token *softhsm.Token, id, kind string) {
	t.Helper()
	public := filepath.Join(t.TempDir(), "public.der")
	token.Tool(t, "--read-object", "--type", "pubkey", "--id", id, "--output-file", public)
	token.Tool(t, "--delete-object", "--type", "privkey", "--id", id)
	token.Tool(t, "--delete-object", "--type", "pubkey", "--id", id)
	token.Tool(t, "--keypairgen", "--key-type", kind, "--id", id, "--label", "orders:1")
	token.Tool(t, "--delete-object", "--type", "pubkey", "--id", id)
	token.Tool(t, "--write-object", public, "--type", "pubkey", "--id", id, "--label", "orders:1")
}

// TestReplacedKeyIsRevoked: the way out that the error names when a key was replaced.
func TestReplacedKeyIsRevoked(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	c := newCLI(t, orders(token, "", schedule))
	c.apply()
	id := c.state(rotator).at("versions", "1", "cka_id")
	replacePrivate(t, token, id)
	c.configure(orders(token, "", schedule+`revoke = { "1" = "key_compromise" }`+"\n"))
	c.failing([]string{"plan"}, "-refresh=false")
	c.apply("-refresh=false")
	c.noChanges()
	r := c.state(rotator)
	r.want(t, "version=2", "versions/1/state=compromised")
	refusesToSign(t, token, id)
	verify(t, r.at("public_key_pem"), mustSign(t, token, r.at("versions", "2", "cka_id"), digest))
}

// TestLostKeyIsRevoked: the way out that the error names when an object is lost.
// TestReplacedPairIsRevoked: the same when the public object was replaced too.
func TestReplacedPairIsRevoked(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	c := newCLI(t, orders(token, "", schedule))
	c.apply()
	id := c.state(rotator).at("versions", "1", "cka_id")
	token.Tool(t, "--delete-object", "--type", "privkey", "--id", id)
	token.Tool(t, "--delete-object", "--type", "pubkey", "--id", id)
	token.Tool(t, "--keypairgen", "--key-type", "EC:prime256v1", "--label", "orders:1", "--id", id)
	mustSign(t, token, id, digest)
	c.configure(orders(token, "", schedule+`revoke = { "1" = "key_compromise" }`+"\n"))
	c.failing([]string{"plan"}, "somebody replaced it", "-refresh=false")
	c.apply("-refresh=false")
	c.noChanges()
	c.state(rotator).want(t, "version=2", "versions/1/state=compromised")
	refusesToSign(t, token, id)
}

func TestLostKeyIsRevoked(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	c := newCLI(t, orders(token, "", schedule))
	c.apply()
	id := c.state(rotator).at("versions", "1", "cka_id")
	token.Tool(t, "--delete-object", "--type", "privkey", "--id", id)
	c.configure(orders(token, "", schedule+`revoke = { "1" = "cessation_of_operation" }`+"\n"))
	c.failing([]string{"plan"}, "-refresh=false")
	c.apply("-refresh=false")
	c.noChanges()
	r := c.state(rotator)
	r.want(t, "version=2", "versions/1/state=destroyed")
	mustSign(t, token, r.at("versions", "2", "cka_id"), digest)
}

// TestRecordAndObjectsGone: this provider leaves a record of what it removes. Where
// nothing is left at all, no new key takes the lost one's name unasked.
func TestRecordAndObjectsGone(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	c := newCLI(t, orders(token, "", schedule))
	c.apply()
	id := c.state(rotator).at("versions", "1", "cka_id")
	token.Tool(t, "--delete-object", "--type", "privkey", "--id", id)
	token.Tool(t, "--delete-object", "--type", "pubkey", "--id", id)
	token.Tool(t, "--delete-object", "--type", "data", "--label", "key/orders")
	c.failing([]string{"plan"}, "older backup", "terraform state rm")
	c.failing([]string{"apply", "-auto-approve"}, "terraform state rm")
	c.state("hsm_key.orders").want(t, "versions/1/cka_id="+id)
	c.mustRun("state", "rm", "hsm_key.orders", rotator)
	c.apply()
	c.noChanges()
}

func TestDeletionProtection(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	protected := strings.Replace(orders(token, "", schedule), "deletion_protection = false", "", 1)
	c := newCLI(t, protected)
	c.apply()
	c.failing([]string{"plan", "-destroy"}, "deletion_protection = false")
	c.configure(strings.Replace(protected, `name                = "orders"`, `name = "renamed"`, 1))
	c.failing([]string{"plan"}, "deletion_protection = false")
	c.configure(providerBlock(token, "test"))
	c.failing([]string{"apply", "-auto-approve"}, "deletion_protection = false")
	c.configure(protected)
	c.apply()
	c.noChanges()
	mustSign(t, token, c.state(rotator).at("versions", "1", "cka_id"), digest)
}

// TestWorkspaces: one workspace per environment, one token for each; the dev
// workspace cannot reach the prod token.
func TestWorkspaces(t *testing.T) {
	store := softhsm.NewStore(t)
	dev, prod := store.Init(t, "dev"), store.Init(t, "prod")
	configuration := strings.NewReplacer(
		`environment = "test"`, `environment = terraform.workspace`,
		`token_label = "dev"`, `token_label = var.token`,
	).Replace(orders(dev, "", schedule)) + "\nvariable \"token\" {\n  type = string\n}\n"
	c := newCLI(t, configuration)
	keys := map[string]string{}
	for _, token := range []*softhsm.Token{dev, prod} {
		c.mustRun("workspace", "new", token.Label)
		c.apply("-var=token=" + token.Label)
		c.mustRun("plan", "-detailed-exitcode", "-var=token="+token.Label)
		keys[token.Label] = c.state(rotator).at("versions", "1", "cka_id")
		mustSign(t, token, keys[token.Label], digest)
	}
	if keys["dev"] == keys["prod"] {
		t.Error("both environments have the same key")
	}
	c.mustRun("workspace", "select", "dev")
	c.failing([]string{"plan", "-var=token=prod"}, `"prod"`, `"dev"`)
	c.failing([]string{"apply", "-auto-approve", "-var=token=prod", "-refresh=false", "-replace=" + rotator}, `"prod"`, `"dev"`)
	if got := c.state(rotator).at("versions", "1", "cka_id"); got != keys["dev"] {
		t.Errorf("the dev state has the key %q", got)
	}
	mustSign(t, prod, keys["prod"], digest)
}

func TestNoSecretIsWritten(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	c := newBinaryCLI(t, "1", strings.Replace(orders(token, "", schedule), "actor ", "pin = \""+softhsm.PIN+"\"\n  actor ", 1))
	c.setenv("TF_LOG", "TRACE")
	c.setenv("TF_LOG_PATH", filepath.Join(c.dir, "trace.log"))
	c.mustRun("plan", "-out=secret.tfplan")
	c.mustRun("apply", "secret.tfplan")
	c.apply("-replace=" + rotator)
	for _, file := range []string{"terraform.tfstate", "trace.log"} {
		content, err := os.ReadFile(filepath.Join(c.dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if len(content) == 0 || strings.Contains(string(content), softhsm.PIN) {
			t.Errorf("%s is empty or contains the PIN", file)
		}
	}
	c.setenv("TF_LOG", "")
	out, _ := c.run("show", "-json", "secret.tfplan")
	if strings.Contains(strings.ReplaceAll(out, `"constant_value":"`+softhsm.PIN+`"`, ""), softhsm.PIN) {
		t.Error("the plan contains the PIN outside of the configuration it quotes")
	}
}
