package acceptance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"

	"github.com/keystead/terraform-provider-hsm/internal/assembly"
	"github.com/keystead/terraform-provider-hsm/internal/config"
	"github.com/keystead/terraform-provider-hsm/internal/provider"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// cli is a working directory with a configuration, the real CLI to run in it, and
// the provider that it attaches to.
type cli struct {
	t    *testing.T
	dir  string
	env  []string
	path string

	reattach map[string]any // by the provider's address

	tick func() // called whenever the provider asks for the time; may be nil

	mu   sync.Mutex
	time time.Time
	shut []func() error
}

// start is when the tests begin. Not now, so that nothing depends on the real clock.
var start = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)

// newCLI serves a provider and initialises a directory with the given configuration.
func newCLI(t *testing.T, configuration string) *cli {
	t.Helper()
	c := attach(t, nil)
	c.configure(configuration)
	c.mustRun("init")
	return c
}

// attach makes an empty working directory with a CLI that finds our provider in this
// process, and other ones by their source, "hashicorp/vault".
func attach(t *testing.T, others map[string]tfprotov6.ProviderServer) *cli {
	t.Helper()
	c := &cli{t: t, dir: t.TempDir(), time: start, path: findCLI(t), reattach: map[string]any{}}
	t.Setenv("HSM_PIN", softhsm.PIN) // for the provider, which runs in this process
	newProvider := provider.New("test", func(s config.Settings) *provider.Services {
		services, shut := assembly.Services(s, c.now)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.shut = append(c.shut, shut)
		return services
	})
	t.Cleanup(c.end)
	c.env = append(os.Environ(), "TF_CLI_CONFIG_FILE="+os.DevNull, "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1")
	c.serve("keystead/hsm", providerserver.NewProtocol6(newProvider()))
	for source, other := range others {
		c.serve(source, func() tfprotov6.ProviderServer { return other })
	}
	c.setReattach()
	return c
}

// setReattach tells the CLI which providers to attach to.
func (c *cli) setReattach() {
	c.t.Helper()
	text, err := json.Marshal(c.reattach)
	if err != nil {
		c.t.Fatal(err)
	}
	c.setenv("TF_REATTACH_PROVIDERS", string(text))
}

