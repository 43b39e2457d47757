package acceptance_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/inventory"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// TestRivals lets two and four runs of the CLI loose on one token at once, each with a
// state of its own, so that no lock of Terraform's keeps them apart. Whatever comes of
// it: the token is in order, whoever loses fails and says why, and the next apply
// everywhere comes to rest.
//
// The short form is three rounds of two, of whatever kind. TORTURE=1 goes on for TORTURE_ROUNDS
// rounds of each kind, TORTURE_SEED repeats a run's choices.
func TestRivals(t *testing.T) {
	trial := newTrial(t)
	for n := range max(trial.rounds, 1) {
		for _, kind := range slices.Sorted(maps.Keys(contests)) {
			for _, remote := range []bool{false, true} {
				trial.plan = append(trial.plan, round{kind: kind, number: n + 1, rivals: []int{2, 4}[trial.random.IntN(2)], remote: remote})
			}
		}
	}
	if trial.rounds == 0 {
		trial.random.Shuffle(len(trial.plan), func(i, j int) { trial.plan[i], trial.plan[j] = trial.plan[j], trial.plan[i] })
		trial.plan = trial.plan[:3]
		for i := range trial.plan {
			trial.plan[i].rivals = 2
		}
	}
	for _, r := range trial.plan {
		t.Run(fmt.Sprintf("%s/%d/%d rivals, remote=%t", r.kind, r.number, r.rivals, r.remote), func(t *testing.T) {
			trial.round(t, contests[r.kind], r.rivals, r.remote)
		})
	}
	trial.summary()
}

// round is one contest: its kind, and who takes part from where.
type round struct {
	kind           string
	number, rivals int
	remote         bool
}

// contest is what rivals do to each other.
type contest struct {
	// shared says that all begin with the same state, in which everything exists.
	shared bool
	// does returns the configuration of a rival, and its command; the number of the
	// rival counts from 0.
	does func(token *softhsm.Token, rival int) (configuration string, command []string)
	// harmless says that nobody has to lose.
	harmless bool
}

var apply = []string{"apply", "-auto-approve"}

// The kinds of contests. A rival's first command is followed by an apply of the same
// configuration, if it was not to destroy.
var contests = map[string]contest{
	"create against create": {does: func(token *softhsm.Token, _ int) (string, []string) {
		return estate(token, "orders", ""), apply
	}},
	"create beside create": {harmless: true, does: func(token *softhsm.Token, rival int) (string, []string) {
		return estate(token, fmt.Sprintf("orders%d", rival), ""), apply
	}},
	"create against destroy": {does: func(token *softhsm.Token, rival int) (string, []string) {
		if rival == 0 {
			return estate(token, "orders", ""), []string{"destroy", "-auto-approve"}
		}
		return estate(token, "orders", ""), apply
	}},
	"rotate against rotate": {shared: true, does: func(token *softhsm.Token, rival int) (string, []string) {
		return estate(token, "orders", fmt.Sprintf("rival %d", rival)), append(slices.Clone(apply), "-replace="+rotator)
	}},
	"update against destroy": {shared: true, does: func(token *softhsm.Token, rival int) (string, []string) {
		if rival == 0 {
			return estate(token, "orders", ""), []string{"destroy", "-auto-approve"}
		}
		return estate(token, "orders", fmt.Sprintf("rival %d", rival)), apply
	}},
}

// estate is a key with its rotation, two credentials and a policy, all of one name, and
// with a text in each that can be changed. The text rotates the shared secret.
func estate(token *softhsm.Token, name, text string) string {
	return providerBlock(token, "test") + fmt.Sprintf(`
resource "hsm_key" "orders" {
  name                = %[1]q
  algorithm           = "EC_P256"
  deletion_protection = false
  tags                = { text = %[2]q }
}

resource "hsm_key_rotation" "orders" {
  key_id       = hsm_key.orders.id
  rotate_every = "2160h"
  overlap      = "168h"
}

resource "hsm_key" "archive" {
  name                = "%[1]s-archive"
  algorithm           = "AES_256"
  deletion_protection = false
  on_destroy          = "destroy"
  tags                = { text = %[2]q }
}

resource "hsm_api_credential" "bot" {
  name                = "%[1]s-bot"
  owner               = "desk"
  type                = "shared_secret"
  algorithm           = "hmac-sha256"
  overlap             = "48h"
  rotate_when_changed = { text = %[2]q }
}

resource "hsm_api_credential" "ada" {
  name       = "%[1]s-ada"
  owner      = "ada"
  type       = "public_key"
  public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDMhYDYYEJHXfEzI4Et7ua0C1WIDd3fcLPpffC2vExyb"
  tags       = { text = %[2]q }
}

resource "hsm_access_policy" "desk" {
  name        = "%[1]s-desk"
  description = %[2]q
  statement {
    effect     = "permit"
    principals = [hsm_api_credential.bot.id, hsm_api_credential.ada.id]
    actions    = ["sign", "encrypt"]
    keys       = [hsm_key.orders.id, hsm_key.archive.id]
  }
}
`, name, text)
}

