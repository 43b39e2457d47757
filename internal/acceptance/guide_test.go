package acceptance_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// examples is the directory of what the documentation shows.
var examples = filepath.Join("..", "..", "examples")

// example reads one file of the examples.
func example(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(examples, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// add copies examples into the working directory, each under its own name.
func (c *cli) add(files ...string) {
	c.t.Helper()
	for _, file := range files {
		c.write(filepath.Base(file), example(c.t, file))
	}
}

// write puts a file into the working directory.
func (c *cli) write(name, text string) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// variables gives the configuration its input.
func (c *cli) variables(values map[string]any) {
	c.t.Helper()
	text, err := json.Marshal(values)
	if err != nil {
		c.t.Fatal(err)
	}
	c.write("terraform.tfvars.json", string(text))
}

// follow makes a working directory for a guide: its examples, in a directory that has
// the provider configured for the token.
func follow(t *testing.T, token *softhsm.Token, others map[string]tfprotov6.ProviderServer, files ...string) *cli {
	t.Helper()
	c := attach(t, others)
	c.configure(providerBlock(token, "prod"))
	c.add(files...)
	c.mustRun("init")
	return c
}