// findCLI returns terraform or tofu: as make test says, or from PATH.
func findCLI(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("TF_ACC_TERRAFORM_PATH"); path != "" {
		return path
	}
	for _, name := range []string{"terraform", "tofu"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("neither terraform nor tofu was found: run `make test`, which builds OpenTofu if need be, or set TF_ACC_TERRAFORM_PATH")
	return ""
}

// serve starts a provider and notes how to attach to it.
func (c *cli) serve(source string, server func() tfprotov6.ProviderServer) {
	c.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	attached, closed := make(chan *plugin.ReattachConfig, 1), make(chan struct{})
	go func() {
		_ = tf6server.Serve("registry.terraform.io/"+source, server,
			tf6server.WithDebug(ctx, attached, closed), tf6server.WithoutLogStderrOverride(), tf6server.WithLoggingSink(c.t),
			tf6server.WithGoPluginLogger(hclog.New(&hclog.LoggerOptions{Output: io.Discard})))
	}()
	c.t.Cleanup(func() { cancel(); <-closed })
	a := <-attached
	one := map[string]any{
		"Protocol": string(a.Protocol), "ProtocolVersion": a.ProtocolVersion, "Pid": a.Pid, "Test": true,
		"Addr": map[string]string{"Network": a.Addr.Network(), "String": a.Addr.String()},
	}
	c.reattach["registry.terraform.io/"+source], c.reattach["registry.opentofu.org/"+source] = one, one
}

func (c *cli) now() time.Time {
	if c.tick != nil {
		c.tick()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.time
}

// pass lets time go by.
func (c *cli) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.time = c.time.Add(d)
}

// end closes what the last command opened.
func (c *cli) end() {
	c.mu.Lock()
	open := c.shut
	c.shut = nil
	c.mu.Unlock()
	for _, shut := range open { // which may ask for the time
		if err := shut(); err != nil && c.tick == nil { // what a test does then may be an outage
			c.t.Errorf("closing the token: %v", err)
		}
	}
}

// configure replaces the configuration.
func (c *cli) configure(configuration string) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, "main.tf"), []byte(configuration), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// run runs one command and returns all it printed, and its exit code.
func (c *cli) run(args ...string) (string, int) {
	c.t.Helper()
	defer c.end()
	switch args[0] {
	case "state", "workspace", "providers": // take their subcommand first, and print no colours
	default:
		args = append([]string{args[0], "-no-color"}, args[1:]...)
	}
	cmd := exec.Command(c.path, args...)
	var out bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = c.dir, c.env, &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		c.t.Fatalf("%s %s: %v", c.path, strings.Join(args, " "), err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

func (c *cli) mustRun(args ...string) string {
	c.t.Helper()
	out, code := c.run(args...)
	if code != 0 {
		c.t.Fatalf("%s: exit code %d\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

// apply applies and returns what was printed.
func (c *cli) apply(args ...string) string {
	c.t.Helper()
	return c.mustRun(append([]string{"apply", "-auto-approve"}, args...)...)
}

// failing runs a command that has to fail and say all the given things. Line breaks
// that the CLI makes to wrap its messages do not count.
func (c *cli) failing(args []string, says ...string) {
	c.t.Helper()
	out, code := c.run(args...)
	if code == 0 {
		c.t.Fatalf("%s succeeded\n%s", strings.Join(args, " "), out)
	}
	expect(c.t, out, says...)
}

// expect looks for texts in what the CLI printed, whatever it did to white space.
func expect(t *testing.T, out string, says ...string) {
	t.Helper()
	flat := unwrap(out)
	for _, text := range says {
		if !strings.Contains(flat, unwrap(text)) {
			t.Errorf("the output does not say %q:\n%s", text, out)
		}
	}
}

func unwrap(text string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(text, "│", " ")), " ")
}

// noChanges fails unless a plan says that there is nothing to do.
func (c *cli) noChanges() {
	c.t.Helper()
	out, code := c.run("plan", "-detailed-exitcode")
	if code != 0 || !strings.Contains(out, "No changes.") {
		c.t.Fatalf("the plan is not empty, exit code %d:\n%s", code, out)
	}
}

// changes returns what a plan would do, by address: "create", "update",
// "delete create" (replacement) and so on.
func (c *cli) changes() map[string]string {
	c.t.Helper()
	c.mustRun("plan", "-out=changes.tfplan")
	return c.planned("changes.tfplan")
}

func (c *cli) planned(file string) map[string]string {
	c.t.Helper()
	var plan struct {
		Changes []struct {
			Address string
			Change  struct{ Actions []string }
		} `json:"resource_changes"`
	}
	c.decode(&plan, "show", "-json", file)
	changes := map[string]string{}
	for _, r := range plan.Changes {
		if actions := strings.Join(r.Change.Actions, " "); actions != "no-op" && actions != "read" {
			changes[r.Address] = actions
		}
	}
	return changes
}

// attributes are those of one resource in the state; nil if it is not there.
type attributes map[string]any

func (c *cli) state(address string) attributes {
	c.t.Helper()
	var state struct {
		Values struct {
			Root struct {
				Resources []struct {
					Address string
					Values  attributes
				}
			} `json:"root_module"`
		}
	}
	c.decode(&state, "show", "-json")
	for _, r := range state.Values.Root.Resources {
		if r.Address == address {
			return r.Values
		}
	}
	return nil
}

func (c *cli) decode(into any, args ...string) {
	c.t.Helper()
	out, code := c.run(args...)
	if err := json.Unmarshal([]byte(out), into); err != nil || code != 0 {
		c.t.Fatalf("%s: exit code %d, %v\n%s", strings.Join(args, " "), code, err, out)
	}
}

// at follows a path of attribute names and returns the value as text; "" for null.
func (a attributes) at(path ...string) string {
	var value any = map[string]any(a)
	for _, name := range path {
		m, ok := value.(map[string]any)
		if !ok {
			return ""
		}
		value = m[name]
	}
	if value == nil {
		return ""
	}
	return fmt.Sprint(value)
}

// want fails unless the attributes have the given values: "path/to/attribute=value".
func (a attributes) want(t *testing.T, pairs ...string) {
	t.Helper()
	for _, pair := range pairs {
		path, value, _ := strings.Cut(pair, "=")
		if got := a.at(strings.Split(path, "/")...); got != value {
			t.Errorf("%s is %q, want %q", path, got, value)
		}
	}
}
