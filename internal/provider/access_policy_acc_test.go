package provider_test

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
)

const trading = "hsm_access_policy.trading"

// caller writes a credential whose private key nobody has.
func caller(t *testing.T, name, owner string) string {
	t.Helper()
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`
resource "hsm_api_credential" %[1]q {
  name       = %[1]q
  owner      = %[2]q
  type       = "public_key"
  public_key = <<-EOT
%[3]s  EOT
}
`, name, owner, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// permits writes the policy "trading" with one statement.
func permits(principals, keys string) string {
	return fmt.Sprintf(`
resource "hsm_access_policy" "trading" {
  name = "trading"

  statement {
    effect     = "permit"
    principals = %s
    actions    = ["sign"]
    keys       = %s
  }
}
`, principals, keys)
}

func granted(principal, action, key string) knownvalue.Check {
	return knownvalue.ObjectExact(map[string]knownvalue.Check{
		"principal": knownvalue.StringExact(principal), "action": knownvalue.StringExact(action), "key": knownvalue.StringExact(key), "conditional": knownvalue.Bool(false),
	})
}

// planGrants expects the plan to know the access that the policy is going to give.
func planGrants(want ...knownvalue.Check) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
		plancheck.ExpectKnownValue(trading, tfjsonpath.New("effective_access"), knownvalue.SetExact(want)),
	}}
}

// accessChange expects the plan, as `terraform show -json` has it, to take away and to
// give exactly some access.
type accessChange struct{ lost, gained []string }

func (c accessChange) CheckPlan(_ context.Context, req plancheck.CheckPlanRequest, resp *plancheck.CheckPlanResponse) {
	for _, change := range req.Plan.ResourceChanges {
		if change.Address != trading {
			continue
		}
		before, after := grantLines(change.Change.Before), grantLines(change.Change.After)
		lost := slices.DeleteFunc(slices.Clone(before), func(g string) bool { return slices.Contains(after, g) })
		gained := slices.DeleteFunc(slices.Clone(after), func(g string) bool { return slices.Contains(before, g) })
		if !slices.Equal(lost, c.lost) || !slices.Equal(gained, c.gained) {
			resp.Error = fmt.Errorf("the plan takes away %q and gives %q, want %q and %q", lost, gained, c.lost, c.gained)
		}
		return
	}
	resp.Error = errors.New("the plan does not have the policy")
}

func grantLines(resource any) []string {
	attributes, _ := resource.(map[string]any)
	list, _ := attributes["effective_access"].([]any)
	lines := make([]string, len(list))
	for i, each := range list {
		lines[i] = line(each.(map[string]any))
	}
	slices.Sort(lines)
	return lines
}

