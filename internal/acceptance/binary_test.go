package acceptance_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// TestBinary runs the built provider as users do, from a filesystem mirror in a
// process of its own; a build without cgo has to say why it can do nothing.
func TestBinary(t *testing.T) {
	for name, tc := range map[string]struct {
		cgo   string
		check func(c *cli)
	}{
		"with cgo": {"1", func(c *cli) {
			c.apply()
			c.noChanges()
		}},
		"without cgo": {"0", func(c *cli) {
			c.mustRun("validate")
			c.failing([]string{"plan"}, "built without cgo", "CGO_ENABLED=1")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			tc.check(newBinaryCLI(t, tc.cgo, orders(softhsm.New(t, "acceptance"), "", schedule)))
		})
	}
}

// TestByHand starts the built provider as somebody does who wonders what it is.
func TestByHand(t *testing.T) {
	binaries := map[string]string{}
	for _, cgo := range []string{"0", "1"} {
		binaries[cgo] = buildBinary(t, cgo, "-ldflags", "-X main.version=9.9.9")
	}
	for name, tc := range map[string]struct {
		cgo, cookie string
		args        []string
		code        int
		want        []string
	}{
		"alone":                {"1", "", nil, 2, []string{`This is the provider "hsm"`, "doctor"}},
		"version":              {"1", "", []string{"version"}, 0, []string{"terraform-provider-hsm 9.9.9", runtime.Version()}},
		"version without cgo":  {"0", "", []string{"version"}, 0, []string{"without cgo"}},
		"doctor without cgo":   {"0", "", []string{"doctor", "-uri", "pkcs11:token=t?module-path=/m.so"}, 1, []string{"built without cgo", "CGO_ENABLED=1"}},
		"by another program":   {"1", "somebody", nil, 1, []string{"plugin"}},
		"word after the debug": {"1", "", []string{"-debug", "now"}, 2, []string{"There is no command"}},
	} {
		t.Run(name, func(t *testing.T) {
			run := exec.CommandContext(t.Context(), binaries[tc.cgo], tc.args...)
			run.Env = append(os.Environ(), "TF_PLUGIN_MAGIC_COOKIE="+tc.cookie)
			out, err := run.CombinedOutput()
			code := run.ProcessState.ExitCode()
			if code != tc.code {
				t.Errorf("exit code %d (%v), want %d", code, err, tc.code)
			}
			expect(t, string(out), tc.want...)
		})
	}
}

// newBinaryCLI builds the provider into a filesystem mirror and initialises a
// directory with the given configuration.
func newBinaryCLI(t *testing.T, cgo, configuration string) *cli {
	t.Helper()
	c := attach(t, nil)
	c.useBinary(cgo)
	c.configure(configuration)
	c.mustRun("init")
	return c
}

// useBinary builds the provider into a filesystem mirror, and has the CLI start it
// from there instead of attaching to the one in this process.
func (c *cli) useBinary(cgo string) {
	c.t.Helper()
	c.useMirror(buildMirror(c.t, cgo))
}

// providerHosts are where the CLIs look for a provider that names no host.
var providerHosts = []string{"registry.terraform.io", "registry.opentofu.org"}

// buildMirror builds the provider, once for all hosts, and returns the mirror's path.
func buildMirror(t *testing.T, cgo string) string {
	t.Helper()
	mirror := t.TempDir()
	binary := buildBinary(t, cgo)
	for _, host := range providerHosts {
		dir := filepath.Join(mirror, host, "keystead", "hsm", "0.0.1", runtime.GOOS+"_"+runtime.GOARCH)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Link(binary, filepath.Join(dir, "terraform-provider-hsm_v0.0.1")); err != nil {
			t.Fatal(err)
		}
	}
	return mirror
}

// buildBinary builds the provider, with further arguments of `go build`.
func buildBinary(t *testing.T, cgo string, args ...string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "provider")
	build := exec.Command("go", append(append([]string{"build", "-o", binary}, args...), "../..")...)
	build.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

// useMirror has the CLI start the provider that is in a mirror.
func (c *cli) useMirror(mirror string) {
	c.t.Helper()
	for _, host := range providerHosts {
		delete(c.reattach, host+"/keystead/hsm")
	}
	settings := filepath.Join(c.t.TempDir(), "cli.tfrc")
	text := fmt.Sprintf("provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", mirror)
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	c.setenv("TF_CLI_CONFIG_FILE", settings)
	c.setReattach()
}