// trial is a number of rounds, with the CLIs that take part in all of them.
type trial struct {
	t       *testing.T
	random  *rand.Rand
	rounds  int // of each kind, 0 for the short form
	plan    []round
	rivals  []*cli
	counted struct{ rounds, runs, violations, lost int }
}

// newTrial prepares the CLIs: what takes longest is building the provider and init.
func newTrial(t *testing.T) *trial {
	t.Helper()
	seed, rounds := time.Now().UnixNano(), 0
	if os.Getenv("TORTURE") != "" {
		rounds = 20
	}
	for name, number := range map[string]func(int64){
		"TORTURE_SEED": func(n int64) { seed = n }, "TORTURE_ROUNDS": func(n int64) { rounds = int(n) },
	} {
		if text := os.Getenv(name); text != "" {
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			number(n)
		}
	}
	t.Logf("torture: rivals: seed %d", seed)
	trial := &trial{t: t, rounds: rounds, random: rand.New(rand.NewPCG(uint64(seed), 0))} //nolint:gosec // G404: choices, not secrets
	mirror := buildMirror(t, "1")
	for range 4 {
		c := attach(t, nil)
		c.useMirror(mirror)
		c.configure(providerBlock(&softhsm.Token{}, "test"))
		c.mustRun("init")
		trial.rivals = append(trial.rivals, c)
	}
	return trial
}

func (r *trial) summary() {
	// Not to the test's log, which is kept quiet when all is well.
	fmt.Printf("torture: rivals: %d rounds, %d runs, %d violations\n", r.counted.rounds, r.counted.runs, r.counted.violations)
	r.t.Logf("in %d of the runs something was lost to a rival", r.counted.lost)
}

// round is one contest on a token of its own.
func (r *trial) round(t *testing.T, c contest, rivals int, remote bool) {
	r.counted.rounds++
	defer func() {
		if t.Failed() {
			r.counted.violations++
		}
	}()
	token := softhsm.New(t, "acceptance")
	reached := token
	if remote {
		reached, _ = token.Serve(t)
	}
	ring := r.rivals[:rivals]
	for i, each := range ring {
		each.fresh(t, token)
		if remote {
			each.setenv("P11_KIT_SERVER_ADDRESS", os.Getenv("P11_KIT_SERVER_ADDRESS"))
		}
		configuration, command := c.does(reached, i)
		each.configure(configuration)
		if command[0] == "destroy" && !c.shared {
			r.apply(t, each)
		}
	}
	if c.shared {
		r.shareState(t, reached, ring)
	}
	before := look(t, token)

	// 1. All at once.
	runs := r.race(c, reached, ring)
	defer func() {
		if t.Failed() {
			for i, run := range runs {
				t.Logf("rival %d: %v: exit code %d\n%s", i, run.command, run.code, run.out)
			}
		}
	}()
	before = r.inOrder(t, token, before, "after the contest")
	for i, run := range runs {
		r.explained(t, i, run)
	}
	if c.harmless {
		for i, run := range runs {
			if run.code != 0 {
				t.Errorf("rival %d lost although nobody was in its way", i)
			}
		}
	}

	// 2. Each one again, by itself.
	for i, each := range ring {
		_, command := c.does(reached, i)
		again := run{command: command[:2]}
		again.out, again.code = each.run(command[:2]...)
		r.counted.runs++
		r.explained(t, i, again)
		if again.code == 0 && runs[i].code == 0 && command[0] == "apply" && !c.shared {
			each.noChanges() // whoever won has won
		}
		before = r.inOrder(t, token, before, fmt.Sprintf("after rival %d has gone on", i))
	}
	r.atRest(t, c, reached, token, ring)
	r.inOrder(t, token, before, "at rest")
}

