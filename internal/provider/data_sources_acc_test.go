package provider_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/compare"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
)

func TestAccTokenDataSource(t *testing.T) {
	a := newAcceptance(t)
	this := func(want knownvalue.Check, at string, more ...string) statecheck.StateCheck {
		path := tfjsonpath.New(at)
		for _, step := range more {
			path = path.AtMapKey(step)
		}
		return statecheck.ExpectKnownValue("data.hsm_token.this", path, want)
	}
	a.test(resource.TestStep{
		Config: a.with(`data "hsm_token" "this" {}`),
		ConfigStateChecks: []statecheck.StateCheck{
			this(knownvalue.StringExact("acceptance"), "label"),
			this(knownvalue.StringExact(a.token.Serial), "serial"),
			this(knownvalue.StringRegexp(regexp.MustCompile(`SoftHSM`)), "model"),
			this(knownvalue.StringRegexp(regexp.MustCompile(`^[0-9]+\.[0-9]+$`)), "firmware_version"),
			this(knownvalue.ListPartial(map[int]knownvalue.Check{0: knownvalue.NotNull()}), "flags"),
			this(knownvalue.NotNull(), "mechanisms", "CKM_ECDSA", "min_key_size"),
			this(knownvalue.ListPartial(map[int]knownvalue.Check{0: knownvalue.StringExact("sign")}), "mechanisms", "CKM_ECDSA", "uses"),
			this(knownvalue.StringExact("hsm"), "capabilities", "enforcement"),
			this(knownvalue.Bool(true), "capabilities", "attests"),
			this(knownvalue.Bool(true), "capabilities", "restricts_mechanisms"),
			this(knownvalue.Bool(true), "capabilities", "keeps_records"),
			this(knownvalue.ListPartial(map[int]knownvalue.Check{0: knownvalue.StringRegexp(regexp.MustCompile("not for keys of value"))}), "cautions"),
			this(knownvalue.ListPartial(map[int]knownvalue.Check{0: knownvalue.StringExact("sign"), 1: knownvalue.StringExact("verify")}), "capabilities", "algorithms", "EC_P256"),
		},
	})
}

func TestAccKeyDataSources(t *testing.T) {
	a := newAcceptance(t)
	enabled := key(`algorithm = "EC_P256"`, `tags = { team = "billing", tier = "1" }`) + `
resource "hsm_key" "archive" {
  name                = "archive"
  algorithm           = "AES_256"
  deletion_protection = false
  tags                = { team = "billing" }
}

resource "hsm_key" "other" {
  name                = "other"
  algorithm           = "ED25519"
  deletion_protection = false
}
`
	keys := strings.Replace(enabled, `"AES_256"`, "\"AES_256\"\n  enabled = false", 1)
	data := `
data "hsm_key" "orders" {
  name = hsm_key.orders.name
}

data "hsm_keys" "all" {
  depends_on = [hsm_key.orders, hsm_key.archive, hsm_key.other]
}

data "hsm_keys" "billing" {
  depends_on = [hsm_key.orders, hsm_key.archive, hsm_key.other]
  tags       = { team = "billing" }
}

data "hsm_keys" "active_billing" {
  depends_on = [hsm_key.orders, hsm_key.archive, hsm_key.other]
  tags       = { team = "billing" }
  state      = "active"
}

data "hsm_keys" "none" {
  depends_on = [hsm_key.orders, hsm_key.archive, hsm_key.other]
  state      = "compromised"
}
`
	names := func(address string, want ...string) statecheck.StateCheck {
		var list []knownvalue.Check
		for _, name := range want {
			list = append(list, knownvalue.StringExact(name))
		}
		return statecheck.ExpectKnownValue(address, tfjsonpath.New("names"), knownvalue.ListExact(list))
	}
	checks := []statecheck.StateCheck{
		names("data.hsm_keys.all", "archive", "orders", "other"),
		names("data.hsm_keys.billing", "archive", "orders"),
		names("data.hsm_keys.active_billing", "orders"),
		names("data.hsm_keys.none"),
		statecheck.ExpectKnownValue("data.hsm_keys.billing", tfjsonpath.New("keys").AtMapKey("archive").AtMapKey("state"), knownvalue.StringExact("suspended")),
		statecheck.ExpectKnownValue("data.hsm_keys.billing", tfjsonpath.New("keys").AtMapKey("orders").AtMapKey("tags").AtMapKey("tier"), knownvalue.StringExact("1")),
	}
	for _, attribute := range []string{"algorithm", "operations", "tags", "enabled", "pkcs11_uri", "created_at", "current_version", "public_key_pem", "public_key_jwk", "versions"} {
		checks = append(checks, statecheck.CompareValuePairs("data.hsm_key.orders", tfjsonpath.New(attribute), orders, tfjsonpath.New(attribute), compare.ValuesSame()))
	}
	for n, what := range []string{"begun", "generated", "activated"} {
		checks = append(checks, statecheck.ExpectKnownValue("data.hsm_key.orders", tfjsonpath.New("history").AtSliceIndex(n).AtMapKey("what"), knownvalue.StringExact(what)))
	}
	checks = append(checks,
		statecheck.ExpectKnownValue("data.hsm_key.orders", tfjsonpath.New("history_head"), knownvalue.StringRegexp(regexp.MustCompile("^[0-9a-f]{64}$"))),
		statecheck.CompareValuePairs("data.hsm_key.orders", tfjsonpath.New("history").AtSliceIndex(1).AtMapKey("digest"),
			orders, tfjsonpath.New("versions").AtMapKey("1").AtMapKey("fingerprint_sha256"), compare.ValuesSame()))
	a.test(
		resource.TestStep{Config: a.with(enabled)},
		resource.TestStep{Config: a.with(keys, data), ConfigStateChecks: checks},
		resource.TestStep{Config: a.with(keys, `data "hsm_key" "none" { name = "unheard-of" }`), ExpectError: regexp.MustCompile(`not found`)},
	)
}
