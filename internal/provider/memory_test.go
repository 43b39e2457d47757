package provider_test

import (
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/config"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle/lifecycletest"
	"github.com/keystead/terraform-provider-hsm/internal/provider"
)

var newYear = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)

// serveMemory returns a configured provider on a token in memory.
func serveMemory(t *testing.T, m *lifecycletest.Memory) *server {
	t.Helper()
	clearEnvironment(t)
	s := newServerWith(t, func(settings config.Settings) *provider.Services {
		return &provider.Services{Keys: lifecycle.New(m.ConfigIn(settings.Environment, settings.Actor))}
	})
	noErrors(t, s.configure(t, values{"module_path": "/m", "token_label": lifecycletest.Label, "environment": "test"}))
	return s
}
