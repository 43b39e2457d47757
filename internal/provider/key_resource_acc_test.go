package provider_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

const orders = "hsm_key.orders"

// shows expects an attribute of hsm_key.orders, by its path.
func shows(want knownvalue.Check, at string, more ...string) statecheck.StateCheck {
	path := tfjsonpath.New(at)
	for _, step := range more {
		path = path.AtMapKey(step)
	}
	return statecheck.ExpectKnownValue(orders, path, want)
}

func planned(action plancheck.ResourceActionType) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(orders, action)}}
}

func TestAccKeyEveryAlgorithm(t *testing.T) {
	a := newAcceptance(t)
	var blocks []string
	var checks []statecheck.StateCheck
	for _, algorithm := range keyring.Algorithms() {
		blocks = append(blocks, fmt.Sprintf(`
resource "hsm_key" %[1]q {
  name                = %[1]q
  algorithm           = %[1]q
  deletion_protection = false
  on_destroy          = "destroy"
}
`, algorithm))
		public := knownvalue.Check(knownvalue.Null())
		if algorithm.IsPair() {
			public = knownvalue.StringRegexp(regexp.MustCompile(`^-----BEGIN PUBLIC KEY-----`))
		}
		at := "hsm_key." + string(algorithm)
		checks = append(checks,
			statecheck.ExpectKnownValue(at, tfjsonpath.New("public_key_pem"), public),
			statecheck.ExpectKnownValue(at, tfjsonpath.New("current_version"), knownvalue.Int64Exact(1)),
			statecheck.ExpectKnownValue(at, tfjsonpath.New("versions").AtMapKey("1"), knownvalue.ObjectPartial(map[string]knownvalue.Check{
				"algorithm": knownvalue.StringExact(string(algorithm)), "state": knownvalue.StringExact("active"),
				"enforcement": knownvalue.StringExact("hsm"), "attested": knownvalue.Bool(true), "local": knownvalue.Bool(true),
				"never_extractable": knownvalue.Bool(true), "always_sensitive": knownvalue.Bool(true),
				"fingerprint_sha256": knownvalue.NotNull(), "public_key_pem": public,
			})))
	}
	a.test(resource.TestStep{Config: a.with(blocks...), ConfigStateChecks: checks})
	if left := a.token.Tool(t, "--list-objects", "--type", "privkey") + a.token.Tool(t, "--list-objects", "--type", "secrkey"); strings.Contains(left, "ID:") {
		t.Errorf("after the destruction there are still keys on the token:\n%s", left)
	}
}

func TestAccKeyUpdate(t *testing.T) {
	a := newAcceptance(t)
	ec := `algorithm = "EC_P256"`
	public := statecheck.CompareValue(sameValue{})
	var steps []resource.TestStep
	step := func(checks []statecheck.StateCheck, check resource.TestCheckFunc, arguments ...string) {
		s := resource.TestStep{
			Config: a.with(key(arguments...)), Check: check,
			ConfigStateChecks: append(checks, public.AddStateValue(orders, tfjsonpath.New("public_key_pem"))),
		}
		if len(steps) > 0 {
			s.ConfigPlanChecks = planned(plancheck.ResourceActionUpdate)
		}
		steps = append(steps, s)
	}
	step([]statecheck.StateCheck{shows(knownvalue.StringExact("orders"), "id"), shows(knownvalue.Null(), "tags")}, a.signs("orders:1", true), ec)
	step([]statecheck.StateCheck{shows(knownvalue.StringExact("billing"), "tags", "team")}, nil, ec, `tags = { team = "billing" }`)
	step([]statecheck.StateCheck{shows(knownvalue.MapSizeExact(0), "tags")}, nil, ec, `tags = {}`)
	step([]statecheck.StateCheck{shows(knownvalue.StringExact("suspended"), "versions", "1", "state"), shows(knownvalue.StringExact("hsm"), "versions", "1", "enforcement")},
		a.signs("orders:1", false), ec, `enabled = false`)
	step([]statecheck.StateCheck{shows(knownvalue.StringExact("active"), "versions", "1", "state")}, a.signs("orders:1", true), ec)
	step(nil, a.signs("orders:1", false), ec, `operations = ["verify"]`)
	step(nil, a.signs("orders:1", true), ec)
	step(nil, nil, ec, `allowed_mechanisms = ["CKM_ECDSA"]`)
	step(nil, nil, ec, `extractable = true`)
	step(nil, nil, ec, `on_destroy = "retain"`)
	step([]statecheck.StateCheck{shows(knownvalue.StringExact("EC_P256"), "versions", "1", "algorithm")}, nil, `algorithm = "ED25519"`, `on_destroy = "destroy"`)
	a.test(steps...)
}

