package acceptance_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
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

// TestTroubleKeepsState: whatever goes wrong while planning, the command fails, says
// why, and the state keeps its keys; when the trouble is over there is nothing to do.
func TestTroubleKeepsState(t *testing.T) {
	pinned := func(block, pin string) string {
		return strings.Replace(block, "actor ", "pin = \""+pin+"\"\n  actor ", 1)
	}
	for name, tc := range map[string]struct {
		// cause makes the trouble and returns how to end it.
		cause func(t *testing.T, c *cli, token *softhsm.Token) (end func())
		says  []string
	}{
		"wrong PIN": {
			cause: func(t *testing.T, c *cli, token *softhsm.Token) func() {
				good := orders(token, "", schedule)
				c.configure(pinned(good, "wrong-pin"))
				return func() { c.configure(good) }
			},
			says: []string{"PIN", "CKR_PIN_INCORRECT"},
		},
		"vanished token": {
			cause: func(t *testing.T, c *cli, token *softhsm.Token) func() {
				aside := token.Store.TokenDir() + ".aside"
				rename(t, token.Store.TokenDir(), aside)
				if err := os.Mkdir(token.Store.TokenDir(), 0o700); err != nil {
					t.Fatal(err)
				}
				return func() {
					if err := os.RemoveAll(token.Store.TokenDir()); err != nil {
						t.Fatal(err)
					}
					rename(t, aside, token.Store.TokenDir())
				}
			},
			says: []string{"acceptance"},
		},
		"another token of the same label": {
			cause: func(t *testing.T, c *cli, token *softhsm.Token) func() {
				own, aside := token.Store.TokenDir(), token.Store.TokenDir()+".aside"
				rename(t, own, aside)
				if err := os.Mkdir(own, 0o700); err != nil {
					t.Fatal(err)
				}
				token.Store.Init(t, token.Label)
				return func() {
					if err := os.RemoveAll(own); err != nil {
						t.Fatal(err)
					}
					rename(t, aside, own)
				}
			},
			says: []string{"no environment's stamp"},
		},
		"wrong environment": {
			cause: func(t *testing.T, c *cli, token *softhsm.Token) func() {
				good := orders(token, "", schedule)
				c.configure(strings.Replace(good, `environment = "test"`, `environment = "prod"`, 1))
				return func() { c.configure(good) }
			},
			says: []string{`"test"`, `"prod"`},
		},
		"module gone": {
			cause: func(t *testing.T, c *cli, token *softhsm.Token) func() {
				good := orders(token, "", schedule)
				c.configure(strings.Replace(good, token.Module, "/nowhere/libpkcs11.so", 1))
				return func() { c.configure(good) }
			},
			says: []string{"/nowhere/libpkcs11.so"},
		},
		"not a PKCS#11 library": {
			cause: func(t *testing.T, c *cli, token *softhsm.Token) func() {
				path := filepath.Join(t.TempDir(), "libnothing.so")
				if err := os.WriteFile(path, []byte("not a library"), 0o600); err != nil {
					t.Fatal(err)
				}
				good := orders(token, "", schedule)
				c.configure(strings.Replace(good, token.Module, path, 1))
				return func() { c.configure(good) }
			},
			says: []string{"libnothing.so"},
		},
		"private key doubled": {
			cause: func(t *testing.T, c *cli, token *softhsm.Token) func() {
				id := c.state(rotator).at("versions", "1", "cka_id")
				tamper(t, token, id, func(hsm *cryptoki.Token, o cryptoki.Object) error {
					if o.Class != cryptoki.CKO_PRIVATE_KEY {
						return nil
					}
					_, err := hsm.CopyObject(context.Background(), o.Handle, []cryptoki.Attribute{cryptoki.Bytes(cryptoki.CKA_LABEL, []byte("double"))})
					return err
				})
				return func() {
					tamper(t, token, id, func(hsm *cryptoki.Token, o cryptoki.Object) error {
						if string(o.Bytes(cryptoki.CKA_LABEL)) != "double" {
							return nil
						}
						return hsm.DestroyObject(context.Background(), o.Handle)
					})
				}
			},
			says: []string{"2 private or secret", "impostor"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			token := softhsm.New(t, "acceptance")
			c := newCLI(t, orders(token, "", schedule))
			c.apply()
			id := c.state("hsm_key.orders").at("versions", "1", "cka_id")
			end := tc.cause(t, c, token)
			c.failing([]string{"plan"}, tc.says...)
			c.failing([]string{"apply", "-auto-approve"}, tc.says...)
			if got := c.state("hsm_key.orders").at("versions", "1", "cka_id"); got != id {
				t.Fatalf("the state lost the key: CKA_ID %q", got)
			}
			if c.state(rotator) == nil {
				t.Fatal("the state lost the rotation")
			}
			end()
			c.noChanges()
			mustSign(t, token, id, digest)
		})
	}
}

// TestRemovedBehindOurBack: objects or records that somebody removed are reported
// as what they are; no new key is made in their place.
func TestRemovedBehindOurBack(t *testing.T) {
	for name, tc := range map[string]struct {
		remove func(t *testing.T, token *softhsm.Token, id string)
		says   string
	}{
		"private key": {func(t *testing.T, token *softhsm.Token, id string) {
			token.Tool(t, "--delete-object", "--type", "privkey", "--id", id)
		}, "no longer on the token"},
		"public key": {func(t *testing.T, token *softhsm.Token, id string) {
			token.Tool(t, "--delete-object", "--type", "pubkey", "--id", id)
		}, "public key object"},
		"record": {func(t *testing.T, token *softhsm.Token, id string) {
			token.Tool(t, "--delete-object", "--type", "data", "--label", "key/orders")
		}, "record was removed"},
		"marker": {func(t *testing.T, token *softhsm.Token, id string) {
			token.Tool(t, "--delete-object", "--type", "data", "--label", "environment")
		}, "environment"},
	} {
		t.Run(name, func(t *testing.T) {
			token := softhsm.New(t, "acceptance")
			c := newCLI(t, orders(token, "", schedule))
			c.apply()
			id := c.state(rotator).at("versions", "1", "cka_id")
			tc.remove(t, token, id)
			before := token.Tool(t, "--list-objects")
			c.failing([]string{"plan"}, tc.says)
			c.failing([]string{"apply", "-auto-approve"}, tc.says)
			if c.state("hsm_key.orders").at("versions", "1", "cka_id") != id || c.state(rotator) == nil {
				t.Error("the state lost the key or its rotation")
			}
			if after := token.Tool(t, "--list-objects"); after != before {
				t.Errorf("the token was changed.\nbefore:\n%s\nafter:\n%s", before, after)
			}
		})
	}
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

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}
