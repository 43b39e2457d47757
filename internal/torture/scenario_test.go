package torture_test

import "fmt"

// scenario is a change that is disturbed: what is applied before it, and the change.
type scenario struct {
	before, after string   // configurations; an empty one is nothing
	twice         string   // applied between the two, if not empty
	args          []string // of the apply that is disturbed
	pause         string   // between the two
	foreign       bool     // a key that the provider is not told of is on the token
}

const key = `
resource "hsm_key" "orders" {
  name                = "orders"
  algorithm           = "EC_P256"
  deletion_protection = false
  on_destroy          = %q
  enabled             = %t
}
`

func keyBlock(onDestroy string, enabled bool) string { return fmt.Sprintf(key, onDestroy, enabled) }

// rotation declares a rotation that is triggered by a word.
func rotationBlock(word, more string) string {
	return fmt.Sprintf(`
resource "hsm_key_rotation" "orders" {
  key_id              = hsm_key.orders.id
  overlap             = "1s"
  rotate_when_changed = { word = %q }
  %s
}
`, word, more)
}

func credentialBlock(word string) string {
	return fmt.Sprintf(`
resource "hsm_api_credential" "bot" {
  name                = "bot"
  owner               = "spot-desk"
  type                = "shared_secret"
  algorithm           = "hmac-sha512"
  overlap             = "1h"
  rotate_when_changed = { word = %q }
}
`, word)
}

func policyBlock(action string) string {
	return fmt.Sprintf(`
resource "hsm_access_policy" "bot" {
  name = "bot"

  statement {
    effect     = "permit"
    principals = [hsm_api_credential.bot.id]
    actions    = [%q]
    keys       = [hsm_key.orders.id]
  }
}
`, action)
}

const (
	createFirst = "lifecycle {\n    create_before_destroy = true\n  }"
	adopted     = `
import {
  to = hsm_key.orders
  id = "pkcs11:id=%BE%EF?x-name=orders"
}

resource "hsm_key" "orders" {
  name                = "orders"
  algorithm           = "EC_P256"
  operations          = ["sign", "verify"]
  deletion_protection = false
}
`
)

// scenarios are the changes that a user makes, each once.
func scenarios() map[string]scenario {
	ec := keyBlock("disable", true)
	whole := ec + rotationBlock("one", "") + credentialBlock("one") + policyBlock("sign")
	return map[string]scenario{
		"create":                {after: ec + rotationBlock("one", "")},
		"create everything":     {after: whole},
		"rotate, destroy first": {before: ec + rotationBlock("one", ""), after: ec + rotationBlock("two", "")},
		"rotate, create first":  {before: ec + rotationBlock("one", createFirst), after: ec + rotationBlock("two", createFirst)},
		"rotate by -replace":    {before: ec + rotationBlock("one", ""), after: ec + rotationBlock("one", ""), args: []string{"-replace=hsm_key_rotation.orders"}},
		"retire":                {before: ec + rotationBlock("one", ""), twice: ec + rotationBlock("two", ""), pause: "1500ms", after: ec + rotationBlock("two", "")},
		"retire, destroying": {before: ec + rotationBlock("one", `retire_action = "destroy"`), twice: ec + rotationBlock("two", `retire_action = "destroy"`),
			pause: "1500ms", after: ec + rotationBlock("two", `retire_action = "destroy"`)},
		"revoke":              {before: ec + rotationBlock("one", ""), after: ec + rotationBlock("one", `revoke = { "1" = "key_compromise" }`)},
		"suspend":             {before: ec + rotationBlock("one", ""), after: keyBlock("disable", false) + rotationBlock("one", "")},
		"destroy, disabling":  {before: ec + rotationBlock("one", ""), twice: ec + rotationBlock("two", "")},
		"destroy, destroying": {before: keyBlock("destroy", true) + rotationBlock("one", ""), twice: keyBlock("destroy", true) + rotationBlock("two", "")},
		"adopt":               {foreign: true, after: adopted},
		"rotate a credential": {before: whole, after: ec + rotationBlock("one", "") + credentialBlock("two") + policyBlock("sign")},
		"change a policy":     {before: whole, after: ec + rotationBlock("one", "") + credentialBlock("one") + policyBlock("verify")},
		"remove everything":   {before: whole},
	}
}
