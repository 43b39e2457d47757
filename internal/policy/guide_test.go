package policy_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/policy"
)

// TestGuide: the schema that users are shown is the one that they are held to.
func TestGuide(t *testing.T) {
	guide, err := os.ReadFile(filepath.Join("..", "..", "templates", "guides", "access-policies.md"))
	if err != nil {
		t.Fatal(err)
	}
	if schema := strings.TrimSpace(policy.Schema("Europe/Zurich")); !strings.Contains(string(guide), schema) {
		t.Errorf("the guide does not show this schema:\n%s", schema)
	}
}
