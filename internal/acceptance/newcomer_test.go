package acceptance_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// TestNewcomer does what the first page says, to the letter, with the built provider:
// its commands and its files, in the order of the page, and sees what the page shows.
func TestNewcomer(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "index.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "## From nothing to a rotated key\n")
	section, _, _ = strings.Cut(section, "\n## ")
	if !found {
		t.Fatal("the page has no such section")
	}
	script, shown := walk(section)
	script = strings.ReplaceAll(script, "/usr/lib/softhsm/libsofthsm2.so", softhsm.Module(t))
	if !strings.Contains(script, "terraform apply -replace=") || len(shown) == 0 {
		t.Fatalf("the page leads nowhere:\n%s", script)
	}

	c := attach(t, nil)
	c.useBinary("1")
	path := t.TempDir() // where "terraform" is the CLI that is tested
	if err := os.Symlink(c.path, filepath.Join(path, "terraform")); err != nil {
		t.Fatal(err)
	}
	c.env = slices.DeleteFunc(c.env, func(pair string) bool {
		return strings.HasPrefix(pair, "HSM_") || strings.HasPrefix(pair, "SOFTHSM2_CONF=")
	})
	c.setenv("PATH", path+string(os.PathListSeparator)+os.Getenv("PATH"))
	c.setenv("TF_CLI_ARGS_apply", "-auto-approve -no-color") // the newcomer says yes
	begin := time.Now()
	bash := exec.CommandContext(t.Context(), "bash", "-euc", script)
	bash.Dir, bash.Env = c.dir, c.env
	out, err := bash.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("from an empty directory to a rotated key in %s", time.Since(begin).Round(time.Second))
	expect(t, string(out), shown...)
}

// walk turns a page into a script: what is typed at a prompt, and each configuration
// written to main.tf; and into what the page shows of the commands' output.
func walk(page string) (script string, shown []string) {
	var steps, output []string
	block, inside := "", false
	for line := range strings.Lines(page) {
		text := strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(text, "```") && !inside:
			block, inside = strings.TrimPrefix(text, "```"), true
			if block == "terraform" {
				steps = append(steps, "cat >main.tf <<'END'")
			}
		case strings.HasPrefix(text, "```"):
			if block == "terraform" {
				steps = append(steps, "END")
			}
			if len(output) > 0 {
				shown = append(shown, strings.Join(output, "\n"))
			}
			output, inside = nil, false
		case inside && block == "terraform":
			steps = append(steps, text)
		case inside && block == "console":
			if command, typed := strings.CutPrefix(text, "$ "); typed {
				steps = append(steps, command)
			} else {
				output = append(output, text)
			}
		}
	}
	return strings.Join(steps, "\n") + "\n", shown
}
