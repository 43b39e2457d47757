package webtoken_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/webtoken"
)

var noon = time.Date(2027, 1, 1, 12, 0, 0, 987, time.UTC)

func TestDraft(t *testing.T) {
	draft, err := webtoken.New(`{"iss": "me", "n": 12345678901234567890, "x": {"y": [1.50]}}`, noon, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	// RFC 8037 appendix A.2, with the thumbprint of A.3.
	key, err := keyring.ParseJWK(`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`)
	if err != nil {
		t.Fatal(err)
	}
	input, err := draft.SigningInput(&keyring.Version{PublicKey: key}, keyring.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	if err := webtoken.CheckClaims(`{"iss": "a", "aud": ["b", "c"], "x": [{"a": 1}, {"a": 2}], "y": {"x": 1}}`); err != nil {
		t.Error(err)
	}
	for i, want := range []string{
		`{"alg":"EdDSA","kid":"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k","typ":"JWT"}`,
		`{"exp":1798804860,"iat":1798804800,"iss":"me","n":12345678901234567890,"nbf":1798804740,"x":{"y":[1.50]}}`,
	} {
		got, err := base64.RawURLEncoding.DecodeString(strings.Split(webtoken.Signed(input, []byte{1}), ".")[i])
		if err != nil || string(got) != want {
			t.Errorf("got %s, want %s: %v", got, want, err)
		}
	}
	if !draft.Expires.Equal(noon.Truncate(time.Second).Add(time.Minute)) {
		t.Errorf("it expires at %s", draft.Expires)
	}
	if id, err := webtoken.KeyID(&keyring.Version{Ref: keyring.Ref{Label: "mac:3"}}); err != nil || id != "mac:3" {
		t.Errorf("the id of a secret key is %s: %v", id, err)
	}
}

func TestDraftRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		claims   string
		validity time.Duration
		says     string
	}{
		"no JSON":      {"iss", time.Minute, "not a JSON object"},
		"an array":     {"[]", time.Minute, "not a JSON object"},
		"null":         {"null", time.Minute, "not a JSON object"},
		"issued at":    {`{"iat":1}`, time.Minute, `"iat"`},
		"not before":   {`{"nbf":1}`, time.Minute, `"nbf"`},
		"expires":      {`{"exp":1}`, time.Minute, `"exp"`},
		"twice":        {`{"sub":"a","sub":"b"}`, time.Minute, `"sub" is there twice`},
		"twice inside": {`{"a":[1,{"b":{"c":1,"d":[],"c":2}}]}`, time.Minute, `"c" is there twice`},
		"escaped":      {`{"sub":"a","s\u0075b":"b"}`, time.Minute, `"sub" is there twice`},
		"issuer":       {`{"iss":1}`, time.Minute, `"iss" is not a string`},
		"no subject":   {`{"sub":null}`, time.Minute, `"sub" is not a string`},
		"audience":     {`{"aud":{"a":"b"}}`, time.Minute, `"aud" is not a string`},
		"audiences":    {`{"aud":["a",null]}`, time.Minute, `"aud" is not a string`},
		"id":           {`{"jti":[]}`, time.Minute, `"jti" is not a string`},
		"no time":      {`{}`, 0, "valid for 0s"},
		"too long":     {`{}`, webtoken.MaxValidity + time.Second, "valid for"},
		"half seconds": {`{}`, 1500 * time.Millisecond, "valid for 1.5s"},
		"in the past":  {`{}`, -time.Minute, "valid for"},
	} {
		t.Run(name, func(t *testing.T) {
			draft, err := webtoken.New(test.claims, noon, test.validity)
			if draft != nil || !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %+v, %v", draft, err)
			}
		})
	}
}