// Keys, credentials, policies and a check of them in one apply from nothing; then a
// plan of every change shows exactly the access that it takes and gives.
func TestAccAccessPolicy(t *testing.T) {
	a := newAcceptance(t)
	keys := key(`algorithm = "EC_P256"`)
	bot, ada := caller(t, "bot", "spot-desk"), caller(t, "ada", "ada")
	both, one := permits("[hsm_api_credential.bot.id, hsm_api_credential.ada.id]", "[hsm_key.orders.id]"), permits("[hsm_api_credential.bot.id]", "[hsm_key.orders.id]")
	digests := `
check "no_digests" {
  data "hsm_access" "digests" {
    principal  = hsm_api_credential.bot.id
    action     = "sign_digest"
    key        = hsm_key.orders.id
    depends_on = [hsm_access_policy.trading]
  }
  assert {
    condition     = !data.hsm_access.digests.allowed
    error_message = "The bot signs digests."
  }
}
`
	report := `
data "hsm_access_report" "ada" {
  owner      = "ada"
  depends_on = [hsm_access_policy.trading]
}

data "hsm_access" "ada" {
  principal  = "ada"
  action     = "sign"
  key        = "orders"
  depends_on = [hsm_access_policy.trading]
}
`
	rails := `
resource "hsm_access_policy" "rails" {
  name  = "rails"
  cedar = "forbid (principal == Credential::\"${hsm_api_credential.ada.id}\", action, resource);"
}
`
	bots, adas := granted("bot", "sign", "orders"), granted("ada", "sign", "orders")
	a.test(
		resource.TestStep{
			// Terraform reads a check's own data in every plan: these steps are never without.
			Config: a.with(keys, bot, ada, both, digests), ExpectNonEmptyPlan: true, ConfigPlanChecks: planGrants(adas, bots),
			ConfigStateChecks: []statecheck.StateCheck{
				statecheck.ExpectKnownValue(trading, tfjsonpath.New("effective_access"), knownvalue.SetExact([]knownvalue.Check{adas, bots})),
				statecheck.ExpectKnownValue(trading, tfjsonpath.New("id"), knownvalue.StringExact("trading")),
				statecheck.ExpectKnownValue("data.hsm_access.digests", tfjsonpath.New("allowed"), knownvalue.Bool(false)),
			},
		},
		resource.TestStep{
			Config: a.with(keys, bot, ada, both, report),
			ConfigStateChecks: []statecheck.StateCheck{
				statecheck.ExpectKnownValue("data.hsm_access.ada", tfjsonpath.New("allowed"), knownvalue.Bool(true)),
				statecheck.ExpectKnownValue("data.hsm_access_report.ada", tfjsonpath.New("grants"), knownvalue.ListSizeExact(1)),
				statecheck.ExpectKnownValue("data.hsm_access_report.ada", tfjsonpath.New("credentials").AtSliceIndex(0).AtMapKey("key_ids"),
					knownvalue.ListExact([]knownvalue.Check{knownvalue.StringExact("test~ada~1")})),
			},
		},
		resource.TestStep{ResourceName: trading, ImportState: true, ImportStateId: "trading", ImportStateVerify: true},
		resource.TestStep{
			Config:           a.with(keys, bot, ada, one),
			ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{accessChange{lost: []string{"ada sign orders"}}}},
		},
		resource.TestStep{
			Config:           a.with(keys, bot, ada, both),
			ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{accessChange{gained: []string{"ada sign orders"}}}},
		},
		resource.TestStep{
			Config: a.with(keys, bot, ada, both, rails),
			ConfigStateChecks: []statecheck.StateCheck{
				statecheck.ExpectKnownValue(trading, tfjsonpath.New("effective_access"), knownvalue.SetExact([]knownvalue.Check{adas, bots})), // not yet refreshed
			},
		},
		resource.TestStep{
			Config: a.with(keys, bot, ada, both, rails, report),
			ConfigStateChecks: []statecheck.StateCheck{
				statecheck.ExpectKnownValue(trading, tfjsonpath.New("effective_access"), knownvalue.SetExact([]knownvalue.Check{bots})),
				statecheck.ExpectKnownValue("data.hsm_access.ada", tfjsonpath.New("allowed"), knownvalue.Bool(false)),
			},
		},
	)
}

// Conditions and text come back from the token as they were written.
func TestAccAccessPolicyConditions(t *testing.T) {
	a := newAcceptance(t)
	config := a.with(key(`algorithm = "EC_P256"`), caller(t, "bot", "spot-desk"), `
variable "days" {
  type    = list(string)
  default = ["monday", "friday"]
}

resource "hsm_access_policy" "trading" {
  name        = "trading"
  description = "Orders."
  tags        = { desk = "spot" }

  dynamic "statement" {
    for_each = { permit = "10.0.0.0/8", forbid = "10.6.0.0/16" }
    content {
      effect     = statement.key
      principals = [hsm_api_credential.bot.id]
      actions    = ["sign"]
      keys       = [hsm_key.orders.id]
      condition {
        source_cidrs      = [statement.value]
        max_payload_bytes = 4096
        hours {
          from      = "22:00"
          to        = "06:00"
          time_zone = "Europe/Zurich"
          weekdays  = var.days
        }
      }
    }
  }
}
`)
	a.test(
		resource.TestStep{
			Config: config,
			ConfigStateChecks: []statecheck.StateCheck{
				statecheck.ExpectKnownValue(trading, tfjsonpath.New("cedar"), knownvalue.StringRegexp(regexp.MustCompile(`isInRange\(ip\("10\.6\.0\.0/16"\)\)`))),
				statecheck.ExpectKnownValue(trading, tfjsonpath.New("effective_access").AtSliceIndex(0).AtMapKey("conditional"), knownvalue.Bool(true)),
			},
		},
		resource.TestStep{ResourceName: trading, ImportState: true, ImportStateId: "trading", ImportStateVerify: true},
		resource.TestStep{ResourceName: trading, ImportState: true, ImportStateId: "trading", ImportStateKind: resource.ImportBlockWithID},
		resource.TestStep{ResourceName: trading, ImportState: true, ImportStateId: "unheard-of", ExpectError: regexp.MustCompile(`not found`)},
	)
}

