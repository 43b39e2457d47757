package torture_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/assembly"
	"github.com/keystead/terraform-provider-hsm/internal/interposer"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// TestKillsUnderAudit kills the provider before and after each write to the token while
// everything is written down in a log: no kill leaves a change that the log does not tell of,
// neither at once nor after the next run, and none breaks the log.
func TestKillsUnderAudit(t *testing.T) {
	random := seeded(t)
	kills := 0
	names := slices.Sorted(maps.Keys(scenarios()))
	if !long() {
		names = []string{"create", "retire, destroying", "rotate, create first"}
	}
	for _, name := range shard(names) {
		t.Run(name, func(t *testing.T) {
			log := filepath.Join(t.TempDir(), "log")
			t.Setenv("HSM_AUDIT_DIRECTORY", log)
			p := newSite(t, scenarios()[name])
			log0 := log + "0"
			if _, err := os.Stat(log); err == nil {
				if err := os.CopyFS(log0, os.DirFS(log)); err != nil {
					t.Fatal(err)
				}
			}
			restore := func() {
				p.restore()
				if err := os.RemoveAll(log); err != nil {
					t.Fatal(err)
				}
				if _, err := os.Stat(log0); err == nil {
					if err := os.CopyFS(log, os.DirFS(log0)); err != nil {
						t.Fatal(err)
					}
				}
			}
			total := p.writes()
			p.goesWithTheLog("undisturbed", log)
			type kill struct {
				write int
				how   interposer.Action
			}
			var points []kill
			for n := 1; n <= total; n++ {
				points = append(points, kill{n, interposer.KillBefore}, kill{n, interposer.KillAfter})
			}
			random.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
			if !long() {
				points = points[:min(len(points), 2)]
			}
			for _, k := range points {
				what := fmt.Sprintf("%s write %d of %d", k.how, k.write, total)
				restore()
				p.module.Act(k.how, k.write, 1, 0)
				if out, code := p.work.run(p.change()...); code == 0 {
					t.Errorf("%s: the apply did not notice:\n%s", what, out)
				}
				kills++
				left := p.wreck()
				p.goesWithTheLog(what+", at once", log)
				p.recover(what)
				p.check(what, left, true)
				p.goesWithTheLog(what, log)
			}
		})
	}
	summarise(t, "kills under audit", kills, "%d of the provider at a write, each followed by a verification of the log against the token", kills)
}

// goesWithTheLog verifies the log against the token, through another module than the
// provider's. The one thing that may be wrong is an intent without an outcome: where the
// write that was cut off was the last, no run after it had anything to change, and so to
// close it.
func (p *site) goesWithTheLog(what, log string) {
	p.t.Helper()
	p.server.Drained()
	p.t.Setenv("HSM_PIN", softhsm.PIN)
	var b bytes.Buffer
	code := assembly.Command(p.t.Context(), "test", []string{
		"audit", "verify", "-directory", log, "-module-path", p.token.Module, "-token-serial", p.token.Serial, "-environment", "test",
	}, &b, &b)
	problems := 0
	for line := range strings.Lines(b.String()) {
		if (strings.HasPrefix(line, "record ") || strings.HasPrefix(line, "the log:")) && !strings.Contains(line, "without an outcome") {
			problems++
		}
	}
	if problems > 0 || code != 0 && !strings.Contains(b.String(), "without an outcome") {
		p.t.Errorf("%s: the log does not go with the token:\n%s", what, b.String())
	}
}
