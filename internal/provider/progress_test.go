package provider_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-log/tflogtest"

	"github.com/keystead/terraform-provider-hsm/internal/provider"
)

// TestLogProgress: progress is for everybody who asks why a run is slow, not for those
// only who debug the provider.
func TestLogProgress(t *testing.T) {
	var log bytes.Buffer
	provider.LogProgress(tflogtest.RootLogger(t.Context(), &log), "Waiting for the HSM", map[string]any{"seconds": 2.5})
	for _, text := range []string{`"@level":"info"`, `"@message":"Waiting for the HSM"`, `"seconds":2.5`} {
		if !strings.Contains(log.String(), text) {
			t.Errorf("%s is not in %s", text, log.String())
		}
	}
}
