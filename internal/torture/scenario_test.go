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

// rotationBlock declares a rotation that is triggered by a word, with an overlap that no
// test waits for, unless it is overlapping that shortly.
func rotationBlock(word, more string) string { return overlapping("1h", word, more) }

func overlapping(overlap, word, more string) string {
	return fmt.Sprintf(`
resource "hsm_key_rotation" "orders" {
  key_id              = hsm_key.orders.id
  overlap             = %q
  rotate_when_changed = { word = %q }
  %s
}
`, overlap, word, more)
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
	retireDestroys = `retire_action = "destroy"`
	createFirst    = "lifecycle {\n    create_before_destroy = true\n  }"
	adopted        = `
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
		"retire": {
			before: ec + overlapping("1s", "one", ""), twice: ec + overlapping("1s", "two", ""),
			pause: "1500ms", after: ec + overlapping("1s", "two", ""),
		},
		"retire, destroying": {
			before: ec + overlapping("1s", "one", retireDestroys), twice: ec + overlapping("1s", "two", retireDestroys),
			pause: "1500ms", after: ec + overlapping("1s", "two", retireDestroys),
		},
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
