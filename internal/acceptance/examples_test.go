package acceptance_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// TestExamples applies the examples of the documentation as they are.
func TestExamples(t *testing.T) {
	for name, files := range map[string][]string{
		"hsm_key":          {"resources/hsm_key/resource.tf"},
		"hsm_key_rotation": {"resources/hsm_key_rotation/resource.tf"},
		"quickstart":       {"quickstart/main.tf"},
		"data sources": {
			"resources/hsm_key/resource.tf",
			"data-sources/hsm_token/data-source.tf", "data-sources/hsm_key/data-source.tf", "data-sources/hsm_keys/data-source.tf",
		},
	} {
		t.Run(name, func(t *testing.T) {
			token := softhsm.New(t, "acceptance")
			configuration := providerBlock(token, "test")
			if name == "quickstart" { // it configures the provider itself
				configuration = ""
				t.Setenv("TF_VAR_module_path", token.Module)
				t.Setenv("TF_VAR_token_label", token.Label)
			}
			var c *cli
			for _, file := range files { // one after the other: data sources read what is there already
				text, err := os.ReadFile(filepath.Join("..", "..", "examples", file))
				if err != nil {
					t.Fatal(err)
				}
				configuration += "\n" + string(text)
				if c == nil {
					c = newCLI(t, configuration)
				} else {
					c.configure(configuration)
				}
				c.apply()
				c.noChanges()
			}
			if name == "data sources" {
				if out := c.mustRun("output"); !strings.Contains(out, "invoices_version = 1") || !strings.Contains(out, "BEGIN PUBLIC KEY") {
					t.Errorf("the outputs are:\n%s", out)
				}
			}
		})
	}
}