// sameValue compares values for equality.
type sameValue struct{}

func (sameValue) CompareValues(all ...any) error {
	for _, v := range all {
		if v != all[0] {
			return fmt.Errorf("the value changed from %v to %v", all[0], v)
		}
	}
	return nil
}

func TestAccKeyProtection(t *testing.T) {
	a := newAcceptance(t)
	protected := `
resource "hsm_key" "orders" {
  name      = "orders"
  algorithm = "EC_P256"
}
`
	refusal := regexp.MustCompile(`(?s)Cannot (remove|rename) key: protected.*deletion_protection\s*=\s*false`)
	a.test(
		resource.TestStep{Config: a.with(protected)},
		resource.TestStep{Config: a.with(protected), Destroy: true, ExpectError: refusal},
		resource.TestStep{Config: a.with(), ExpectError: refusal},
		resource.TestStep{Config: a.with(strings.Replace(protected, `"orders"`+"\n", `"invoices"`+"\n", 1)), ExpectError: refusal},
		resource.TestStep{Config: a.with(protected), PlanOnly: true},
		resource.TestStep{Config: a.with(key(`algorithm = "EC_P256"`)), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate)},
	)
}

func TestAccKeyRename(t *testing.T) {
	a := newAcceptance(t)
	config := key(`algorithm = "EC_P256"`, `on_destroy = "destroy"`)
	a.test(
		resource.TestStep{Config: a.with(config)},
		resource.TestStep{
			Config: a.with(strings.Replace(config, `name = "orders"`, `name = "invoices"`, 1)), ConfigPlanChecks: planned(plancheck.ResourceActionReplace),
			Check: a.signs("invoices:1", true),
		},
	)
}

func TestAccKeyOnDestroy(t *testing.T) {
	ec := `algorithm = "EC_P256"`
	t.Run("disable, and import to undo it", func(t *testing.T) {
		a := newAcceptance(t)
		config := key(ec)
		a.test(
			resource.TestStep{Config: a.with(config)},
			resource.TestStep{Config: a.with(), Check: a.signs("orders:1", false)},
			resource.TestStep{
				Config: a.with(config, `import {
  to = hsm_key.orders
  id = "orders"
}`),
				Check:             a.signs("orders:1", true),
				ConfigStateChecks: []statecheck.StateCheck{shows(knownvalue.StringExact("active"), "versions", "1", "state")},
			},
		)
	})
	t.Run("disable, and create anew", func(t *testing.T) {
		a := newAcceptance(t)
		config := key(ec)
		a.test(
			resource.TestStep{Config: a.with(config)},
			resource.TestStep{Config: a.with()},
			resource.TestStep{
				Config:            a.with(config),
				Check:             resource.ComposeTestCheckFunc(a.signs("orders:1", false), a.signs("orders:2", true)),
				ConfigStateChecks: []statecheck.StateCheck{shows(knownvalue.Int64Exact(2), "current_version")},
			},
		)
	})
	t.Run("destroy", func(t *testing.T) {
		a := newAcceptance(t)
		config := key(ec, `on_destroy = "destroy"`)
		a.test(
			resource.TestStep{Config: a.with(config)},
			resource.TestStep{Config: a.with(), Check: func(*terraform.State) error {
				if left := a.ids("orders:1"); len(left) > 0 {
					return fmt.Errorf("the key is still there: %v", left)
				}
				return nil
			}},
			resource.TestStep{Config: a.with(config), ConfigStateChecks: []statecheck.StateCheck{shows(knownvalue.Int64Exact(2), "current_version")}},
		)
	})
	t.Run("retain", func(t *testing.T) {
		a := newAcceptance(t)
		config := key(ec, `on_destroy = "retain"`)
		a.test(
			resource.TestStep{Config: a.with(config)},
			resource.TestStep{Config: a.with(), Check: a.signs("orders:1", true)},
			resource.TestStep{Config: a.with(config), ExpectError: regexp.MustCompile(`(?s)already exists.*import \{.*to = hsm_key\.`)},
		)
	})
}

