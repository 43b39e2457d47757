package acceptance_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/assembly"
	"github.com/keystead/terraform-provider-hsm/internal/inventory"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// audited is a CLI, and the log that everything which it does is written down in.
type audited struct {
	*cli
	token *softhsm.Token
	dir   string
}

func newAudited(t *testing.T, token *softhsm.Token, configuration string) *audited {
	t.Helper()
	a := &audited{token: token, dir: filepath.Join(t.TempDir(), "log")}
	t.Setenv("HSM_AUDIT_DIRECTORY", a.dir)
	a.cli = newCLI(t, configuration)
	return a
}

// audit runs an operator's command on the log and the token.
func (a *audited) audit(code int, args ...string) string {
	a.t.Helper()
	a.t.Setenv("HSM_URI", fmt.Sprintf("pkcs11:token=%s?module-path=%s", a.token.Label, a.token.Module))
	defer func() { _ = os.Unsetenv("HSM_URI") }()
	var b bytes.Buffer
	if got := assembly.Command(a.t.Context(), "test", append([]string{"audit"}, args...), &b, &b); got != code {
		a.t.Errorf("audit %s: exit code %d, want %d\n%s", strings.Join(args, " "), got, code, b.String())
	}
	return b.String()
}

const botAndPolicy = `
resource "hsm_api_credential" "bot" {
  name      = "bot"
  owner     = "desk"
  type      = "shared_secret"
  algorithm = "hmac-sha256"
}

ephemeral "hsm_api_credential_secret" "bot" {
  credential_id = hsm_api_credential.bot.id
}

resource "hsm_access_policy" "bot" {
  name = "bot"

  statement {
    effect     = "permit"
    principals = [hsm_api_credential.bot.id]
    actions    = [%q]
    keys       = [hsm_key.orders.id]
  }
}
`

