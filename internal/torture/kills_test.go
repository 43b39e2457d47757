package torture_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/interposer"
	"github.com/keystead/terraform-provider-hsm/internal/inventory"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// site is a token in processes of its own, as a real HSM is, and a directory from which
// Terraform works on it through a module that can kill the provider.
type site struct {
	t        *testing.T
	token    *softhsm.Token // by itself
	server   *softhsm.Server
	module   *interposer.Module
	work     *workdir
	head     string // of each configuration: the provider block
	disturb  scenario
	token0   *snapshot // as of before the change
	state0   []byte
	before   *inventory.Inventory
	clean    *inventory.Inventory // as of after the change when it is left alone
	stranger []string
}

func newSite(t *testing.T, s scenario) *site {
	t.Helper()
	token := softhsm.New(t, "torture")
	remote, server := token.Serve(t)
	p := &site{t: t, token: token, server: server, module: interposer.New(t, remote.Module), disturb: s}
	p.head = fmt.Sprintf(`
terraform {
  required_providers {
    hsm = { source = "keystead/hsm" }
  }
}

provider "hsm" {
  module_path  = %q
  token_serial = %q
  environment  = "test"
  actor        = "ada@example"
}
`, p.module.Path, token.Serial)
	if s.foreign {
		token.Tool(t, "--keypairgen", "--key-type", "EC:prime256v1", "--usage-sign", "--id", stranger, "--label", "legacy")
		p.stranger = []string{stranger}
	}
	p.work = newWorkdir(t, p.head+s.before)
	for _, configuration := range []string{s.before, s.twice} {
		if configuration != "" {
			p.work.configure(p.head + configuration)
			p.work.must("apply", "-auto-approve")
		}
	}
	if s.pause != "" {
		d, err := time.ParseDuration(s.pause)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(d) // an overlap ends
	}
	server.Drained()
	p.work.configure(p.head + s.after)
	p.token0, p.before = take(t, token.Store.TokenDir()), p.inventory()
	state, err := os.ReadFile(p.stateFile())
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	p.state0 = state
	return p
}

func (p *site) stateFile() string { return filepath.Join(p.work.dir, "terraform.tfstate") }

func (p *site) inventory() *inventory.Inventory {
	p.t.Helper()
	return inventory.Read(p.t, p.token.Module, p.token.Serial, softhsm.PIN)
}

// restore brings token and state back to before the change.
func (p *site) restore() {
	p.t.Helper()
	p.server.Drained()
	p.token0.restore(p.t)
	for _, file := range []string{p.stateFile(), p.stateFile() + ".backup"} {
		if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
			p.t.Fatal(err)
		}
	}
	if p.state0 != nil {
		if err := os.WriteFile(p.stateFile(), p.state0, 0o600); err != nil {
			p.t.Fatal(err)
		}
	}
	p.module.CountWrites()
}

func (p *site) change(more ...string) []string {
	return slices.Concat([]string{"apply", "-auto-approve"}, p.disturb.args, more)
}

// writes counts what an undisturbed change writes, and makes sure that it is one.
func (p *site) writes() int {
	p.t.Helper()
	p.restore()
	p.work.must(p.change()...)
	if count := p.module.Counted(); count > 0 {
		p.server.Drained()
		p.clean = p.inventory()
		p.check("undisturbed", p.before, false)
		return count
	}
	p.t.Fatal("the change writes nothing")
	return 0
}

var taken = regexp.MustCompile(`to = (hsm_\w+)\.NAME_OF_THE_RESOURCE\s+id = "([\w.-]+)"`)

// addresses are where the configurations have what is of a type and name.
var addresses = map[string]string{
	"hsm_key orders": "hsm_key.orders", "hsm_key_rotation orders": "hsm_key_rotation.orders",
	"hsm_api_credential bot": "hsm_api_credential.bot", "hsm_access_policy bot": "hsm_access_policy.bot",
}

