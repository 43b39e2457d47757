package provider_test

import (
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
)

const rotator = "hsm_key_rotation.orders"

// rotation writes a rotation of the key "orders".
func rotation(arguments ...string) string {
	return "resource \"hsm_key_rotation\" \"orders\" {\n  key_id = hsm_key.orders.id\n  " + strings.Join(arguments, "\n  ") + "\n}\n"
}

const createFirst = "lifecycle {\n    create_before_destroy = true\n  }"

// What the CLI makes of the plans in key_rotation_life_test.go: a computed attribute
// that becomes unknown replaces the instance, also when it was null.
func TestAccRotationReplaces(t *testing.T) {
	for name, test := range map[string]struct {
		arguments []string
		action    plancheck.ResourceActionType
	}{
		"destroy first":                   {[]string{`rotate_every = "2160h"`, `overlap = "168h"`}, plancheck.ResourceActionDestroyBeforeCreate},
		"create first":                    {[]string{`rotate_every = "2160h"`, `overlap = "168h"`, createFirst}, plancheck.ResourceActionCreateBeforeDestroy},
		"destroy first, without a period": {nil, plancheck.ResourceActionDestroyBeforeCreate},
		"create first, without a period":  {[]string{createFirst}, plancheck.ResourceActionCreateBeforeDestroy},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAcceptance(t)
			algorithm := `algorithm = "EC_P256"`
			version := func(n int64) []statecheck.StateCheck {
				return []statecheck.StateCheck{statecheck.ExpectKnownValue(rotator, tfjsonpath.New("version"), knownvalue.Int64Exact(n))}
			}
			steps := []resource.TestStep{{Config: a.with(key(algorithm), rotation(test.arguments...)), ConfigStateChecks: version(1), Check: a.signs("orders:1", true)}}
			replaced := resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(rotator, test.action)}}
			if strings.Contains(name, "without") { // due because the key does not have its algorithm
				algorithm = `algorithm = "EC_P384"`
				steps = append(steps, resource.TestStep{Config: a.with(key(algorithm), rotation(test.arguments...)), ExpectNonEmptyPlan: true})
			}
			steps = append(steps, resource.TestStep{
				PreConfig: a.pass(period), Config: a.with(key(algorithm), rotation(test.arguments...)), ConfigPlanChecks: replaced, ConfigStateChecks: version(2),
				Check: resource.ComposeTestCheckFunc(a.signs("orders:1", false), a.signs("orders:2", true)),
			})
			a.test(steps...)
		})
	}
}

func TestAccRotationImport(t *testing.T) {
	a := newAcceptance(t)
	config := a.with(key(`algorithm = "EC_P256"`), rotation(`rotate_every = "129600m"`, `overlap = "168h"`, `activation_delay = "1h"`,
		`retire_action = "destroy"`, `rotate_when_changed = { algorithm = hsm_key.orders.algorithm }`))
	a.test(
		resource.TestStep{Config: config},
		resource.TestStep{ResourceName: rotator, ImportState: true, ImportStateId: "orders", ImportStateVerify: true},
		resource.TestStep{ResourceName: rotator, ImportState: true, ImportStateId: "orders", ImportStateKind: resource.ImportBlockWithID},
	)
}
