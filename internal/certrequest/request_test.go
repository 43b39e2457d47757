package certrequest_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"slices"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/certrequest"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

func edwards(t *testing.T) (keyring.PublicKey, func([]byte) ([]byte, error)) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := keyring.NewEdwardsPublicKey(keyring.Ed25519, public)
	if err != nil {
		t.Fatal(err)
	}
	return key, func(message []byte) ([]byte, error) { return ed25519.Sign(private, message), nil }
}

func TestCreate(t *testing.T) {
	key, sign := edwards(t)
	text, err := certrequest.Create(certrequest.Spec{
		Subject: pkix.Name{CommonName: "orders"}, DNSNames: []string{"orders.example.com"}, Uses: []string{"server_auth", "crl_signing", "digital_signature", "server_auth"},
	}, key, keyring.EdDSA, sign)
	if err != nil {
		t.Fatal(err)
	}
	another, _ := edwards(t)
	if !certrequest.IsOf(text, key) || certrequest.IsOf(text, another) || certrequest.IsOf("PEM", key) {
		t.Error("a request is not told from that of another key")
	}
	block, _ := pem.Decode([]byte(text))
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil || request.CheckSignature() != nil || request.Subject.CommonName != "orders" || !slices.Equal(request.DNSNames, []string{"orders.example.com"}) {
		t.Fatalf("%+v, %v", request, err)
	}
	for oid, want := range map[string][]byte{
		"2.5.29.15": {0x03, 0x02, 0x01, 0x82},                                                 // RFC 5280 section 4.2.1.3
		"2.5.29.37": {0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01}, // id-kp-serverAuth
	} {
		if !slices.ContainsFunc(request.Extensions, func(e pkix.Extension) bool {
			return e.Id.String() == oid && slices.Equal(e.Value, want) && e.Critical == e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 15})
		}) {
			t.Errorf("there is no extension %s with %x among %+v", oid, want, request.Extensions)
		}
	}
}

// A signature by another key does not get into a request, nor is the HSM's refusal lost.
func TestCreateRefusals(t *testing.T) {
	key, sign := edwards(t)
	_, another := edwards(t)
	refusal := &fault.Error{Kind: fault.Protected, Op: "sign", Problem: "The key is disabled."}
	for name, test := range map[string]struct {
		spec certrequest.Spec
		sign func([]byte) ([]byte, error)
		want fault.Kind
	}{
		"signed by another key": {certrequest.Spec{}, another, fault.Internal},
		"the HSM refuses":       {certrequest.Spec{}, func([]byte) ([]byte, error) { return nil, refusal }, fault.Protected},
		"no such use":           {certrequest.Spec{Uses: []string{"web"}}, sign, fault.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			if text, err := certrequest.Create(test.spec, key, keyring.EdDSA, test.sign); text != "" || !fault.Is(err, test.want) {
				t.Errorf("%s, %v; want a fault of kind %q", text, err, test.want)
			}
		})
	}
	for _, a := range []keyring.Algorithm{keyring.ECSecp256k1, keyring.Ed448, keyring.AES256, keyring.HMACSHA256} {
		if err := certrequest.CheckAlgorithm(a); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), string(a)) {
			t.Errorf("%s: %v", a, err)
		}
	}
}
