package provider_test

import (
	"crypto/ed25519"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/keystead/terraform-provider-hsm/internal/certrequest"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle/lifecycletest"
)

func TestCertificateRequestValidation(t *testing.T) {
	s := newServer(t)
	for name, test := range map[string]struct {
		config    values
		attribute string
		says      []string
	}{
		"IP address":     {values{"key_id": "orders", "ip_addresses": []any{"192.0.2"}}, "ip_addresses", []string{"not an IP address"}},
		"URI":            {values{"key_id": "orders", "uris": []any{"orders"}}, "uris", []string{"not a URI"}},
		"space in URI":   {values{"key_id": "orders", "uris": []any{"http://a b"}}, "uris", []string{"not a URI", "without spaces"}},
		"host of URI":    {values{"key_id": "orders", "uris": []any{"http://bücher.example"}}, "uris", []string{"in the request", "punycode"}},
		"path of URI":    {values{"key_id": "orders", "uris": []any{"http://a.example/bücher"}}, "uris", []string{"in the request", "percent encoding"}},
		"DNS name":       {values{"key_id": "orders", "dns_names": []any{"bücher.example"}}, "dns_names", []string{"punycode"}},
		"use":            {values{"key_id": "orders", "allowed_uses": []any{"web"}}, "allowed_uses", []string{"server_auth"}},
		"algorithm":      {values{"key_id": "orders", "algorithm": "HS256"}, "algorithm", []string{"ES256"}},
		"subjects":       {values{"key_id": "orders", "subject": []any{values{"common_name": "a"}, values{"common_name": "b"}}}, "subject", []string{"at most 1"}},
		"country":        {values{"key_id": "orders", "subject": []any{values{"country": "CHE"}}}, "country", []string{"two capital letters"}},
		"long name":      {values{"key_id": "orders", "subject": []any{values{"common_name": strings.Repeat("a", 65)}}}, "common_name", []string{"between 1 and 64"}},
		"no name":        {values{"key_id": "orders", "dns_names": []any{nil}}, "dns_names", []string{"null"}},
		"address":        {values{"key_id": "orders", "dns_names": []any{"192.0.2.1"}}, "dns_names", []string{"is an IP address", "ip_addresses"}},
		"two names":      {values{"key_id": "orders", "dns_names": []any{"a.de,b.de"}}, "dns_names", []string{"not a DNS name"}},
		"long label":     {values{"key_id": "orders", "dns_names": []any{strings.Repeat("a", 64) + ".de"}}, "dns_names", []string{"not a DNS name", "63"}},
		"hyphen first":   {values{"key_id": "orders", "dns_names": []any{"-a.de"}}, "dns_names", []string{"not a DNS name"}},
		"wildcard":       {values{"key_id": "orders", "dns_names": []any{"a.*.de"}}, "dns_names", []string{"not a DNS name", "*.example.org"}},
		"wildcard alone": {values{"key_id": "orders", "dns_names": []any{"*"}}, "dns_names", []string{"not a DNS name"}},
		"too long":       {values{"key_id": "orders", "dns_names": []any{strings.Repeat("a.", 127) + "de"}}, "dns_names", []string{"not a DNS name"}},
		"line break":     {values{"key_id": "orders", "subject": []any{values{"common_name": "a\nb"}}}, "common_name", []string{"control characters"}},
		"serial number":  {values{"key_id": "orders", "subject": []any{values{"serial_number": "ä"}}}, "serial_number", []string{"1 to 64 of"}},
		"street":         {values{"key_id": "orders", "subject": []any{values{"street_address": []any{""}}}}, "street_address", []string{"between 1 and 128"}},
		"no street":      {values{"key_id": "orders", "subject": []any{values{"street_address": []any{nil}}}}, "street_address", []string{"null"}},
		"nothing":        {values{"key_id": "orders", "dns_names": []any{}, "ip_addresses": []any{}, "uris": []any{}, "allowed_uses": []any{}}, "", nil},
		"URIs":           {values{"key_id": "orders", "uris": []any{"spiffe://example.org/orders?a=b#c", "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "http://a.example/b%C3%BCcher"}}, "", nil},
		"fine": {values{
			"key_id": unknown, "dns_names": []any{unknown, "*.example.com", "a-b._c.x", "localhost"}, "ip_addresses": unknown, "allowed_uses": []any{"ipsec_user"},
			"subject": []any{values{"common_name": "Bücher & Söhne", "serial_number": "A-1 (2)", "street_address": []any{"Straße 1", "2. Stock"}}},
		}, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			resp, err := s.ValidateResourceConfig(t.Context(), &tfprotov6.ValidateResourceConfigRequest{
				TypeName: "hsm_certificate_request", Config: encode(t, s.resourceType("hsm_certificate_request"), test.config),
			})
			if err != nil {
				t.Fatal(err)
			}
			if test.attribute == "" {
				noErrors(t, resp.Diagnostics)
			} else {
				wantDiagnostic(t, resp.Diagnostics, test.attribute, append(test.says, "ERROR")...)
			}
		})
	}
}

// Keys that cannot sign a request are refused at plan, be they there or planned.
func TestCertificateRequestRefusals(t *testing.T) {
	m := lifecycletest.New(newYear)
	c := newKey(t, m)
	refuses := func(config values, says ...string) {
		t.Helper()
		wantDiagnostic(t, c.plan(t, "hsm_certificate_request", nil, config).diagnostics, "key_id", append(says, "ERROR")...)
	}
	request := values{"key_id": "orders"}
	refuses(request, "There is no key of this name")
	hmac := with(keyConfig, "algorithm", "HMAC_SHA256")
	p := c.plan(t, c.resource, nil, hmac)
	refuses(request, "No certificate can be requested for an HMAC_SHA256 key", "EC_P256")
	c.carryOut(p, hmac)
	c.server = serveMemory(t, m) // another run
	refuses(request, "No certificate can be requested for an HMAC_SHA256 key")

	m = lifecycletest.New(newYear)
	c = newKey(t, m)
	c.apply(keyConfig)
	refuses(values{"key_id": "orders", "algorithm": "RS256"}, "does not sign by RS256")
	wantDiagnostic(t, c.plan(t, "hsm_certificate_request", nil, values{"key_id": "orders", "version": 9}).diagnostics, "version", "Not this version signs, but version 1", "ERROR")
	c.apply(with(keyConfig, "enabled", false))
	c.server = serveMemory(t, m)
	refuses(request, "disabled")
	p = c.plan(t, "hsm_certificate_request", values{
		"key_id": "orders", "version": 1, "algorithm": "ES256", "id": "orders", "cert_request_pem": "PEM", "renewal_due": false, "subject": []any{},
	}, with(request, "subject", []any{}))
	noErrors(t, p.diagnostics) // what was made stays
	if changed := p.changed(); len(changed) > 0 {
		t.Errorf("the plan changes %v", changed)
	}
	c.apply(keyConfig)
	p = c.plan(t, "hsm_certificate_request", p.values, with(request, "subject", []any{}, "dns_names", []any{}, "allowed_uses", []any{}))
	noErrors(t, p.diagnostics) // an empty list asks for nothing more
	if changed := fmt.Sprint(p.changed()); changed != "[allowed_uses dns_names]" {
		t.Errorf("the plan changes %v", changed)
	}
}

// A request is nowhere but in the state.
func TestCertificateRequestImport(t *testing.T) {
	c := newKey(t, lifecycletest.New(newYear))
	c.apply(keyConfig)
	resp, err := c.ImportResourceState(t.Context(), &tfprotov6.ImportResourceStateRequest{TypeName: "hsm_certificate_request", ID: "orders"})
	if err != nil {
		t.Fatal(err)
	}
	wantDiagnostic(t, resp.Diagnostics, "", "nothing to import", "Declare the resource", "ERROR")
}

// The same name and number is another key on another token, and in its place the request
// has to be made.
func TestCertificateRequestOfAnotherKey(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	another, err := keyring.NewEdwardsPublicKey(keyring.Ed25519, public)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := certrequest.Create(certrequest.Spec{}, another, keyring.EdDSA, func(message []byte) ([]byte, error) { return ed25519.Sign(private, message), nil })
	if err != nil {
		t.Fatal(err)
	}
	key := newKey(t, lifecycletest.New(newYear))
	key.apply(keyConfig)
	request := &core{server: key.server, t: t, resource: "hsm_certificate_request", state: values{
		"key_id": "orders", "version": 1, "algorithm": "ES256", "id": "orders", "cert_request_pem": pem, "renewal_due": false, "subject": []any{},
	}}
	request.refresh()
	if request.state["renewal_due"] != true || request.state["cert_request_pem"] != pem {
		t.Errorf("the state is %v", request.state)
	}
	p := request.plan(t, request.resource, request.state, values{"key_id": "orders", "version": 1, "subject": []any{}})
	noErrors(t, p.diagnostics)
	if p.values["cert_request_pem"] != any(unknown) {
		t.Errorf("planned is %v", p.values)
	}
}