// fresh makes an empty directory of a CLI's, for another token.
func (c *cli) fresh(t *testing.T, token *softhsm.Token) {
	t.Helper()
	for _, name := range []string{"terraform.tfstate", "terraform.tfstate.backup"} {
		if err := os.RemoveAll(filepath.Join(c.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	c.setenv("SOFTHSM2_CONF", token.Store.Conf)
}

func (r *trial) apply(t *testing.T, c *cli) {
	t.Helper()
	r.counted.runs++
	if out, code := c.run(apply...); code != 0 {
		t.Fatalf("apply: exit code %d\n%s", code, out)
	}
}

// shareState has one of the rivals make everything, and gives its state to all.
func (r *trial) shareState(t *testing.T, token *softhsm.Token, ring []*cli) {
	t.Helper()
	after, err := os.ReadFile(filepath.Join(ring[0].dir, "main.tf"))
	if err != nil {
		t.Fatal(err)
	}
	ring[0].configure(estate(token, "orders", ""))
	r.apply(t, ring[0])
	ring[0].configure(string(after))
	state := ring[0].stateFile()
	for _, each := range ring[1:] {
		if err := os.WriteFile(filepath.Join(each.dir, "terraform.tfstate"), state, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// stateFile is the state as it is on the disk.
func (c *cli) stateFile() []byte {
	c.t.Helper()
	state, err := os.ReadFile(filepath.Join(c.dir, "terraform.tfstate"))
	if err != nil {
		c.t.Fatal(err)
	}
	return state
}

// run is what came of a command.
type run struct {
	command []string
	out     string
	code    int
}

// race starts all rivals, each a random moment after the one before: they meet at
// another point each time.
func (r *trial) race(c contest, token *softhsm.Token, ring []*cli) []run {
	runs := make([]run, len(ring))
	var wg sync.WaitGroup
	for i, each := range ring {
		_, command := c.does(token, i)
		delay := time.Duration(r.random.IntN(200)) * time.Millisecond
		wg.Go(func() {
			time.Sleep(delay)
			runs[i].command = command
			runs[i].out, runs[i].code = each.run(command...)
		})
	}
	wg.Wait()
	r.counted.runs += len(ring)
	for _, run := range runs {
		if run.code != 0 {
			r.counted.lost++
		}
	}
	return runs
}

var (
	summaries = regexp.MustCompile(`(?m)^[│ ]*Error: (.*)$`)
	// rivalry is how a summary ends that a rival can be the reason of.
	rivalry = regexp.MustCompile(`: (conflict|already exists|not found|protected)$`)
)

// explained checks that a run which failed says what the rival did to it.
func (r *trial) explained(t *testing.T, rival int, run run) {
	t.Helper()
	found := summaries.FindAllStringSubmatch(run.out, -1)
	if run.code == 0 && len(found) == 0 {
		return
	}
	if run.code == 0 || len(found) == 0 {
		t.Errorf("rival %d: exit code %d:\n%s", rival, run.code, run.out)
	}
	for _, m := range found {
		if !rivalry.MatchString(strings.TrimSpace(m[1])) {
			t.Errorf("rival %d failed at %v with %q, which is not because of a rival:\n%s", rival, run.command, m[1], run.out)
		}
	}
	if strings.Contains(run.out, "already exists") {
		expect(t, run.out, "import {", "to = hsm_")
	}
}

// inOrder reads the token past the provider.
func (r *trial) inOrder(t *testing.T, token *softhsm.Token, before *inventory.Inventory, when string) (now *inventory.Inventory) {
	t.Helper()
	now = look(t, token)
	for _, bad := range slices.Concat(now.Violations(), now.Lost(before)) {
		t.Errorf("%s: %s", when, bad)
	}
	if len(now.Leftovers) > 0 {
		t.Errorf("%s: left over are %q", when, now.Leftovers)
	}
	return now
}

// atRest imports what a directory lost to another, where it is still there, and wants
// every directory to come to rest that is not to have nothing.
func (r *trial) atRest(t *testing.T, c contest, token *softhsm.Token, own *softhsm.Token, ring []*cli) {
	t.Helper()
	for i, each := range ring {
		configuration, command := c.does(token, i)
		if command[0] == "destroy" {
			continue
		}
		owned, living := string(each.stateFile()), look(t, own)
		var imports strings.Builder
		for address, label := range map[string]string{
			"hsm_key.orders": "key/%s", "hsm_key_rotation.orders": "key/%s", "hsm_key.archive": "key/%s-archive",
			"hsm_api_credential.bot": "credential/%s-bot", "hsm_api_credential.ada": "credential/%s-ada", "hsm_access_policy.desk": "policy/%s-desk",
		} {
			kind, name, _ := strings.Cut(address, ".")
			label = fmt.Sprintf(label, nameIn(configuration))
			if _, id, _ := strings.Cut(label, "/"); living.Lives(label) && !regexp.MustCompile(fmt.Sprintf(`"type": %q,\s+"name": %q`, kind, name)).MatchString(owned) {
				fmt.Fprintf(&imports, "import {\n  to = %s\n  id = %q\n}\n", address, id)
			}
		}
		each.configure(configuration + imports.String())
		r.apply(t, each)
		each.noChanges()
	}
}

// nameIn is the name of the key in an estate.
func nameIn(configuration string) string {
	return regexp.MustCompile(`name\s+= "([^"]+)"`).FindStringSubmatch(configuration)[1]
}
