package acceptance_test

import (
	"archive/zip"
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// desk is examples/trading-desk in a directory of its own, with a token for each of
// its workspaces, and the private keys of those who call.
type desk struct {
	*cli
	t      *testing.T
	tokens map[string]*softhsm.Token
	vault  *vault
	bot    *age.X25519Identity
	people map[string]ed25519.PrivateKey
	hired  []string // who of the people is in the configuration
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	store := softhsm.NewStore(t)
	d := &desk{t: t, tokens: map[string]*softhsm.Token{"dev": store.Init(t, "desk-dev"), "prod": store.Init(t, "desk-prod")}, people: map[string]ed25519.PrivateKey{}}
	var err error
	if d.bot, err = age.GenerateX25519Identity(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"alice", "bruno"} {
		if _, d.people[name], err = ed25519.GenerateKey(rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	var others map[string]tfprotov6.ProviderServer
	d.vault, others = newVault(t)
	d.cli = attach(t, others)
	if err := os.CopyFS(d.dir, os.DirFS(filepath.Join("..", "..", "examples", "trading-desk"))); err != nil {
		t.Fatal(err)
	}
	d.hire("alice", "bruno")
	return d
}

// hire writes the variables, with the people who are at the desk now.
func (d *desk) hire(names ...string) {
	d.t.Helper()
	people := map[string]any{}
	for _, name := range names {
		spki, err := keyring.NewEdwardsPublicKey(keyring.Ed25519, d.people[name].Public().(ed25519.PublicKey))
		if err != nil {
			d.t.Fatal(err)
		}
		people[name] = map[string]string{"public_key": spki.PEM()}
	}
	tokens := map[string]any{}
	for workspace, token := range d.tokens {
		tokens[workspace] = map[string]string{"module_path": token.Module, "label": token.Label}
	}
	text, err := json.Marshal(map[string]any{"tokens": tokens, "bot_recipients": []string{d.bot.Recipient().String()}, "people": people})
	if err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.dir, "terraform.tfvars.json"), text, 0o600); err != nil {
		d.t.Fatal(err)
	}
	d.hired = names
}

// open decrypts the bot's secret as the bot does.
func (d *desk) open() []byte {
	d.t.Helper()
	return unseal(d.t, d.mustRun("output", "-raw", "bot_sealed_secret"), d.bot)
}

// verify asks the verifier for the workspace's credentials who has signed a request.
func (d *desk) verify(workspace, keyID string, signature []byte) (credential.Principal, error) {
	d.t.Helper()
	return d.whoSigned(d.tokens[workspace], workspace, keyID, signature)
}

// accepted and rejected check who, or why nobody, has signed.
func (d *desk) accepted(workspace, keyID string, signature []byte, name string) {
	d.t.Helper()
	who, err := d.verify(workspace, keyID, signature)
	if err != nil || who.Name != name || who.Environment != workspace {
		d.t.Errorf("%s is %+v, %v; want %s", keyID, who, err, name)
	}
}

func (d *desk) rejected(workspace, keyID string, signature []byte, reason credential.Reason) {
	d.t.Helper()
	who, err := d.verify(workspace, keyID, signature)
	if rejection, ok := errors.AsType[*credential.Rejection](err); !ok || rejection.Reason != reason {
		d.t.Errorf("%s is %+v, %v; want it rejected as %s", keyID, who, err, reason)
	}
}

// effective reads the grants of a policy out of a planned change.
func effective(value map[string]any) map[string]bool {
	grants := map[string]bool{}
	list, _ := value["effective_access"].([]any)
	for _, each := range list {
		g, _ := each.(map[string]any)
		grants[fmt.Sprintf("%v %v %v conditional=%v", g["principal"], g["action"], g["key"], g["conditional"])] = true
	}
	return grants
}

// TestTradingDesk is a year at the desk of the example.
func TestTradingDesk(t *testing.T) {
	d := newDesk(t)
	d.mustRun("init")
	for _, workspace := range []string{"dev", "prod"} {
		d.mustRun("workspace", "new", workspace)
		out := d.apply()
		for _, trouble := range []string{"Check block assertion", "Warning: Check"} {
			if strings.Contains(out, trouble) {
				t.Errorf("applying %s:\n%s", workspace, out)
			}
		}
		d.noChanges()
	}

	t.Run("environments are apart", func(t *testing.T) {
		swapped := maps.Clone(d.tokens)
		d.tokens = map[string]*softhsm.Token{"dev": swapped["prod"], "prod": swapped["dev"]}
		d.hire(d.hired...)
		d.failing([]string{"plan"}, `belongs to environment "dev"`, `configured for "prod"`)
		d.tokens = swapped
		d.hire(d.hired...)
		d.noChanges()

		d.mustRun("workspace", "select", "dev")
		devSecret := d.open()
		d.mustRun("workspace", "select", "prod")
		prodSecret := d.open()
		if hmac.Equal(devSecret, prodSecret) {
			t.Error("both environments have the same secret")
		}
		d.accepted("prod", "prod~market-maker~1", mac(prodSecret), "market-maker")
		d.rejected("prod", "prod~market-maker~1", mac(devSecret), credential.BadSignature)
		d.rejected("prod", "dev~market-maker~1", mac(devSecret), credential.Unknown)
		d.accepted("prod", "prod~alice~1", ed25519.Sign(d.people["alice"], request), "alice")
	})

	t.Run("the secret manager has the secret", func(t *testing.T) {
		want := fmt.Sprintf(`{"key_id":"prod~market-maker~1","secret":%q}`, base64.StdEncoding.EncodeToString(d.open()))
		if got := d.vault.read("trading/prod/market-maker"); len(got) != 1 || got[0] != want {
			t.Errorf("Vault was given %d values, the last of which is not what the bot opens", len(got))
		}
	})

	t.Run("a check fails when somebody widens access", func(t *testing.T) {
		widened := filepath.Join(d.dir, "widened.tf")
		text := `resource "hsm_access_policy" "widened" {
  name = "widened"
  statement {
    effect     = "permit"
    principals = [hsm_api_credential.bot.id]
    actions    = ["sign_digest"]
    keys       = [hsm_key.orders.id]
  }
}
`
		guardRails := filepath.Join(d.dir, "policies.tf")
		before, err := os.ReadFile(guardRails)
		if err != nil {
			t.Fatal(err)
		}
		after := strings.Replace(string(before), `["wrap", "sign_digest"]`, `["wrap"]`, 1)
		for file, content := range map[string]string{widened: text, guardRails: after} {
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		d.apply()
		expect(t, d.mustRun("plan"), "The bot can sign what nobody has seen", `policy "widened"`)
		if err := os.WriteFile(guardRails, before, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(widened); err != nil {
			t.Fatal(err)
		}
		d.apply()
		d.noChanges()
	})

	t.Run("the old secret serves until its overlap ends", func(t *testing.T) {
		old := d.open()
		d.pass(720 * time.Hour)
		changes := d.changes()
		if changes["hsm_api_credential.bot"] != "update" {
			t.Fatalf("a month later the plan is %v", changes)
		}
		d.apply()
		d.noChanges()
		d.state("hsm_api_credential.bot").want(t, "version=2", "key_id=prod~market-maker~2", "versions/1/state=overlapping", "versions/2/state=active")
		now := d.open()
		if hmac.Equal(old, now) {
			t.Fatal("the rotation left the secret as it was")
		}
		d.accepted("prod", "prod~market-maker~2", mac(now), "market-maker")
		d.rejected("prod", "prod~market-maker~2", mac(old), credential.BadSignature)
		d.pass(48*time.Hour - time.Second)
		d.accepted("prod", "prod~market-maker~1", mac(old), "market-maker")
		d.pass(time.Second)
		d.rejected("prod", "prod~market-maker~1", mac(old), credential.IsSuperseded)
		d.accepted("prod", "prod~market-maker~2", mac(now), "market-maker")
		if got := d.vault.read("trading/prod/market-maker"); len(got) != 2 || !strings.Contains(got[1], base64.StdEncoding.EncodeToString(now)) {
			t.Errorf("Vault was given %d values, the last of which is not the new secret", len(got))
		}
		if changes := d.changes(); !maps.Equal(changes, map[string]string{"hsm_key_rotation.orders": "update"}) {
			t.Errorf("when the overlaps are over the plan is %v, and only the key has one to retire", changes)
		}
		d.apply()
		d.noChanges()
	})

	t.Run("who leaves loses exactly what was theirs", func(t *testing.T) {
		d.hire("bruno")
		out := d.mustRun("plan", "-out=leave.tfplan")
		expect(t, out, "Access is taken away", "- alice: decrypt with clients", "- alice: sign with withdrawals (under conditions)")
		var plan struct {
			Changes []struct {
				Address string
				Change  struct {
					Actions       []string
					Before, After map[string]any
				}
			} `json:"resource_changes"`
		}
		d.decode(&plan, "show", "-json", "leave.tfplan")
		changed := map[string]string{}
		for _, r := range plan.Changes {
			if actions := strings.Join(r.Change.Actions, " "); actions != "no-op" {
				changed[r.Address] = actions
			}
			if r.Address != "hsm_access_policy.people" {
				continue
			}
			before, after := effective(r.Change.Before), effective(r.Change.After)
			lost := maps.Clone(before)
			maps.DeleteFunc(lost, func(g string, _ bool) bool { return after[g] })
			want := []string{"alice decrypt clients conditional=false", "alice sign withdrawals conditional=true"}
			if got := slices.Sorted(maps.Keys(lost)); !slices.Equal(got, want) || len(before) != len(after)+len(lost) {
				t.Errorf("lost is %v, want %v; before %v, after %v", got, want, before, after)
			}
		}
		want := map[string]string{"hsm_access_policy.people": "update", `hsm_api_credential.people["alice"]`: "delete"}
		if !maps.Equal(changed, want) {
			t.Errorf("the plan changes %v, want %v", changed, want)
		}
		d.mustRun("apply", "leave.tfplan")
		d.noChanges()
		d.rejected("prod", "prod~alice~1", ed25519.Sign(d.people["alice"], request), credential.Unknown)
		d.accepted("prod", "prod~bruno~1", ed25519.Sign(d.people["bruno"], request), "bruno")
	})

	t.Run("nothing is left that can be used", func(t *testing.T) {
		for _, key := range []string{"orders", "withdrawals", "clients"} {
			keys := filepath.Join(d.dir, "keys.tf")
			text, err := os.ReadFile(keys)
			if err != nil {
				t.Fatal(err)
			}
			unprotected := strings.Replace(string(text), fmt.Sprintf("name      = %q\n", key), fmt.Sprintf("name      = %q\n  deletion_protection = false\n", key), 1)
			if err := os.WriteFile(keys, []byte(unprotected), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		d.apply()
		d.mustRun("destroy", "-auto-approve")
		d.rejected("prod", "prod~bruno~1", ed25519.Sign(d.people["bruno"], request), credential.Unknown)
	})
}

// TestTradingDeskKeepsItsSecrets greps everything that a run of the built provider
// leaves behind for the secret and what would give it away.
func TestTradingDeskKeepsItsSecrets(t *testing.T) {
	d := newDesk(t)
	d.useBinary("1")
	log := filepath.Join(t.TempDir(), "trace.log")
	d.mustRun("init")
	d.mustRun("workspace", "new", "prod")
	d.setenv("TF_LOG", "TRACE")
	d.setenv("TF_LOG_PATH", log)
	outputs := d.mustRun("plan", "-out=first.tfplan")
	outputs += d.mustRun("apply", "first.tfplan")
	outputs += d.mustRun("plan", "-out=second.tfplan")
	outputs += d.mustRun("show", "-json", "second.tfplan") + d.mustRun("show", "-json")
	d.setenv("TF_LOG", "")

	raw := d.open()
	given := d.vault.read("trading/prod/market-maker")
	if len(given) != 1 || !strings.Contains(given[0], base64.StdEncoding.EncodeToString(raw)) {
		t.Fatal("Vault does not have the secret: the test would look for the wrong one")
	}
	leaks := forms(raw, softhsm.PIN)
	left := map[string][]byte{"what the CLI printed": []byte(outputs)}
	for _, root := range []string{d.dir, log} {
		readTree(t, root, left)
	}
	for _, name := range []string{"first.tfplan", "terraform.tfstate.d/prod/terraform.tfstate"} {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(left)), func(path string) bool { return strings.Contains(path, name) }) {
			t.Errorf("%s was not looked into, only %v", name, slices.Sorted(maps.Keys(left)))
		}
	}
	if traced := left[log]; !strings.Contains(string(traced), "hsm_api_credential_secret") || !strings.Contains(string(traced), "[TRACE]") {
		t.Error("the log has no trace of what is looked for")
	}
	for where, content := range left {
		for what, text := range leaks {
			if strings.Contains(string(content), text) {
				t.Errorf("%s: the %s is there", where, what)
			}
		}
	}
}

// forms are the ways to write down a secret.
func forms(raw []byte, pin string) map[string]string {
	return map[string]string{
		"secret in base64":    base64.RawStdEncoding.EncodeToString(raw),
		"secret in base64url": base64.RawURLEncoding.EncodeToString(raw),
		"secret in hex":       fmt.Sprintf("%x", raw),
		"secret in HEX":       fmt.Sprintf("%X", raw),
		"secret as bytes":     string(raw),
		"secret as JSON text": fmt.Sprint(raw), // [1 2 3], as %v prints it
		"PIN":                 pin,
	}
}

// readTree reads every file below a path. Of a plan, which is a ZIP archive, it reads
// what is in it, and of a state also what is in its private fields.
func readTree(t *testing.T, root string, into map[string][]byte) {
	t.Helper()
	var files []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() { // the installed provider is a link
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		into[path], into[path+", private"] = content, private(content)
		archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
		if errors.Is(err, zip.ErrFormat) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range archive.File {
			r, err := file.Open()
			if err != nil {
				t.Fatal(err)
			}
			inner, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			into[path+", "+file.Name], into[path+", "+file.Name+", private"] = inner, private(inner)
		}
	}
}

var encoded = regexp.MustCompile(`[A-Za-z0-9+/]{16,}={0,2}`)

// private is whatever in a text is base64, decoded.
func private(text []byte) []byte {
	var all []byte
	for _, word := range encoded.FindAll(text, -1) {
		if raw, err := base64.StdEncoding.DecodeString(string(word)); err == nil {
			all = append(append(all, raw...), '\n')
		}
	}
	return all
}
