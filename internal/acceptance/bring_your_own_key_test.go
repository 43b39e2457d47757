package acceptance_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// TestBringYourOwnKey does what the guide says, with its files: a key is made with
// openssl, wrapped by the script for a key of the HSM, and taken in by the configuration.
func TestBringYourOwnKey(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	t.Setenv("HASH", "sha1") // for the script: SoftHSM has no other
	examples, err := filepath.Abs(filepath.Join("..", "..", "examples", "bring-your-own-key"))
	if err != nil {
		t.Fatal(err)
	}
	configuration := providerBlock(token, "test")
	for _, file := range []string{"transport.tf", "orders.tf"} {
		text, err := os.ReadFile(filepath.Join(examples, file))
		if err != nil {
			t.Fatal(err)
		}
		configuration += "\n" + string(text)
		if file == "transport.tf" {
			configuration += "\n"
		}
	}
	transport, _, _ := strings.Cut(configuration, `variable "wrapped_orders"`)
	c := newCLI(t, transport)
	c.apply()

	shell := func(script string) string {
		t.Helper()
		cmd := exec.Command("sh", "-euc", script)
		cmd.Dir = c.dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", script, err, out)
		}
		return string(out)
	}
	another := func() (wrapped, public string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(c.dir, "transport.pem"), []byte(c.mustRun("output", "-raw", "transport_public_key")), 0o600); err != nil {
			t.Fatal(err)
		}
		wrapped = shell("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out private.pem && " +
			"openssl pkcs8 -topk8 -nocrypt -in private.pem -outform DER -out private.der && sh " + examples + "/wrap-rsa-aes.sh transport.pem private.der")
		return wrapped, shell("openssl pkey -in private.pem -pubout")
	}

	wrapped, public := another()
	c.setenv("TF_VAR_wrapped_orders", wrapped)
	c.configure(configuration)
	c.mustRun("plan", "-out", "saved")
	c.mustRun("apply", "saved")
	c.noChanges()
	if got := c.mustRun("output", "-raw", "orders_public_key"); got != public {
		t.Errorf("the public key is\n%s\nand was made as\n%s", got, public)
	}
	if shown := c.mustRun("state", "show", "hsm_key.orders"); !strings.Contains(strings.Join(strings.Fields(shown), " "), "local = false") {
		t.Errorf("the state shows\n%s", shown)
	}

	// The next key takes over, and the material is not needed for longer than that.
	next, successor := another()
	c.setenv("TF_VAR_wrapped_orders", next)
	c.configure(strings.Replace(configuration, "wrapped_material_wo_version = 1", "wrapped_material_wo_version = 2", 1))
	c.apply()
	c.noChanges()
	if got := c.mustRun("output", "-raw", "orders_public_key"); got != successor {
		t.Errorf("the public key is\n%s\nand was made as\n%s", got, successor)
	}
	c.setenv("TF_VAR_wrapped_orders", "")
	c.configure(strings.Replace(strings.Replace(configuration, "var.wrapped_orders", "null", 1), "wrapped_material_wo_version = 1", "wrapped_material_wo_version = 2", 1))
	c.noChanges()

	for _, file := range []string{"terraform.tfstate", "terraform.tfstate.backup", "saved"} {
		content, err := os.ReadFile(filepath.Join(c.dir, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{wrapped, next} {
			if strings.Contains(string(content), secret) {
				t.Errorf("the wrapped material is in %s", file)
			}
		}
	}
}

// The guide shows the files as they are.
func TestBringYourOwnKeyGuide(t *testing.T) {
	guide, err := os.ReadFile(filepath.Join("..", "..", "templates", "guides", "bring-your-own-key.md"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join("..", "..", "examples", "bring-your-own-key", "*"))
	if err != nil || len(files) != 5 {
		t.Fatalf("the files are %q, %v", files, err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(guide), string(content)) {
			t.Errorf("%s is not in the guide", file)
		}
	}
}
