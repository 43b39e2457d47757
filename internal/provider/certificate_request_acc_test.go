package provider_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/provider"
)

const certificateRequest = "hsm_certificate_request.orders"

// opensslReads expects openssl to verify a request, and to read texts in it.
func opensslReads(says ...string) resource.TestCheckFunc {
	return func(s *terraform.State) error {
		read := exec.Command("openssl", "req", "-verify", "-text", "-noout", "-nameopt", "RFC2253")
		read.Stdin = strings.NewReader(s.RootModule().Resources[certificateRequest].Primary.Attributes["cert_request_pem"])
		out, err := read.CombinedOutput()
		if err != nil {
			return fmt.Errorf("openssl says %s: %w", out, err)
		}
		for _, text := range append(says, "verify OK") {
			if !strings.Contains(string(out), text) {
				return fmt.Errorf("openssl does not read %q in %s", text, out)
			}
		}
		return nil
	}
}

// A request is made anew when its key rotates: in the same apply if it is told the
// version, and with the next plan otherwise. It stays when its key is disabled.
func TestAccCertificateRequest(t *testing.T) {
	config := func(enabled bool, generation, version, name string) string {
		return key(`algorithm = "EC_P256"`, fmt.Sprintf("enabled = %t", enabled)) + fmt.Sprintf(`
resource "hsm_key_rotation" "orders" {
  key_id              = hsm_key.orders.id
  rotate_when_changed = { generation = %q }
}
resource "hsm_certificate_request" "orders" {
  key_id  = hsm_key_rotation.orders.key_id
  %s
  subject {
    common_name    = %q
    organization   = "Example"
    street_address = ["1 Main Street"]
    country        = "CH"
  }
  dns_names    = ["orders.example.com"]
  ip_addresses = ["192.0.2.1", "2001:db8::1"]
  uris         = ["spiffe://example.com/orders"]
  allowed_uses = ["digital_signature", "decipher_only", "server_auth", "client_auth"]
}
`, generation, version, name)
	}
	const told = "version = hsm_key_rotation.orders.version"
	unknownPEM := plancheck.ExpectUnknownValue(certificateRequest, tfjsonpath.New("cert_request_pem"))
	update := plancheck.ExpectResourceAction(certificateRequest, plancheck.ResourceActionUpdate)
	version := func(want string) resource.TestCheckFunc {
		return resource.TestCheckResourceAttr(certificateRequest, "version", want)
	}
	planned := resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{update, unknownPEM}}
	a := newAcceptance(t)
	a.test(
		resource.TestStep{
			Config: a.with(config(true, "a", told, "orders")), Check: resource.ComposeTestCheckFunc(version("1"), opensslReads(
				"CN=orders", "O=Example", "C=CH", "street=1 Main Street", "DNS:orders.example.com", "IP Address:192.0.2.1", "IP Address:2001:DB8:0:0:0:0:0:1",
				"URI:spiffe://example.com/orders", "X509v3 Key Usage: critical", "Digital Signature, Decipher Only\n",
				"TLS Web Client Authentication, TLS Web Server Authentication", "ecdsa-with-SHA256",
			)),
		},
		resource.TestStep{Config: a.with(config(true, "b", told, "orders")), ConfigPlanChecks: planned, Check: resource.ComposeTestCheckFunc(version("2"), opensslReads())},
		resource.TestStep{ // what was told is told no more: nothing changes
			Config:           a.with(config(true, "b", "", "orders")),
			ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
		},
		resource.TestStep{Config: a.with(config(true, "c", "", "orders")), ExpectNonEmptyPlan: true, Check: version("2")},
		resource.TestStep{Config: a.with(config(true, "c", "", "orders")), ConfigPlanChecks: planned, Check: resource.ComposeTestCheckFunc(version("3"), opensslReads())},
		resource.TestStep{Config: a.with(config(true, "c", "", "sales")), ConfigPlanChecks: planned, Check: opensslReads("CN=sales")},
		resource.TestStep{Config: a.with(config(false, "c", "", "sales")), Check: opensslReads("CN=sales")},
	)
}