func TestAccKeyImport(t *testing.T) {
	a := newAcceptance(t)
	config := a.with(key(`algorithm = "EC_P256"`, `tags = { team = "billing" }`, `operations = ["sign"]`))
	a.test(
		resource.TestStep{Config: config},
		resource.TestStep{ResourceName: orders, ImportState: true, ImportStateId: "orders", ImportStateVerify: true},
		resource.TestStep{ResourceName: orders, ImportState: true, ImportStateId: "orders", ImportStateKind: resource.ImportBlockWithID},
		resource.TestStep{ResourceName: orders, ImportState: true, ImportStateId: "unheard-of", ExpectError: regexp.MustCompile(`not found`)},
	)
}

// A key that was made elsewhere, by pkcs11-tool, comes under management as it is.
func TestAccKeyAdopt(t *testing.T) {
	a := newAcceptance(t)
	a.token.Tool(t, "--keypairgen", "--key-type", "EC:prime256v1", "--label", "legacy", "--id", "0a0b", "--usage-sign")
	adopt := func(id string) string {
		return fmt.Sprintf(`
import {
  to = hsm_key.orders
  id = %q
}
resource "hsm_key" "orders" {
  name                = "legacy"
  algorithm           = "EC_P256"
  deletion_protection = false
}
`, id)
	}
	a.test(
		resource.TestStep{Config: a.with(adopt("pkcs11:serial=1;object=legacy")), ExpectError: regexp.MustCompile(`serial 1`)},
		resource.TestStep{Config: a.with(adopt("pkcs11:token=acceptance")), ExpectError: regexp.MustCompile(`names no object`)},
		resource.TestStep{
			Config: a.with(adopt("pkcs11:token=acceptance;object=legacy;id=%0A%0B")), Check: a.signs("legacy", true),
			ConfigStateChecks: []statecheck.StateCheck{
				shows(knownvalue.StringExact("0a0b"), "versions", "1", "cka_id"),
				shows(knownvalue.Bool(true), "versions", "1", "local"),
			},
		},
	)
}

// The name of a key that somebody else manages is refused, with the way to take it over.
func TestAccKeyNameTaken(t *testing.T) {
	a := newAcceptance(t)
	again := `
resource "hsm_key" "again" {
  name      = hsm_key.orders.name
  algorithm = "EC_P256"
}
`
	config := a.with(key(`algorithm = "EC_P256"`))
	a.test(
		resource.TestStep{Config: config},
		resource.TestStep{Config: config + again, ExpectError: regexp.MustCompile(`(?s)already exists.*id = "orders"`)},
		resource.TestStep{Config: config, PlanOnly: true},
	)
}

// What this token cannot do is an error at plan.
func TestAccKeyUnsupported(t *testing.T) {
	a := newAcceptance(t)
	a.test(
		resource.TestStep{
			Config:   a.with(key(`algorithm = "EC_P256"`, `allowed_mechanisms = ["CKM_UNHEARD_OF"]`)),
			PlanOnly: true, ExpectError: regexp.MustCompile(`(?s)allowed_mechanisms.*CKM_UNHEARD_OF`),
		},
		resource.TestStep{
			Config:            a.with(key(`algorithm = "AES_256"`, `allowed_mechanisms = ["CKM_AES_GCM"]`)),
			ConfigStateChecks: []statecheck.StateCheck{shows(knownvalue.SetSizeExact(1), "allowed_mechanisms")},
		},
	)
}

// Trouble at plan leaves the state as it is: afterwards the plan is empty again.
func TestAccKeyTrouble(t *testing.T) {
	a := newAcceptance(t)
	block := key(`algorithm = "EC_P256"`)
	fine := resource.TestStep{Config: a.with(block), PlanOnly: true}
	bad := func(overrides, says string) resource.TestStep {
		return resource.TestStep{Config: a.provider(overrides) + block, PlanOnly: true, ExpectError: regexp.MustCompile(says)}
	}
	a.test(
		resource.TestStep{Config: a.with(block)},
		bad(`pin = "0000"`, `(?s)access denied.*CKR_PIN_INCORRECT`), fine,
		bad(`environment = "prod"`, `(?s)wrong environment.*"test".*"prod"`), fine,
		bad(`token_label = "elsewhere"`, `(?s)elsewhere.*acceptance`), fine,
		bad(`module_path = "/nonexistent.so"`, `/nonexistent.so`), fine,
		bad(`module_path = "/etc/hostname"`, `/etc/hostname`), fine,
	)
}
