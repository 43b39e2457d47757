package acceptance_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// planned is one change in the life of a key and of who may use it, with what its plan may
// leave open about things that exist: anything else that a plan does not know lets
// dependents change for nothing, and readers look for a reason.
type planned struct {
	name    string
	change  func(p *plans)
	args    []string
	unknown []string
	isLast  bool // planned, and not applied
}

// TestPlans compares the plans of the commonest changes with the texts in testdata/plans,
// as users of Terraform 1.11 read them. UPDATE=1 writes these.
func TestPlans(t *testing.T) {
	rotation := []string{
		"id", "version", "previous_version", "public_key_jwk", "public_key_pem", "jwks", "rotated_at", "rotate_at", "rotation_due",
		"trusted_public_keys", "versions", "superseded", "pending_transitions",
		"input", "output", // of what depends on it
	}
	newVersion := []string{"fingerprint_sha256", "key_id", "rotate_at", "rotation_due", "sealed_secret", "version", "versions"}
	p := &plans{token: softhsm.New(t, "acceptance"), schedule: schedule}
	p.cli = newCLI(t, p.configuration())
	// CLIs word some things of their own otherwise: the texts are those of one of them, and
	// what a plan leaves open is looked at with all.
	isComparable := strings.HasPrefix(p.mustRun("version"), "Terraform v1.11.")
	for _, tc := range []planned{
		{name: "create-key"},
		{name: "tag-key", change: func(p *plans) { p.key = "tags = { desk = \"spot\" }" }},
		{name: "disable-key", change: func(p *plans) { p.key += "\n  enabled = false" }, unknown: []string{"state", "enforcement"}},
		{name: "enable-key", change: func(p *plans) { p.key = "tags = { desk = \"spot\" }" }, unknown: []string{"state", "enforcement"}},
		{name: "change-schedule", change: func(p *plans) { p.schedule = strings.Replace(schedule, "168h", "336h", 1) }},
		{name: "rotate-by-schedule", change: func(p *plans) { p.pass(period) }, unknown: rotation},
		{name: "rotate-by-hand", args: []string{"-replace=" + rotator}, unknown: rotation},
		{name: "add-credential", change: func(p *plans) { p.more = bot }},
		{name: "add-policy", change: func(p *plans) { p.more = bot + may("sign") }},
		{name: "change-policy", change: func(p *plans) { p.more = bot + may("sign", "verify") }},
		{name: "retire-replaced-version", change: func(p *plans) { p.pass(2 * overlap) }, unknown: []string{"state", "enforcement", "deactivated_at", "process_until", "destroyed_at"}},
		{name: "rotate-credential", change: func(p *plans) { p.pass(720*time.Hour - 2*overlap) }, unknown: newVersion},
		{name: "import-key", change: func(p *plans) {
			p.mustRun("state", "rm", "hsm_key.orders")
			p.more += "import {\n  to = hsm_key.orders\n  id = \"orders\"\n}\n"
		}},
		{name: "rename-key", change: func(p *plans) { p.name = "trades" }, isLast: true, unknown: append(rotation, "created_at", "current_version", "pkcs11_uri")},
		{name: "destroy", change: func(p *plans) { p.name = "" }, args: []string{"-destroy"}, isLast: true},
	} {
		if tc.change != nil {
			tc.change(p)
		}
		p.configure(p.configuration())
		text := p.plan(tc.args...)
		t.Run(tc.name, func(t *testing.T) {
			if isComparable {
				golden(t, filepath.Join("testdata", "plans", tc.name+".txt"), text)
			}
			if unknown := unknownOf(text); !subset(unknown, tc.unknown) {
				t.Errorf("the plan does not know %v of things that exist, where only %v may be open:\n%s", unknown, tc.unknown, text)
			}
		})
		if !tc.isLast {
			p.mustRun("apply", "a.tfplan")
			p.noChanges()
		}
	}
}

// plans is a configuration that changes step by step.
type plans struct {
	*cli
	token                     *softhsm.Token
	name, key, schedule, more string
}

func (p *plans) configuration() string {
	text := orders(p.token, p.key, p.schedule) + p.more
	if p.name != "" {
		text = strings.Replace(text, `name                = "orders"`, `name                = "`+p.name+`"`, 1)
	}
	return text
}

const bot = `
resource "hsm_api_credential" "bot" {
  name         = "market-maker"
  owner        = "spot-desk"
  type         = "shared_secret"
  algorithm    = "hmac-sha256"
  recipients   = ["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"]
  rotate_every = "720h"
  overlap      = "48h"
}
`

// may is a policy that permits the bot these actions.
func may(actions ...string) string {
	return `
resource "hsm_access_policy" "bot" {
  name = "market-maker"

  statement {
    effect     = "permit"
    principals = [hsm_api_credential.bot.id]
    actions    = ["` + strings.Join(actions, `", "`) + `"]
    keys       = [hsm_key.orders.id]
  }
}
`
}

// plan returns what a plan says will be done, without what differs from run to run.
func (p *plans) plan(args ...string) string {
	p.t.Helper()
	out := p.mustRun(append([]string{"plan", "-out=a.tfplan"}, args...)...)
	_, actions, found := strings.Cut(out, "will perform the following actions:\n\n")
	if !found {
		_, actions, found = strings.Cut(out, "will perform the\nfollowing actions:\n\n")
	}
	end := planEnd.FindStringIndex(actions)
	if !found || end == nil {
		p.t.Fatalf("this plan has no actions:\n%s", out)
	}
	text := actions[:end[1]]
	for _, r := range randoms {
		text = r.pattern.ReplaceAllString(text, r.by)
	}
	return text
}

var planEnd = regexp.MustCompile(`(?m)^Plan: .*\n`)

// randoms is what a token and its keys have of their own.
var randoms = []struct {
	pattern *regexp.Regexp
	by      string
}{
	{regexp.MustCompile(`(?s)-----BEGIN ([A-Z ]+)-----.*?-----END [A-Z ]+-----`), "($1)"},
	{regexp.MustCompile(`id=(%[0-9A-F]{2})+`), "id=(id)"},
	{regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`), "(uuid)"},
	{regexp.MustCompile(`serial=[0-9a-f]{16}`), "serial=(serial)"},
	{regexp.MustCompile(`\b([0-9a-f]{64}|[0-9a-f]{32})\b`), "(hex)"},
	{regexp.MustCompile(`[A-Za-z0-9_-]{43}\b`), "(base64)"},
}

// unknownOf lists the attributes that are not known of things that are not made by the
// plan.
func unknownOf(plan string) []string {
	names := map[string]bool{}
	var isMade bool
	for line := range strings.Lines(plan) {
		if strings.HasPrefix(line, "  # ") {
			isMade = strings.Contains(line, "will be created")
		}
		name, value, _ := strings.Cut(strings.TrimLeft(line, " ~+-"), "=")
		if !isMade && strings.Contains(value, "(known after apply)") {
			names[strings.TrimSpace(name)] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func subset(some, all []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}

// golden compares a text with a file, which UPDATE=1 writes.
func golden(t *testing.T, file, text string) {
	t.Helper()
	if os.Getenv("UPDATE") != "" {
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("%s says otherwise; if the new text is right, write it with UPDATE=1:\n%s", file, text)
	}
}