// A request follows its key through a revocation of the current version, by the action or
// by the argument, in one apply where it is told the version; and while its key is disabled
// it stays, also when a rotation comes with that.
func TestAccCertificateRequestOfRevoked(t *testing.T) {
	const told, untold = "version = hsm_key_rotation.orders.version", ""
	config := func(enabled bool, generation, revoke, version string) string {
		return key(`algorithm = "EC_P256"`, fmt.Sprintf("enabled = %t", enabled)) + fmt.Sprintf(`
resource "hsm_key_rotation" "orders" {
  key_id              = hsm_key.orders.id
  rotate_when_changed = { generation = %q }
  revoke              = { %s }
}
resource "hsm_certificate_request" "orders" {
  key_id = hsm_key.orders.id
  %s
}
`, generation, revoke, version)
	}
	request := func(action plancheck.ResourceActionType) resource.ConfigPlanChecks {
		return resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(certificateRequest, action)}}
	}
	version := func(want string) resource.TestCheckFunc {
		return resource.ComposeTestCheckFunc(resource.TestCheckResourceAttr(certificateRequest, "version", want), opensslReads())
	}
	stays, follows := request(plancheck.ResourceActionNoop), request(plancheck.ResourceActionUpdate)

	t.Run("by the action, told the version", func(t *testing.T) {
		a := newAcceptance(t)
		a.test(
			resource.TestStep{Config: a.with(config(true, "a", "", told)), Check: version("1")},
			resource.TestStep{PreConfig: func() { a.revoke(1) }, Config: a.with(config(true, "a", "", told)), ConfigPlanChecks: follows, Check: version("2")},
		)
	})
	t.Run("by the action, not told", func(t *testing.T) {
		a := newAcceptance(t)
		a.test(
			resource.TestStep{Config: a.with(config(true, "a", "", untold)), Check: version("1")},
			resource.TestStep{PreConfig: func() { a.revoke(1) }, Config: a.with(config(true, "a", "", untold)), ConfigPlanChecks: stays, Check: version("1"), ExpectNonEmptyPlan: true},
			resource.TestStep{Config: a.with(config(true, "a", "", untold)), ConfigPlanChecks: follows, Check: version("2")},
		)
	})
	t.Run("by the argument, told the version", func(t *testing.T) {
		a := newAcceptance(t)
		a.test(
			resource.TestStep{Config: a.with(config(true, "a", "", told)), Check: version("1")},
			resource.TestStep{Config: a.with(config(true, "a", `"1" = "key_compromise"`, told)), ConfigPlanChecks: follows, Check: version("2")},
		)
	})
	t.Run("by the argument, not told", func(t *testing.T) {
		a := newAcceptance(t)
		a.test(
			resource.TestStep{Config: a.with(config(true, "a", "", untold)), Check: version("1")},
			resource.TestStep{Config: a.with(config(true, "a", `"1" = "key_compromise"`, untold)), ConfigPlanChecks: stays, Check: version("1"), ExpectNonEmptyPlan: true},
			resource.TestStep{Config: a.with(config(true, "a", `"1" = "key_compromise"`, untold)), ConfigPlanChecks: follows, Check: version("2")},
		)
	})
	t.Run("disabled and rotated", func(t *testing.T) {
		a := newAcceptance(t)
		a.test(
			resource.TestStep{Config: a.with(config(true, "a", "", told)), Check: version("1")},
			resource.TestStep{Config: a.with(config(false, "b", "", told)), ConfigPlanChecks: stays, Check: version("1")},
			resource.TestStep{Config: a.with(config(false, "b", "", told)), ConfigPlanChecks: stays, Check: version("1")},
			resource.TestStep{Config: a.with(config(false, "c", "", told)), ConfigPlanChecks: stays, Check: version("1")},
			resource.TestStep{Config: a.with(config(true, "c", "", told)), ConfigPlanChecks: follows, Check: version("3")},
		)
	})
	t.Run("revoked before it is asked for", func(t *testing.T) {
		a := newAcceptance(t)
		without, _, _ := strings.Cut(config(true, "a", "", told), `resource "hsm_certificate_request"`)
		a.test(
			resource.TestStep{Config: a.with(without)},
			resource.TestStep{
				PreConfig: func() { a.revoke(1) }, Config: a.with(config(true, "a", "", told)), ConfigPlanChecks: request(plancheck.ResourceActionCreate), Check: version("2"),
			},
		)
	})
}

// revoke revokes a version of the key "orders" as the action does.
func (a *acceptance) revoke(version int) {
	a.t.Helper()
	if err := a.use(func(services *provider.Services) error {
		_, err := services.Keys.Revoke(a.t.Context(), "orders", version, keyring.KeyCompromise)
		return err
	}); err != nil {
		a.t.Error(err)
	}
}

// Two requests of one key have ids of their own.
func TestAccCertificateRequests(t *testing.T) {
	a := newAcceptance(t)
	request := "resource \"hsm_certificate_request\" \"orders\" {\n  key_id = hsm_key.orders.id\n  dns_names = []\n}\n"
	a.test(resource.TestStep{
		Config: a.with(key(`algorithm = "EC_P256"`), request, strings.Replace(request, `"orders"`, `"sales"`, 1)),
		Check: func(s *terraform.State) error {
			one, other := s.RootModule().Resources[certificateRequest].Primary.ID, s.RootModule().Resources["hsm_certificate_request.sales"].Primary.ID
			if one == other || len(one) != 64 {
				return fmt.Errorf("the ids are %s and %s", one, other)
			}
			return nil
		},
	})
}

// Requests by every kind of key and scheme verify with openssl.
func TestAccCertificateRequestAlgorithms(t *testing.T) {
	for _, test := range []struct{ algorithm, arguments, says string }{
		{"RSA_2048", "", "sha256WithRSAEncryption"},
		{"RSA_2048", `algorithm = "PS384"`, "rsassaPss"},
		{"EC_P384", "", "ecdsa-with-SHA384"},
		{"EC_P521", "", "ecdsa-with-SHA512"},
		{"ED25519", "", "ED25519"},
	} {
		t.Run(test.algorithm+test.arguments, func(t *testing.T) {
			a := newAcceptance(t)
			a.test(resource.TestStep{
				Config: a.with(key(fmt.Sprintf("algorithm = %q", test.algorithm)), "resource \"hsm_certificate_request\" \"orders\" {\n  key_id = hsm_key.orders.id\n  "+test.arguments+"\n}\n"),
				Check:  opensslReads("Signature Algorithm: " + test.says),
			})
		})
	}
}
