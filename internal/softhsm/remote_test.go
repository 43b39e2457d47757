//go:build unix

package softhsm_test

import (
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// TestServe: the served token is the same token, gone while its server is stopped, and
// back after it has started again.
func TestServe(t *testing.T) {
	token := softhsm.New(t, "remote")
	remote, server := token.Serve(t)
	remote.Tool(t, "--keypairgen", "--key-type", "EC:prime256v1", "--id", "0a", "--label", "made-remotely")
	server.Drained()
	if out := token.Tool(t, "--list-objects", "--type", "privkey"); !strings.Contains(out, "made-remotely") {
		t.Errorf("the token itself has:\n%s", out)
	}
	server.Stop()
	if out, err := remote.TryTool(t, "--list-objects"); err == nil {
		t.Errorf("without a server there is a token:\n%s", out)
	}
	server.Start()
	if out := remote.Tool(t, "--list-objects", "--type", "privkey"); !strings.Contains(out, "made-remotely") {
		t.Errorf("after a restart there is:\n%s", out)
	}
}
