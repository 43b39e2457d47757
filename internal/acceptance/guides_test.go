package acceptance_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// TestRotationGuide goes through what the guide says of a version that is announced, of
// a change of the algorithm and of going back.
func TestRotationGuide(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	c := follow(t, token, nil, "guides/rotation/orders.tf", "guides/rotation/announced.tf", "guides/rotation/algorithm.tf")
	c.apply()

	c.apply("-var=documents_algorithm=EC_P256")
	c.setenv("TF_VAR_documents_algorithm", "EC_P256")
	c.noChanges()
	c.state("hsm_key_rotation.documents").want(t, "version=2", "versions/1/algorithm=RSA_3072", "versions/1/state=deactivated", "versions/2/algorithm=EC_P256")

	c.pass(720 * time.Hour)
	c.apply()
	c.state("hsm_key_rotation.tokens").want(t, "version=1", "versions/2/state=pre_activation")
	c.pass(24 * time.Hour)
	expect(t, c.mustRun("plan"), `"activate 2"`)
	c.apply()
	c.state("hsm_key_rotation.tokens").want(t, "version=2", "versions/1/state=deactivated")
	c.pass(72 * time.Hour)
	expect(t, c.mustRun("plan"), `"retire 1"`)
	c.apply()
	c.noChanges()
	c.state("hsm_key_rotation.tokens").want(t, "versions/1/state=destroyed")

	c.apply("-replace=hsm_key_rotation.orders")
	c.state("hsm_key_rotation.orders").want(t, "version=2")
	pinned := strings.Replace(example(t, "guides/rotation/orders.tf"), `overlap      = "168h"`, "overlap = \"168h\"\n  pinned_version = 1", 1)
	c.write("orders.tf", pinned)
	c.apply()
	c.noChanges()
	c.state("hsm_key_rotation.orders").want(t, "version=1", "versions/1/state=active", "versions/2/state=deactivated")
	c.add("guides/rotation/orders.tf")
	c.apply()
	c.noChanges()
	c.state("hsm_key_rotation.orders").want(t, "version=2", "versions/1/state=deactivated", "versions/2/state=active")
}

// TestEnvironmentsGuide applies both workspaces, and then confuses them.
func TestEnvironmentsGuide(t *testing.T) {
	store := softhsm.NewStore(t)
	dev, prod := store.Init(t, "orders-dev"), store.Init(t, "orders-prod")
	c := attach(t, nil)
	c.add("guides/environments/main.tf")
	tokens := func(dev, prod *softhsm.Token) {
		t.Helper()
		label := func(token *softhsm.Token) map[string]string {
			return map[string]string{"module_path": token.Module, "label": token.Label}
		}
		c.variables(map[string]any{"tokens": map[string]any{"dev": label(dev), "prod": label(prod)}})
	}
	tokens(dev, prod)
	c.mustRun("init")
	c.failing([]string{"plan"}, `terraform.workspace is "default"`) // there is no token for it
	for _, workspace := range []string{"dev", "prod"} {
		c.mustRun("workspace", "new", workspace)
		c.apply()
		c.noChanges()
	}
	tokens(prod, dev)
	c.failing([]string{"plan"}, `belongs to environment "dev"`, `configured for "prod"`)
}

// TestSecretsGuide looks for the PIN where the guide says that it is not.
func TestSecretsGuide(t *testing.T) {
	token := softhsm.New(t, "payments")
	vault, others := newVault(t)
	c := attach(t, others)
	c.setenv("TF_VAR_module_path", token.Module)
	c.setenv("TF_VAR_pin", softhsm.PIN)
	t.Setenv("HSM_PIN", "") // it comes from the variable alone
	c.add("guides/secrets/provider.tf", "guides/secrets/bot.tf")
	c.mustRun("init")
	c.mustRun("plan", "-out=saved.tfplan")
	c.mustRun("apply", "saved.tfplan")
	c.noChanges()
	if got := vault.read("trading/market-maker"); len(got) != 1 || !strings.Contains(got[0], "prod~market-maker~1") {
		t.Errorf("Vault was given %d values", len(got))
	}
	left := map[string][]byte{}
	readTree(t, c.dir, left)
	if len(left[filepath.Join(c.dir, "terraform.tfstate")]) == 0 || len(left[filepath.Join(c.dir, "saved.tfplan")]) == 0 {
		t.Fatal("there is no state or no plan to look into")
	}
	for where, content := range left {
		if strings.Contains(string(content), softhsm.PIN) {
			t.Errorf("%s: the PIN is there", where)
		}
	}

	// Declared without `ephemeral` it is: what the guide warns of, and a proof that the
	// look above can find it.
	c.write("provider.tf", strings.Replace(example(t, "guides/secrets/provider.tf"), "ephemeral   = true", "", 1))
	c.mustRun("plan", "-out=careless.tfplan")
	readTree(t, filepath.Join(c.dir, "careless.tfplan"), left)
	if !strings.Contains(string(left[filepath.Join(c.dir, "careless.tfplan")+", tfplan"]), softhsm.PIN) {
		t.Error("the PIN is not in a careless plan: the guide warns of nothing")
	}
}

// TestChangedPIN is the last case of the guide on emergencies.
func TestChangedPIN(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	c := newCLI(t, orders(token, "", schedule))
	c.apply()
	token.Tool(t, "--change-pin", "--new-pin", "7777-new-pin")
	c.failing([]string{"plan"}, "CKR_PIN_INCORRECT")
	t.Setenv("HSM_PIN", "7777-new-pin")
	c.noChanges()
}
