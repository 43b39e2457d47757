package provider_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/keystead/terraform-provider-hsm/internal/assembly"
	"github.com/keystead/terraform-provider-hsm/internal/config"
	"github.com/keystead/terraform-provider-hsm/internal/provider"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// acceptance is a SoftHSM token, a clock, and providers in this process that the
// real CLI works with. Tests with one cannot run in parallel: the module looks at
// one store per process.
type acceptance struct {
	t     *testing.T
	token *softhsm.Token

	mu    sync.Mutex
	clock time.Time
	shut  []func() error
}

// newAcceptance makes a token. Without the CLI, or unless `make test` asked for it,
// it fails the test and says what to do; `go test -short` leaves it out.
func newAcceptance(t *testing.T) *acceptance {
	t.Helper()
	if testing.Short() {
		t.Skip("acceptance tests are left out with -short")
	}
	if os.Getenv("TF_ACC") == "" || os.Getenv("TF_ACC_TERRAFORM_PATH") == "" {
		t.Fatal("TF_ACC and TF_ACC_TERRAFORM_PATH are not set: run `make test`, which finds or builds a CLI and sets them, or `go test -short`")
	}
	clearEnvironment(t)
	a := &acceptance{t: t, token: softhsm.New(t, "acceptance"), clock: newYear}
	t.Cleanup(a.close)
	return a
}

// test runs the steps. After each of them an empty plan is expected, unless the
// step says otherwise.
func (a *acceptance) test(steps ...resource.TestStep) {
	a.t.Helper()
	resource.Test(a.t, resource.TestCase{
		ProtoV6ProviderFactories: map[string]func() (tfprotov6.ProviderServer, error){"hsm": a.serve},
		Steps:                    steps,
	})
}

// serve starts a provider for one command of the CLI. What the one before had open
// is closed first, as if its process had ended.
func (a *acceptance) serve() (tfprotov6.ProviderServer, error) {
	a.close()
	p := provider.New("test", func(s config.Settings) *provider.Services {
		services, shut := assembly.Services(s, a.now)
		a.mu.Lock()
		defer a.mu.Unlock()
		a.shut = append(a.shut, shut)
		return services
	})
	return providerserver.NewProtocol6(p())(), nil
}

func (a *acceptance) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, shut := range a.shut {
		if err := shut(); err != nil {
			a.t.Errorf("closing the token: %v", err)
		}
	}
	a.shut = nil
}

func (a *acceptance) now() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.clock
}

// pass returns a step's PreConfig that lets time go by.
func (a *acceptance) pass(d time.Duration) func() {
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.clock = a.clock.Add(d)
	}
}

// with writes a configuration: the provider block for the token, and what follows.
func (a *acceptance) with(blocks ...string) string {
	return a.provider("") + strings.Join(blocks, "\n")
}

// provider writes the provider block; overrides replace arguments, `pin = "1"`.
func (a *acceptance) provider(overrides string) string {
	arguments := map[string]string{
		"module_path": fmt.Sprintf("%q", a.token.Module), "token_label": fmt.Sprintf("%q", a.token.Label),
		"pin": fmt.Sprintf("%q", softhsm.PIN), "environment": `"test"`, "actor": `"ada@example"`,
	}
	if name, value, ok := strings.Cut(overrides, " = "); ok {
		arguments[name] = value
	}
	var b strings.Builder
	b.WriteString("provider \"hsm\" {\n")
	for _, name := range []string{"module_path", "token_label", "pin", "environment", "actor"} {
		b.WriteString("  " + name + " = " + arguments[name] + "\n")
	}
	b.WriteString("}\n")
	return b.String()
}

// key writes a key named "orders" that can be removed; arguments are added.
func key(arguments ...string) string {
	return "resource \"hsm_key\" \"orders\" {\n  name = \"orders\"\n  deletion_protection = false\n  " + strings.Join(arguments, "\n  ") + "\n}\n"
}

// trySign has pkcs11-tool, an independent client, sign with the private key of a
// label; it returns what the tool said and whether it signed. The key is named by
// its CKA_ID: pkcs11-tool does not look at labels when it signs.
func (a *acceptance) trySign(label string) (said string, ok bool) {
	a.t.Helper()
	id := a.ids(label)
	if len(id) != 1 {
		return fmt.Sprintf("there are %d private keys with the label %s", len(id), label), false
	}
	dir := a.t.TempDir()
	in := filepath.Join(dir, "digest")
	if err := os.WriteFile(in, []byte("0123456789abcdef0123456789abcdef"), 0o600); err != nil {
		a.t.Fatal(err)
	}
	said, err := a.token.TryTool(a.t, "--sign", "--id", id[0], "--mechanism", "ECDSA", "-i", in, "-o", filepath.Join(dir, "signature"))
	return said, err == nil
}

var idPattern = regexp.MustCompile(`(?m)^\s+ID:\s+([0-9a-f]+)$`)

// ids lists the CKA_IDs of the private keys that have a label.
func (a *acceptance) ids(label string) []string {
	a.t.Helper()
	var ids []string
	for _, object := range regexp.MustCompile(`(?m)^\S`).Split(a.token.Tool(a.t, "--list-objects", "--type", "privkey"), -1) {
		id := idPattern.FindStringSubmatch(object)
		if id != nil && regexp.MustCompile(`(?m)^\s+label:\s+`+regexp.QuoteMeta(label)+`\s*$`).MatchString(object) {
			ids = append(ids, id[1])
		}
	}
	return ids
}

// signs expects the HSM to sign with the private key of a label, or to refuse.
func (a *acceptance) signs(label string, want bool) resource.TestCheckFunc {
	return func(*terraform.State) error {
		said, ok := a.trySign(label)
		if ok != want {
			return fmt.Errorf("signing with %s: %t, want %t: %s", label, ok, want, said)
		}
		if !ok && !strings.Contains(said, "CKR_KEY_FUNCTION_NOT_PERMITTED") {
			return fmt.Errorf("signing with %s is refused for another reason: %s", label, said)
		}
		return nil
	}
}