// TestAudit lives through some months under audit: everything is in the log, and the log
// goes with the token all the time.
func TestAudit(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	with := func(key, rotation, action string) string {
		return orders(token, key, rotation) + fmt.Sprintf(botAndPolicy, action)
	}
	const log = "data \"hsm_audit\" \"this\" {}\n" // which there is none of yet
	a := newAudited(t, token, with("", schedule, "sign")+log)
	a.apply()
	a.configure(with("", schedule, "sign"))
	a.noChanges()
	whole := func() { t.Helper(); expect(t, a.audit(0, "verify"), "The log is whole, and goes with the token.") }
	whole()

	a.pass(100 * 24 * time.Hour)
	a.apply()
	a.configure(with("", schedule, "verify"))
	a.apply()
	a.configure(with("deletion_protection = true", schedule, "verify"))
	if out, code := a.run("apply", "-auto-approve"); code == 0 { // said twice
		t.Error(out)
	}
	protected := strings.Replace(with("", schedule, "verify"), "deletion_protection = false", "deletion_protection = true", 1)
	a.configure(protected)
	a.apply()
	a.failing([]string{"plan", "-destroy"}, "It has deletion_protection = true")
	a.configure(strings.Replace(protected, `environment = "test"`, `environment = "prod"`, 1))
	a.failing([]string{"plan"}, `The token belongs to environment "test"`)
	a.configure(protected)
	t.Setenv("HSM_PIN", "0000-wrong")
	a.failing([]string{"plan"}, "CKR_PIN_INCORRECT")
	t.Setenv("HSM_PIN", softhsm.PIN)
	a.configure(strings.Replace(with("", schedule+"\n  revoke = { \"2\" = \"key_compromise\" }", "verify"), "deletion_protection = true", "deletion_protection = false", 1))
	a.apply()
	whole()
	a.pass(30 * 24 * time.Hour)
	a.configure(with("", schedule+"\n  pinned_version = 1", "verify"))
	a.failing([]string{"plan"}, "Cannot pin version", "The overlap of version 1 is over")
	a.mustRun("state", "rm", "hsm_access_policy.bot")
	a.configure(with("", schedule+"\n  revoke = { \"2\" = \"key_compromise\" }", "verify"))
	a.mustRun("import", "hsm_access_policy.bot", "bot")
	a.apply()
	whole()

	all := a.audit(0, "show")
	expect(t, all, "environment/test stamp done", "key/orders begun version 1 (create) done", "generated version 1, activated version 1 (created) done", "credential/bot issued version 1 (issued) done",
		"credential/bot reveal version 1", "+ bot may sign with orders", "deactivated version 1 (rotated)", "- bot may sign with orders", "+ bot may verify with orders",
		"revoked version 2 (key_compromise)", "key/orders remove key protected", "wrong environment", "token log in access denied",
		"key/orders pin version protected", "policy/bot import notice")
	for _, secret := range []string{softhsm.PIN, "0000-wrong"} {
		if export := a.audit(0, "export"); strings.Contains(export, secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
	expect(t, a.audit(0, "show", "-key", "orders", "-operation", "revoked"), "revoked version 2")
	if out := a.audit(0, "show", "-actor", "eve"); strings.Contains(out, "orders") {
		t.Error(out)
	}
	if out := a.audit(0, "show", "-since", "2027-03-01"); strings.Contains(out, "stamp") || !strings.Contains(out, "rotated") {
		t.Error(out)
	}

	// The newest checkpoint, to be kept elsewhere; and the key is given a successor.
	a.configure(with("", schedule+"\n  revoke = { \"2\" = \"key_compromise\" }", "verify") + `
data "hsm_audit" "this" {
  key  = "orders"
  last = 3
}
output "checkpoint" { value = data.hsm_audit.this.checkpoint }
output "events" { value = length(data.hsm_audit.this.events) }
`)
	a.apply()
	kept := filepath.Join(t.TempDir(), "kept")
	if err := os.WriteFile(kept, []byte(a.mustRun("output", "-raw", "checkpoint")), 0o600); err != nil {
		t.Fatal(err)
	}
	if n := strings.TrimSpace(a.mustRun("output", "events")); n != "3" {
		t.Errorf("%s events", n)
	}
	t.Setenv("HSM_ENVIRONMENT", "test")
	expect(t, a.audit(0, "rotate", "-reason", "INC-1236: its year is over"), "signed by version 2")
	expect(t, a.audit(0, "show", "-key", ".audit"), "rotate key (INC-1236: its year is over)")
	expect(t, a.audit(0, "verify", "-checkpoint", kept), "The log is whole")
	keys := strings.Fields(a.audit(0, "keys"))
	if len(keys) != 2 {
		t.Fatalf("%q", keys)
	}
	expect(t, a.audit(0, "verify", "-key", keys[0], "-key", keys[1]), "The log is whole")
	expect(t, a.audit(1, "verify", "-key", keys[1]), "is not signed by an audit key")
	a.proves(keys[1])
	a.shows()

	// Whatever is done beside the provider shows.
	records := filepath.Join(a.dir, "records-000000000000.jsonl")
	text, err := os.ReadFile(records)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	if err := os.WriteFile(records, bytes.Join(append(lines[:9:9], lines[10:]...), nil), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := a.audit(1, "verify"); !regexp.MustCompile(`(?m)^record 9: it is not the record that was written`).MatchString(out) {
		t.Error(out)
	}
	before := look(t, token)
	a.configure(with("", schedule, "sign"))
	a.failing([]string{"apply", "-auto-approve"}, "is not the one that was written", "audit verify")
	unchanged(t, before, look(t, token))
	if err := os.WriteFile(records, text, 0o600); err != nil {
		t.Fatal(err)
	}
	a.apply()
	whole()
}

// proves checks a record of the log with the script of the guide.
func (a *audited) proves(key string) {
	a.t.Helper()
	script := checkRecord(a.t)
	dir := a.t.TempDir()
	for _, index := range []string{"0", "1", "6", "17", "30"} {
		expect(a.t, a.audit(0, "prove", "-out", dir, index), "wrote")
		record := filepath.Join(dir, "record-"+index)
		check := func() (string, error) {
			out, err := exec.Command(shells(a.t)[0], "-c", script, "check-record", record+".json", record+".tlog-proof", key).CombinedOutput()
			return string(out), err
		}
		if out, err := check(); err != nil || !strings.Contains(out, "Record "+index+" is in the log") {
			a.t.Errorf("record %s: %v\n%s", index, err, out)
		}
		text, err := os.ReadFile(record + ".json")
		if err != nil {
			a.t.Fatal(err)
		}
		if err := os.WriteFile(record+".json", bytes.Replace(text, []byte("ada"), []byte("eve"), 1), 0o600); err != nil {
			a.t.Fatal(err)
		}
		if out, err := check(); err == nil {
			a.t.Errorf("record %s, changed:\n%s", index, out)
		}
	}
}

// shows runs each command that the guide has for auditors: it has to find something.
func (a *audited) shows() {
	a.t.Helper()
	guide, err := os.ReadFile("../../templates/guides/audit.md")
	if err != nil {
		a.t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(guide), "| they ask |")
	table, _, _ = strings.Cut(table, "\n\n")
	commands := regexp.MustCompile("`audit ([^`]+)`").FindAllStringSubmatch(table, -1)
	if len(commands) < 15 {
		a.t.Errorf("the guide has %d commands for auditors", len(commands))
	}
	dir := a.t.TempDir()
	for _, command := range commands {
		args := strings.Fields(strings.NewReplacer("policy/NAME", "policy/bot", "NAME", "orders", "ACTOR", "ada@example", "prove N", "prove -out "+dir+" 1").Replace(command[1]))
		out := a.audit(0, args...)
		none := []string{"destroyed", "baseline", "removed"} // of these there are none here
		if lines := strings.Count(out, "\n"); lines < 2 && args[0] == "show" && !slices.Contains(none, args[len(args)-1]) {
			a.t.Errorf("%s shows nothing", command[0])
		}
	}
}

// justBegun fails if there is anything wrong with the log but intents without an outcome.
func (a *audited) justBegun() {
	a.t.Helper()
	a.t.Setenv("HSM_URI", fmt.Sprintf("pkcs11:token=%s?module-path=%s", a.token.Label, a.token.Module))
	defer func() { _ = os.Unsetenv("HSM_URI") }()
	var b bytes.Buffer
	assembly.Command(a.t.Context(), "test", []string{"audit", "verify"}, &b, &b)
	for line := range strings.Lines(b.String()) {
		if strings.HasPrefix(line, "the log:") || strings.HasPrefix(line, "record ") && !strings.Contains(line, "without an outcome") {
			a.t.Error(line)
		}
	}
}

// unchanged fails if the token is not what it was.
func unchanged(t *testing.T, before, after *inventory.Inventory) {
	t.Helper()
	objects := func(i *inventory.Inventory) (list []string) {
		for _, o := range i.Objects {
			list = append(list, fmt.Sprintf("%+v", o))
		}
		slices.Sort(list)
		return list
	}
	if was, is := objects(before), objects(after); !slices.Equal(was, is) {
		t.Errorf("objects were %s\nand are %s", was, is)
	}
	if len(before.Keys) != len(after.Keys) || len(before.Others) != len(after.Others) {
		t.Errorf("there were %d and %d records, and are %d and %d", len(before.Keys), len(before.Others), len(after.Keys), len(after.Others))
	}
	for label, was := range before.Others {
		if is := after.Others[label]; is == nil || is.Write != was.Write {
			t.Errorf("%s was written", label)
		}
	}
}

// TestAuditBegun: a log that is begun on a token in use begins with what is there.
func TestAuditBegun(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	c := newCLI(t, orders(token, "", schedule))
	c.apply()
	a := &audited{cli: c, token: token, dir: filepath.Join(t.TempDir(), "log")}
	t.Setenv("HSM_AUDIT_DIRECTORY", a.dir)
	a.apply("-replace=hsm_key_rotation.orders")
	expect(t, a.audit(0, "show"), "log begin", "key/orders begun version 1 (create), generated version 1, activated version 1 (created), claimed version 1", "begun version 2 (rotate) done")
	expect(t, a.audit(0, "verify"), "The log is whole, and goes with the token.")

	// A change beside the log shows, and is accepted only with a reason.
	t.Setenv("HSM_AUDIT_DIRECTORY", "")
	a.apply("-replace=hsm_key_rotation.orders")
	t.Setenv("HSM_AUDIT_DIRECTORY", a.dir)
	t.Setenv("HSM_ENVIRONMENT", "test")
	expect(t, a.audit(1, "verify"), "key/orders was changed on the token")
	before := look(t, token)
	a.failing([]string{"apply", "-auto-approve", "-replace=hsm_key_rotation.orders"}, "It does not tell of what was done last on key/orders")
	unchanged(t, before, look(t, token))
	a.mustRun("plan")
	expect(t, a.audit(1, "settle"), "key/orders", "needs a reason")
	expect(t, a.audit(0, "settle", "-reason", "the variable was not set"), "key/orders was taken over")
	expect(t, a.audit(0, "verify"), "accepted     by an operator: 1 record,", "The log is whole, and goes with the token.")
	a.apply("-replace=hsm_key_rotation.orders")

	// And so does a key that another program made.
	token.Tool(t, "--keypairgen", "--key-type", "EC:prime256v1", "--usage-sign", "--id", "beef", "--label", "stranger")
	expect(t, a.audit(1, "verify"), `object/beef (private key "stranger", public key "stranger") is on the token`)
	expect(t, a.audit(0, "settle", "-reason", "it belongs to the web server"), "object/beef was taken over")
	expect(t, a.audit(0, "verify"), "The log is whole")
}

// TestAuditFirst: on a token that nothing was done on yet an operator can look, and begin the
// log.
func TestAuditFirst(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	a := newAudited(t, token, orders(token, "", schedule))
	t.Setenv("HSM_ENVIRONMENT", "test")
	if out := a.audit(0, "keys"); out != "" {
		t.Error(out)
	}
	expect(t, a.audit(1, "verify"), "There is no audit log in this directory.")
	expect(t, a.audit(0, "settle"), "A log was begun.")
	expect(t, a.audit(0, "verify"), "The log is whole, and goes with the token.")
	a.apply()
	expect(t, a.audit(0, "verify"), "The log is whole, and goes with the token.")
}

// TestAuditTakenAway: without the log that there was nothing is changed, whatever is in its
// place; reading goes on.
func TestAuditTakenAway(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	a := newAudited(t, token, orders(token, "", schedule))
	a.apply()
	older := a.dir + ".older"
	if err := os.CopyFS(older, os.DirFS(a.dir)); err != nil {
		t.Fatal(err)
	}
	a.apply("-replace=hsm_key_rotation.orders")
	right := a.dir + ".right"
	if err := os.Rename(a.dir, right); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HSM_ENVIRONMENT", "test")
	before := look(t, token)
	refused := func(why string) {
		t.Helper()
		a.mustRun("plan")
		a.failing([]string{"apply", "-auto-approve", "-replace=hsm_key_rotation.orders"}, why, "As long as it is like this nothing is changed on the token.")
		unchanged(t, before, look(t, token))
		if err := os.RemoveAll(a.dir); err != nil {
			t.Fatal(err)
		}
	}
	refused("The token has had an audit log")
	if err := os.Mkdir(a.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	refused("The token has had an audit log")
	if err := os.Rename(older, a.dir); err != nil {
		t.Fatal(err)
	}
	expect(t, a.audit(1, "verify"), "key/orders was changed on the token")
	refused("It does not tell of what was done last on key/orders")
	if err := os.Rename(right, a.dir); err != nil {
		t.Fatal(err)
	}
	a.apply("-replace=hsm_key_rotation.orders")
	expect(t, a.audit(0, "verify"), "The log is whole, and goes with the token.")
}

// TestAuditObjects: that a key is not on the token any more, or another one in its place, is
// told at the record of how it came about.
func TestAuditObjects(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	a := newAudited(t, token, orders(token, "", schedule))
	a.apply()
	expect(t, a.audit(0, "verify"), "The log is whole, and goes with the token.")
	id := func(key string) string { return look(t, token).Keys[key].Versions[1].Ref.ID }
	told := func(key, why string) {
		t.Helper()
		out := a.audit(1, "verify")
		if !regexp.MustCompile(`(?m)^record \d+: the key of version 1 of key/` + regexp.QuoteMeta(key) + ` is not on the token as it was recorded: .*` + why).MatchString(out) {
			t.Errorf("%s: %s", key, out)
		}
	}
	token.Tool(t, "--delete-object", "--type", "privkey", "--id", id("orders"))
	told("orders", "no longer on the token")
	token.Tool(t, "--delete-object", "--type", "pubkey", "--id", id("orders"))
	token.Tool(t, "--keypairgen", "--key-type", "EC:prime256v1", "--usage-sign", "--id", id("orders"), "--label", "orders.1")
	told("orders", "somebody replaced it")
	token.Tool(t, "--delete-object", "--type", "privkey", "--id", id(".audit"))
	told(".audit", "no longer on the token")
}

// TestAuditKeyLost: where the key that signs is lost there is a way on, in the same directory
// and in another one.
func TestAuditKeyLost(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	a := newAudited(t, token, orders(token, "", schedule))
	a.apply()
	t.Setenv("HSM_ENVIRONMENT", "test")
	lose := func(version int) {
		t.Helper()
		token.Tool(t, "--delete-object", "--type", "privkey", "--id", look(t, token).Keys[".audit"].Versions[version].Ref.ID)
		before := look(t, token)
		a.failing([]string{"apply", "-auto-approve", "-replace=hsm_key_rotation.orders"}, "no longer on the token", "audit settle -reason")
		expect(t, a.audit(1, "settle"), "no longer on the token", "audit settle -reason")
		unchanged(t, before, look(t, token))
	}
	lose(1)
	expect(t, a.audit(0, "settle", "-reason", "INC-7: removed by hand"), "was lost: it was revoked, and has a new version", "The log is whole, and goes with the token.")
	a.apply("-replace=hsm_key_rotation.orders")
	expect(t, a.audit(0, "verify"), "accepted     by an operator: 1 record,", "The log is whole, and goes with the token.")
	expect(t, a.audit(0, "show", "-subject", "key/.audit"), "renew lost key (INC-7: removed by hand)", "revoked version 1")

	lose(2)
	a.dir += ".next"
	t.Setenv("HSM_AUDIT_DIRECTORY", a.dir)
	expect(t, a.audit(0, "settle", "-reason", "INC-8: again"), "A log was begun.", "was lost: it was revoked", "The log is whole, and goes with the token.")
	a.apply("-replace=hsm_key_rotation.orders")
	expect(t, a.audit(0, "verify"), "The log is whole, and goes with the token.")
}

// TestAuditSignatures: what a key signs is written down before it does, by its SHA-256, and
// not as it is; also where nothing else is done.
func TestAuditSignatures(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	without := orders(token, "", "")
	const digest = "kvlaa9IfzM2E5H4FZ7SxPHvg0sJfUWhE6GaRr6hNtr4="
	signed := without + fmt.Sprintf(`
ephemeral "hsm_jwt" "orders" {
  key_id = hsm_key.orders.id
  claims = jsonencode({ iss = "a-secret-claim" })
}

ephemeral "hsm_signature" "message" {
  key_id  = hsm_key.orders.id
  message = base64encode("a-secret-message")
}

ephemeral "hsm_signature" "digest" {
  key_id = hsm_key.orders.id
  digest = %q
}

resource "hsm_certificate_request" "orders" {
  key_id = hsm_key.orders.id
}
`, digest)
	a := newAudited(t, token, without)
	a.apply()
	before := strings.Count(a.audit(0, "export"), "\n")
	a.configure(signed)
	a.apply()
	raw, err := base64.StdEncoding.DecodeString(digest)
	if err != nil {
		t.Fatal(err)
	}
	log := a.audit(0, "export", "-operation", "sign")
	opened := 2 // at plan and at apply
	if strings.Contains(a.mustRun("version"), "OpenTofu") {
		opened = 1 // it defers what depends on something that is going to be made
	}
	all := 3*opened + 1 // the request is made once
	for text, want := range map[string]int{
		"\n": all, `"activity_id":99`: all, `"algorithm":"ES256"`: all, `"name":"orders","version":"1"`: all,
		fmt.Sprintf(`"digests":{"message":"%x"}`, sha256.Sum256([]byte("a-secret-message"))): opened, fmt.Sprintf(`"digests":{"digest":"%x"}`, sha256.Sum256(raw)): opened,
		`"digests":{"message":`: 2*opened + 1,
		"secret":                0, digest: 0, "eyJ": 0,
	} {
		if got := strings.Count(log, text); got != want {
			t.Errorf("%q is there %d times, want %d:\n%s", text, got, want, log)
		}
	}
	if got := strings.Count(a.audit(0, "export"), "\n"); got != before+all {
		t.Errorf("there are %d records, and were %d", got, before)
	}
	expect(t, a.audit(0, "show", "-key", "orders"), "sign version 1 by ES256")
	expect(t, a.audit(0, "verify"), "The log is whole, and goes with the token.")

	// Without a log to write to nothing is signed.
	if err := os.RemoveAll(a.dir); err != nil {
		t.Fatal(err)
	}
	a.failing([]string{"plan"}, "ephemeral.hsm_jwt.orders", "ephemeral.hsm_signature.message", "The token has had an audit log")
	a.configure(without + "resource \"hsm_certificate_request\" \"orders\" {\n  key_id = hsm_key.orders.id\n  dns_names = [\"orders.example\"]\n}\n")
	a.failing([]string{"apply", "-auto-approve"}, "hsm_certificate_request.orders", "The token has had an audit log")
}

// TestAuditTool: what the operator's tool was refused is written down too, and the doctor looks
// at the log.
func TestAuditTool(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	a := newAudited(t, token, orders(token, "", schedule))
	a.apply()
	doctor := func(code int) string {
		t.Helper()
		var b bytes.Buffer
		if got := assembly.Command(t.Context(), "test", []string{"doctor", "-module-path", token.Module, "-token-label", token.Label}, &b, &b); got != code {
			t.Errorf("exit code %d, want %d", got, code)
		}
		return strings.Join(strings.Fields(b.String()), " ")
	}
	expect(t, doctor(0), "audit log "+a.dir, "The audit log can be written, is whole, and goes with the token.")
	t.Setenv("HSM_PIN", "0000-wrong")
	doctor(1)
	a.audit(1, "verify")
	a.audit(1, "rotate", "-environment", "test")
	a.failing([]string{"plan"}, "The PIN is wrong.")
	t.Setenv("HSM_PIN", softhsm.PIN)
	expect(t, a.audit(0, "verify"), "The log is whole, and goes with the token; not covered by a checkpoint yet: 4 records at its end.")
	a.audit(1, "keys", "-environment", "prod")
	if out := a.audit(0, "show", "-failed"); strings.Count(out, "access denied") != 4 || strings.Count(out, "wrong environment") != 1 {
		t.Error(out)
	}
	// By whomever a login failed, it is told as the same thing.
	logins := strings.Split(strings.TrimSpace(a.audit(0, "show", "-operation", "log in")), "\n")[1:]
	me := regexp.MustCompile(`^\d+ +\S+ +([^@ ]+@[^@ ]+) +token +log in +access denied`)
	for n, line := range logins {
		if found := me.FindStringSubmatch(line); found == nil || (found[1] == "ada@example") != (n == 3) {
			t.Errorf("failed login %d: %s", n, line)
		}
	}
	if len(logins) != 4 {
		t.Errorf("there are %d failed logins", len(logins))
	}
	expect(t, a.audit(0, "verify"), "The log is whole, and goes with the token; not covered by a checkpoint yet: 5 records at its end.")
	if out := a.audit(0, "show", "-last", "2"); strings.Count(out, "\n") != 3 {
		t.Error(out)
	}

	token.Tool(t, "--delete-object", "--type", "privkey", "--id", look(t, token).Keys[".audit"].Versions[1].Ref.ID)
	expect(t, doctor(1), "FAILED audit key version 1:", "no longer on the token")
	if err := os.RemoveAll(a.dir); err != nil {
		t.Fatal(err)
	}
	expect(t, doctor(1), "FAILED audit log: The token has had an audit log")
}

// TestAuditShared: two environments that are told the same directory do not spoil the log.
func TestAuditShared(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	a := newAudited(t, token, orders(token, "", schedule))
	a.apply()
	records := filepath.Join(a.dir, "records-000000000000.jsonl")
	text, err := os.ReadFile(records)
	if err != nil {
		t.Fatal(err)
	}
	other := softhsm.New(t, "other")
	before := look(t, other)
	b := newCLI(t, strings.Replace(orders(other, "", schedule), `environment = "test"`, `environment = "prod"`, 1))
	b.failing([]string{"apply", "-auto-approve"}, `The log in this directory is that of environment "test"`, "a directory of its own")
	unchanged(t, before, look(t, other))
	if after, err := os.ReadFile(records); err != nil || !bytes.Equal(after, text) {
		t.Errorf("%v, it is now\n%s", err, after)
	}
}

// TestAuditRewritten: who may write to the directory, and cuts the checkpoints back, can write
// the last records anew; the histories on the token tell otherwise.
func TestAuditRewritten(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	a := newAudited(t, token, orders(token, "", schedule))
	a.apply()
	older := a.dir + ".older"
	if err := os.CopyFS(older, os.DirFS(a.dir)); err != nil {
		t.Fatal(err)
	}
	a.apply("-replace=hsm_key_rotation.orders")
	expect(t, a.audit(0, "verify"), "The log is whole, and goes with the token.")
	records := filepath.Join(a.dir, "records-000000000000.jsonl")
	text, err := os.ReadFile(records)
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(older, "records-000000000000.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	rewritten := append(before, bytes.ReplaceAll(text[len(before):], []byte("ada"), []byte("eve"))...)
	if err := os.WriteFile(records, rewritten, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"checkpoints", "checkpoint"} {
		if err := os.Rename(filepath.Join(older, name), filepath.Join(a.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(a.dir, "tree")); err != nil {
		t.Fatal(err)
	}
	expect(t, a.audit(1, "verify"), fmt.Sprintf("record %d: it tells of key/orders, entry", bytes.Count(before, []byte("\n"))), `done by "eve`, `and the history on the token has "ada`)
}

// TestAuditMirrors: what the log holds comes to a file and to a receiver; one that cannot be
// reached is a warning.
func TestAuditMirrors(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	dir := t.TempDir()
	socket, shipped := filepath.Join(dir, "socket"), filepath.Join(dir, "shipped")
	receiver, err := net.ListenPacket("unixgram", socket)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var got [][]byte
	go func() {
		for {
			text := make([]byte, 1<<16)
			n, _, err := receiver.ReadFrom(text)
			if err != nil {
				return
			}
			_, line, _ := bytes.Cut(text[:n], []byte("] "))
			mu.Lock()
			got = append(got, line)
			mu.Unlock()
		}
	}()
	defer func() { _ = receiver.Close() }()
	a := newAudited(t, token, "")
	with := func(more string) string {
		return strings.Replace(orders(token, "", schedule), "environment = ", fmt.Sprintf(`audit {
    mirror { syslog = "unix://%s" }
    mirror { file = %q }
    %s
  }
  environment = `, socket, shipped, more), 1)
	}
	a.configure(with(""))
	a.apply()
	a.configure(with(`mirror { syslog = "unix://` + socket + `.nowhere" }`))
	expect(t, a.apply("-replace=hsm_key_rotation.orders"), "does not take its records", ".nowhere", "The log itself is not affected.")
	a.configure(with(""))
	a.apply("-replace=hsm_key_rotation.orders") // delivers what a run before did not
	records, err := os.ReadFile(filepath.Join(a.dir, "records-000000000000.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(shipped); err != nil || !bytes.Equal(text, records) {
		t.Errorf("shipped is %d bytes of %d, %v", len(text), len(records), err)
	}
	mu.Lock()
	defer mu.Unlock()
	if text := append(bytes.Join(got, []byte("\n")), '\n'); !bytes.Equal(text, records) {
		t.Errorf("received are %d messages of %d", len(got), bytes.Count(records, []byte("\n")))
	}
	expect(t, a.audit(0, "verify"), "The log is whole, and goes with the token.")
}

// TestAuditFullDisk: if the log cannot be written, an apply changes nothing in the HSM, and
// a plan works.
func TestAuditFullDisk(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	c := attach(t, nil)
	c.useBinary("1")
	c.configure(orders(token, "", schedule))
	c.mustRun("init")
	terraform := c.path
	dir := t.TempDir()
	a := &audited{cli: c, token: token, dir: filepath.Join(dir, "log")}
	t.Setenv("HSM_AUDIT_DIRECTORY", a.dir)
	c.setenv("HSM_AUDIT_DIRECTORY", a.dir)

	// A disk of its own for the log, with what was there and no room for more but to the end
	// of the block that the records end in. What became of it is kept beside it.
	full := filepath.Join(dir, "full")
	script := fmt.Sprintf(`#!/bin/sh
exec unshare -rm sh -c '
  set -e
  mkdir -p %[1]s %[1]s.was
  cp -a %[1]s/. %[1]s.was
  mount -t tmpfs -o size=1m none %[1]s
  cp -a %[1]s.was/. %[1]s
  cat /dev/zero >%[1]s/filler 2>/dev/null || true
  code=0
  "$@" || code=$?
  rm %[1]s/filler
  cp -a %[1]s/. %[1]s.was
  exit $code' sh %[2]s "$@"
`, a.dir, terraform)
	if err := os.WriteFile(full, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	empty := look(t, token)
	c.path = full
	c.mustRun("plan")
	c.failing([]string{"apply", "-auto-approve"}, "no space left on device", "Make room on the disk of the audit log")
	unchanged(t, empty, look(t, token))

	settle := func() {
		t.Helper()
		if err := os.RemoveAll(a.dir); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(a.dir+".was", a.dir); err != nil {
			t.Fatal(err)
		}
	}
	settle()
	c.path = terraform
	c.apply()
	whole := func() { t.Helper(); expect(t, a.audit(0, "verify"), "The log is whole, and goes with the token.") }
	whole()
	for range 3 { // whatever still had room is in the log, and nothing else was done
		c.path = full
		c.failing([]string{"apply", "-auto-approve", "-replace=hsm_key_rotation.orders"}, "no space left on device")
		settle()
		a.justBegun()
	}

	// What changes nothing goes on, and what is refused is refused for its own reason.
	c.path = full
	c.mustRun("state", "rm", "hsm_key.orders")
	expect(t, c.mustRun("import", "hsm_key.orders", "orders"), "An import could not be written down.")
	c.configure(strings.Replace(orders(token, "", schedule), `environment = "test"`, `environment = "prod"`, 1))
	c.failing([]string{"plan"}, `The token belongs to environment "test"`, "A refusal could not be written down.")
	settle()
	c.configure(orders(token, "", schedule))
	c.path = terraform
	c.apply()
	whole()
}
