package torture_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/assembly"
	"github.com/keystead/terraform-provider-hsm/internal/config"
	"github.com/keystead/terraform-provider-hsm/internal/interposer"
	"github.com/keystead/terraform-provider-hsm/internal/inventory"
	"github.com/keystead/terraform-provider-hsm/internal/provider"
	"github.com/keystead/terraform-provider-hsm/internal/secret"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// start is when the tests begin; no run depends on the real clock.
var start = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)

// bench is a token behind an interposer, and the services on it.
type bench struct {
	t      *testing.T
	token  *softhsm.Token
	module *interposer.Module
	path   string // of the module as this run loads it
	copies int
	clock  time.Time
}

func newBench(t *testing.T) *bench {
	t.Helper()
	token := softhsm.New(t, "torture")
	module := interposer.New(t, token.Module)
	return &bench{t: t, token: token, module: module, path: module.Path, clock: start}
}

// run begins a run of the provider, and returns how to end it.
func (b *bench) run() (services *provider.Services, end func()) {
	services, shut := assembly.Services(config.Settings{
		ModulePath: b.path, TokenSerial: b.token.Serial, Environment: "test", Actor: "ada@example",
		PIN: func() (secret.Value, error) { return secret.New(softhsm.PIN), nil },
	}, func() time.Time { return b.clock })
	return services, func() { _ = shut() } // the module may be told to fail in here too
}

// forget makes the next run load a copy of the module: a process remembers which PIN a
// module has refused, and the next run is another process.
func (b *bench) forget() {
	b.t.Helper()
	content, err := os.ReadFile(b.module.Path)
	if err != nil {
		b.t.Fatal(err)
	}
	b.copies++
	b.path = filepath.Join(filepath.Dir(b.module.Path), fmt.Sprintf("copy-%d.so", b.copies))
	if err := os.WriteFile(b.path, content, 0o700); err != nil {
		b.t.Fatal(err)
	}
}

// do carries out something in a run of its own that nothing disturbs.
func (b *bench) do(what func(context.Context, *provider.Services) error) {
	b.t.Helper()
	services, end := b.run()
	defer end()
	if err := what(b.t.Context(), services); err != nil {
		b.t.Fatalf("undisturbed: %v", err)
	}
}

func (b *bench) inventory() *inventory.Inventory {
	b.t.Helper()
	return inventory.Read(b.t, b.token.Module, b.token.Serial, softhsm.PIN)
}
