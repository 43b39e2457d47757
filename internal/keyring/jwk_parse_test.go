package keyring_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// Published keys are read, in whatever order and with whatever else their members come,
// and keep their thumbprints.
func TestParseJWK(t *testing.T) {
	for name, published := range publishedKeys {
		t.Run(name, func(t *testing.T) {
			text := ` {"kid":"2011-04-29","use":"sig",` + published.required[1:]
			key, err := keyring.ParseJWK(text)
			if err != nil {
				t.Fatal(err)
			}
			if a, err := key.Algorithm(); err != nil || a != published.algorithm {
				t.Errorf("it is %s, want %s: %v", a, published.algorithm, err)
			}
			thumbprint, err := key.Thumbprint()
			if err != nil || published.thumbprint != "" && thumbprint != published.thumbprint {
				t.Errorf("its thumbprint is %s, want %s: %v", thumbprint, published.thumbprint, err)
			}
			whole, err := key.JWK()
			if err != nil || !strings.Contains(whole, `"kid":"`+thumbprint+`"`) {
				t.Errorf("the thumbprint %s is not the kid of %s: %v", thumbprint, whole, err)
			}
			if again, err := keyring.ParseJWK(whole); err != nil || string(again) != string(key) {
				t.Errorf("%s is another key: %v", whole, err)
			}
			if again, err := keyring.ParsePublicKeyPEM(key.PEM()); err != nil || string(again) != string(key) {
				t.Errorf("in PEM it is another key: %v", err)
			}
		})
	}
}

func TestParseJWKRefusals(t *testing.T) {
	const x = `"x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"`
	for name, test := range map[string]struct{ text, says string }{
		"no JSON":                {`kty`, "not a JSON object"},
		"null":                   {`null`, "not a JSON object"},
		"an array":               {`[]`, "not a JSON object"},
		"two objects":            {`{"kty":"OKP","crv":"Ed25519",` + x + `}{}`, "something after"},
		"private":                {`{"kty":"OKP","crv":"Ed25519",` + x + `,"d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}`, `secret member "d"`},
		"secret":                 {`{"kty":"oct","k":"GawgguFyGrWKav7AX4VKUg"}`, `secret member "k"`},
		"a number":               {`{"kty":"OKP","crv":"Ed25519","x":1}`, `"x" is not a string`},
		"padding":                {`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo="}`, "base64url"},
		"another curve":          {`{"kty":"OKP","crv":"X25519",` + x + `}`, "known here"},
		"another type":           {`{"kty":"EC","crv":"Ed25519",` + x + `}`, "known here"},
		"too short":              {`{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}`, "length"},
		"not on the curve":       {`{"kty":"EC","crv":"P-256",` + x + `,` + strings.Replace(x, "x", "y", 1) + `}`, "not on the curve"},
		"RSA with leading zeros": {`{"kty":"RSA","n":"AAAB","e":"AQAB"}`, "leading zeros"},
		"twice":                  {`{"kty":"OKP","kty":"EC","crv":"Ed25519",` + x + `}`, `"kty" is there twice`},
		"no RSA":                 {`{"kty":"RSA","n":"AQAA","e":"AQAB"}`, "not an RSA modulus"},
		"small RSA":              {`{"kty":"RSA","n":"AQAB","e":"Aw"}`, "17 bits"},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := keyring.ParseJWK(test.text)
			if key != nil || !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, %v", key, err)
			}
			if f, ok := errors.AsType[*fault.Error](err); ok && f.Hint == "" {
				t.Errorf("it says nothing of what to do: %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "nWGx") {
				t.Errorf("the error repeats the private key: %v", err)
			}
		})
	}
}

func TestParsePublicKeyPEMRefusals(t *testing.T) {
	good, err := keyring.NewEdwardsPublicKey(keyring.Ed25519, make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	block := func(label string) string { return strings.ReplaceAll(good.PEM(), "PUBLIC KEY", label) }
	for name, test := range map[string]struct{ text, says string }{
		"nothing":          {"", "not a public key in PEM"},
		"an OpenSSH line":  {"ssh-ed25519 AAAA", "not a public key in PEM"},
		"private":          {block("PRIVATE KEY"), "private key"},
		"certificate":      {block("CERTIFICATE"), "certificate"},
		"request":          {block("CERTIFICATE REQUEST"), "request"},
		"another block":    {block("RSA PUBLIC KEY"), "kind of PEM block"},
		"two":              {good.PEM() + good.PEM(), "something beside"},
		"text before":      {"key:\n" + good.PEM(), "something beside"},
		"explicit curve":   {explicitPEM, "-ec_param_enc named_curve"},
		"X25519":           {x25519PEM, "Use another key"},
		"not a public key": {"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "SubjectPublicKeyInfo"},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := keyring.ParsePublicKeyPEM(test.text)
			f, ok := errors.AsType[*fault.Error](err)
			if key != nil || !ok || f.Kind != fault.Invalid || f.Hint == "" || !strings.Contains(f.Problem+f.Hint, test.says) {
				t.Errorf("got %v, %v", key, err)
			}
		})
	}
	if key, err := keyring.ParsePublicKeyPEM("\n  " + good.PEM() + "\n"); err != nil || string(key) != string(good) {
		t.Errorf("with blank lines around: %v, %v", key, err)
	}
}

// Keys that `openssl genpkey` made: on P-256 with -pkeyopt ec_param_enc:explicit, and X25519.
const (
	explicitPEM = `-----BEGIN PUBLIC KEY-----
MIIBSzCCAQMGByqGSM49AgEwgfcCAQEwLAYHKoZIzj0BAQIhAP////8AAAABAAAA
AAAAAAAAAAAA////////////////MFsEIP////8AAAABAAAAAAAAAAAAAAAA////
///////////8BCBaxjXYqjqT57PrvVV2mIa8ZR0GsMxTsPY7zjw+J9JgSwMVAMSd
NgiG5wSTamZ44ROdJreBn36QBEEEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5
RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9QIhAP////8AAAAA
//////////+85vqtpxeehPO5ysL8YyVRAgEBA0IABORXEQaiRDT4UurcvKZlCTh4
Dbfjfa7fbAMuew5eQ7Nn4ujaxGkW/lm1EqE3v5cI1zadUJmLV2DHnoQum9roAWQ=
-----END PUBLIC KEY-----
`
	x25519PEM = `-----BEGIN PUBLIC KEY-----
MCowBQYDK2VuAyEArC7wKVh3P1tVj3ZbMJSQEj7mneEYBlpzyDbf+uTcXiQ=
-----END PUBLIC KEY-----
`
)