// What is wrong is said at plan, at its line.
func TestAccAccessPolicyMistakes(t *testing.T) {
	a := newAcceptance(t)
	bad := func(config, says string) resource.TestStep {
		return resource.TestStep{Config: a.with(key(`algorithm = "EC_P256"`), caller(t, "bot", "spot-desk"), config), PlanOnly: true, ExpectError: regexp.MustCompile(says)}
	}
	a.test(
		bad(permits(`["bod"]`, `[hsm_key.orders.id]`), `(?s)principals\s+= \["bod"\]`),
		bad(permits(`[]`, `[hsm_key.orders.id]`), `(?s)principals\s+= \[\].*names no\s+principal`),
		bad(`
resource "hsm_access_policy" "trading" {
  name = "trading"
  statement {
  }
}`, `(?s)argument "effect" is required`),
		bad(`
resource "hsm_access_policy" "trading" {
  name = "trading"
  statement {
    effect     = "permit"
    principals = [hsm_api_credential.bot.id]
    actions    = ["sign"]
    keys       = [hsm_key.orders.id]
    condition {
      hours {
        from = "08:00"
      }
    }
  }
}`, `(?s)must\s+be\s+specified`),
		bad(`
resource "hsm_access_policy" "trading" {
  name  = "trading"
  cedar = "permit (principal, action, resource) when { principal.ownr == \"ada\" };"
}`, `(?s)cedar\s+=.*ownr`),
	)
}

// A key that a policy names stays until the policy has let go of it. Terraform removes
// first what a change lets go of, so one apply does both only if the key says otherwise.
func TestAccAccessPolicyNamesKey(t *testing.T) {
	bot, orders := func(t *testing.T) string { return caller(t, "bot", "spot-desk") }, key(`algorithm = "EC_P256"`)
	quotes := func(arguments string) string {
		return fmt.Sprintf(`
resource "hsm_key" "quotes" {
  name                = "quotes"
  algorithm           = "EC_P256"
  deletion_protection = false
  %s
}
`, arguments)
	}
	named := permits("[hsm_api_credential.bot.id]", "[hsm_key.orders.id, hsm_key.quotes.id]")
	free := permits("[hsm_api_credential.bot.id]", "[hsm_key.orders.id]")
	refusal := regexp.MustCompile(`(?s)Cannot destroy key: protected.*access\s+policy\s+"trading"`)

	t.Run("first the policy, then the key", func(t *testing.T) {
		a, bot := newAcceptance(t), bot(t)
		a.test(
			resource.TestStep{Config: a.with(bot, orders, quotes(""), named)},
			resource.TestStep{Config: a.with(bot, orders, free), ExpectError: refusal},
			resource.TestStep{Config: a.with(bot, orders, free), ExpectError: refusal}, // as often as one likes
			resource.TestStep{Config: a.with(bot, orders, quotes(""), free)},
			resource.TestStep{Config: a.with(bot, orders, free)},
		)
	})
	t.Run("both at once", func(t *testing.T) {
		a, bot := newAcceptance(t), bot(t)
		a.test(
			resource.TestStep{Config: a.with(bot, orders, quotes("lifecycle {\n    create_before_destroy = true\n  }"), named)},
			resource.TestStep{Config: a.with(bot, orders, free)},
		)
	})
	t.Run("together with the policy", func(t *testing.T) {
		a, bot := newAcceptance(t), bot(t)
		a.test(
			resource.TestStep{Config: a.with(bot, orders, quotes(""), named)},
			resource.TestStep{Config: a.with(bot)},
		)
	})
}
