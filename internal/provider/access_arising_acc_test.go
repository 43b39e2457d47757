package provider_test

import (
	"fmt"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
)

// Everything at once from nothing, with outputs of the access: a policy for groups does not
// know before the apply what it will give, the state has it after the apply, and the plan
// after that is empty. The steps expect that.
func TestAccAccessArisesInOneApply(t *testing.T) {
	a := newAcceptance(t)
	keys := key(`algorithm = "EC_P256"`, `tags = { desk = "spot" }`)
	callers := caller(t, "ann", "team") + caller(t, "bob", "team")
	policies := func(dependsOn string) string {
		return fmt.Sprintf(`
resource "hsm_access_policy" "named" {
  name = "named"
  statement {
    effect     = "permit"
    principals = [hsm_api_credential.ann.id]
    actions    = ["get_public_key"]
    keys       = [hsm_key.orders.id]
  }
}

resource "hsm_access_policy" "team" {
  name = "team"
  statement {
    effect     = "permit"
    principals = ["owner:team"]
    actions    = ["sign"]
    keys       = ["tag:desk=spot"]
  }
  depends_on = [%[1]s]
}

resource "hsm_access_policy" "everybody" {
  name  = "everybody"
  cedar = "permit (principal, action == Action::\"verify\", resource) when { principal.owner == \"team\" };"
  depends_on = [%[1]s]
}
`, dependsOn)
	}
	outputs := `
output "access" {
  value = { for name, policy in {
    named = hsm_access_policy.named, team = hsm_access_policy.team, everybody = hsm_access_policy.everybody
  } : name => length(policy.effective_access) }
}
`
	gives := func(policy string, grants ...knownvalue.Check) statecheck.StateCheck {
		return statecheck.ExpectKnownValue("hsm_access_policy."+policy, tfjsonpath.New("effective_access"), knownvalue.SetExact(grants))
	}
	ends := resource.TestStep{Config: a.with(), PlanOnly: false}
	t.Run("in an order", func(t *testing.T) {
		cyd := caller(t, "cyd", "team")
		digests := `
resource "hsm_access_policy" "digests" {
  name = "digests"
  statement {
    effect     = "permit"
    principals = ["owner:team"]
    actions    = ["sign_digest"]
    keys       = [hsm_key.orders.id]
  }
  depends_on = [hsm_api_credential.cyd]
}

output "digests" {
  value = hsm_access_policy.digests.effective_access[*].principal
}
`
		a.test(
			resource.TestStep{
				Config: a.with(keys, callers, policies("hsm_api_credential.ann, hsm_api_credential.bob, hsm_key.orders"), outputs),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectUnknownValue("hsm_access_policy.team", tfjsonpath.New("effective_access")),
					plancheck.ExpectUnknownValue("hsm_access_policy.everybody", tfjsonpath.New("effective_access")),
					plancheck.ExpectKnownValue("hsm_access_policy.named", tfjsonpath.New("effective_access"), knownvalue.SetSizeExact(1)),
				}},
				ConfigStateChecks: []statecheck.StateCheck{
					gives("named", granted("ann", "get_public_key", "orders")),
					gives("team", granted("ann", "sign", "orders"), granted("bob", "sign", "orders")),
					gives("everybody", granted("ann", "verify", "orders"), granted("bob", "verify", "orders")),
				},
			},
			resource.TestStep{ // one more, and a policy for its owner
				Config: a.with(keys, callers, cyd, digests),
				ConfigStateChecks: []statecheck.StateCheck{
					gives("digests", granted("ann", "sign_digest", "orders"), granted("bob", "sign_digest", "orders"), granted("cyd", "sign_digest", "orders")),
				},
			},
			ends,
		)
	})
	t.Run("in any order", func(t *testing.T) { a.test(resource.TestStep{Config: a.with(keys, callers, policies(""))}, ends) })
}
