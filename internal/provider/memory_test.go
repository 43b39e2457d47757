package provider_test

import (
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/assembly"
	"github.com/keystead/terraform-provider-hsm/internal/catalog/catalogtest"
	"github.com/keystead/terraform-provider-hsm/internal/config"
	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle/lifecycletest"
	"github.com/keystead/terraform-provider-hsm/internal/policy"
	"github.com/keystead/terraform-provider-hsm/internal/provider"
)

var newYear = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)

// shelves are what a token in memory keeps beside its keys.
type shelves struct {
	credentials *catalogtest.Memory[*credential.Credential]
	policies    *catalogtest.Memory[*policy.Policy]
}

func newShelves() *shelves {
	return &shelves{catalogtest.NewMemory[*credential.Credential]("API credential"), catalogtest.NewMemory[*policy.Policy]("access policy")}
}

// serveMemory returns a configured provider on a token in memory, without any
// credentials and policies.
func serveMemory(tb testing.TB, m *lifecycletest.Memory) *server {
	tb.Helper()
	return serveShelves(tb, m, newShelves())
}

// serveShelves is serveMemory with the credentials and policies that there are.
func serveShelves(tb testing.TB, m *lifecycletest.Memory, on *shelves) *server {
	tb.Helper()
	clearEnvironment(tb)
	s := newServerWith(tb, func(settings config.Settings) *provider.Services {
		return assembly.Join(m.ConfigIn(settings.Environment, settings.Actor), on.credentials, on.policies)
	})
	noErrors(tb, s.configure(tb, values{"module_path": "/m", "token_label": lifecycletest.Label, "environment": "test"}))
	return s
}