// recover does what a user does after a kill: the same again, and an import of what the
// error says is there already.
func (p *site) recover(what string) (imported bool) {
	p.t.Helper()
	p.module.Behave()
	for range 4 {
		out, code := p.work.run(p.change()...)
		if code == 0 {
			if imported && p.disturb.pause != "" { // with what was rotated once more, another overlap of a second is about to end
				time.Sleep(1500 * time.Millisecond)
				p.work.must(p.change()...)
			}
			return imported
		}
		blocks := taken.FindAllStringSubmatch(strings.ReplaceAll(out, "│", ""), -1)
		if strings.Contains(out, "is superseded, and a change") || strings.Contains(out, "is superseded,\n") {
			// The rotation took effect, and the kill kept Terraform from noting it.
			p.work.must("state", "rm", "hsm_key_rotation.orders")
			blocks = append(blocks, []string{"", "hsm_key_rotation", "orders"})
		}
		if len(blocks) == 0 {
			p.t.Errorf("%s: the next apply fails:\n%s", what, out)
			return imported
		}
		done := map[string]bool{} // the plan has warned of what the apply then failed at
		for _, block := range blocks {
			imported = true
			address := addresses[block[1]+" "+block[2]]
			if done[address] {
				continue
			}
			done[address] = true
			if out, code := p.work.run("import", address, block[2]); code != 0 {
				p.t.Errorf("%s: the import that was asked for fails:\n%s", what, out)
				return imported
			}
		}
	}
	p.t.Errorf("%s: there is no end to imports", what)
	return imported
}

// wreck is what a kill has left.
func (p *site) wreck() *inventory.Inventory {
	p.t.Helper()
	p.module.Behave()
	p.server.Drained()
	return p.inventory()
}

// check reads the token through an independent path, and plans once more. Nothing may be
// lost of what was there before the change, nor of what a kill had left: no number of it,
// even of a version of which nothing came, is given to another key.
func (p *site) check(what string, wreck *inventory.Inventory, plan bool) {
	p.t.Helper()
	p.server.Drained()
	now := p.inventory()
	strangers := p.stranger
	if _, ok := now.Keys["orders"]; ok {
		strangers = nil // it was adopted
	}
	if bad := slices.Concat(now.Violations(strangers...), now.Lost(p.before), now.Lost(wreck), now.Astray(p.before, p.clean)); len(bad) > 0 {
		p.t.Errorf("%s: %q", what, bad)
	}
	if plan {
		if out, code := p.work.run("plan", "-detailed-exitcode"); code != 0 {
			p.t.Errorf("%s: the next plan is not empty, exit code %d:\n%s", what, code, out)
		}
	}
}

// TestKills kills the provider before and after each write of each change, also twice in
// a row, and the CLI at any time, and interrupts it. Then the same is applied again.
func TestKills(t *testing.T) {
	random := seeded(t)
	kills, double, cli, interrupts, imports := 0, 0, 0, 0, 0
	for _, name := range shard(slices.Sorted(maps.Keys(scenarios()))) {
		t.Run(name, func(t *testing.T) {
			p := newSite(t, scenarios()[name])
			total := p.writes()
			type kill struct {
				write int
				how   interposer.Action
			}
			var points []kill
			for n := 1; n <= total; n++ {
				points = append(points, kill{n, interposer.KillBefore}, kill{n, interposer.KillAfter})
			}
			random.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
			many, few := len(points), 14
			if !long() {
				many, few = 1, 0
				if name == "rotate, destroy first" {
					few = 1
				}
			}
			for _, k := range points[:many] {
				what := fmt.Sprintf("%s write %d of %d", k.how, k.write, total)
				p.restore()
				p.module.Act(k.how, k.write, 1, 0)
				if out, code := p.work.run(p.change()...); code == 0 {
					t.Errorf("%s: the apply did not notice:\n%s", what, out)
				}
				if times, _ := p.module.Acted(); times != 1 {
					t.Errorf("%s: killed %d times", what, times)
				}
				kills++
				if random.IntN(4) == 0 { // and once more, while it recovers
					again := 1 + random.IntN(4)
					p.module.Act(k.how, again, 1, 0)
					p.work.run(p.change()...)
					if times, _ := p.module.Acted(); times == 1 {
						what += fmt.Sprintf(", then write %d of the next apply", again)
						kills++
						double++
					}
				}
				left := p.wreck()
				if p.recover(what) {
					imports++
				}
				p.check(what, left, true)
			}
			p.restore()
			began := time.Now()
			p.work.must(p.change()...)
			takes := time.Since(began)
			for range few {
				after := time.Duration(random.Int64N(int64(takes)))
				for _, way := range []struct {
					name   string
					signal syscall.Signal
					all    bool
					count  *int
				}{{"CLI killed", syscall.SIGKILL, false, &cli}, {"interrupted", syscall.SIGINT, true, &interrupts}} {
					what := fmt.Sprintf("%s after %v of %v", way.name, after, takes)
					p.restore()
					p.work.signalled(after, way.signal, way.all, p.change()...)
					*way.count++
					left := p.wreck()
					if p.recover(what) {
						imports++
					}
					p.check(what, left, true)
				}
			}
		})
	}
	summarise(t, "kills", kills+cli+interrupts, "%d of the provider at a write (%d of them while it recovered), %d of the CLI, %d interrupts; %d times something had to be imported",
		kills, double, cli, interrupts, imports)
}
