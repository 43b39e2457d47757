package provider_test

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// call calls a function as Terraform does. Arguments are strings, or objects for a
// parameter of any type.
func (s *server) call(t *testing.T, name string, arguments ...any) (any, *tfprotov6.FunctionError) {
	t.Helper()
	signature := s.schema.Functions[name]
	if signature == nil {
		t.Fatalf("there is no function %s", name)
	}
	req := &tfprotov6.CallFunctionRequest{Name: name}
	for i, argument := range arguments {
		value := dynamic(t, argument)
		typ := value.Type()
		if i < len(signature.Parameters) && signature.Parameters[i].Type.Is(tftypes.DynamicPseudoType) {
			typ = tftypes.DynamicPseudoType
		}
		encoded, err := tfprotov6.NewDynamicValue(typ, value)
		if err != nil {
			t.Fatal(err)
		}
		req.Arguments = append(req.Arguments, &encoded)
	}
	resp, err := s.CallFunction(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Error != nil {
		return nil, resp.Error
	}
	result, err := resp.Result.Unmarshal(signature.Return.Type)
	if err != nil {
		t.Fatal(err)
	}
	return plain(t, result), nil
}

// dynamic makes a value of whatever type it has.
func dynamic(t *testing.T, v any) tftypes.Value {
	t.Helper()
	switch v := v.(type) {
	case string:
		return tftypes.NewValue(tftypes.String, v)
	case int:
		return tftypes.NewValue(tftypes.Number, v)
	case bool:
		return tftypes.NewValue(tftypes.Bool, v)
	case nil:
		return tftypes.NewValue(tftypes.String, nil)
	case []any:
		var types []tftypes.Type
		var elements []tftypes.Value
		for _, each := range v {
			value := dynamic(t, each)
			types, elements = append(types, value.Type()), append(elements, value)
		}
		return tftypes.NewValue(tftypes.Tuple{ElementTypes: types}, elements)
	case values:
		types, attributes := map[string]tftypes.Type{}, map[string]tftypes.Value{}
		for name, each := range v {
			attributes[name] = dynamic(t, each)
			types[name] = attributes[name].Type()
		}
		return tftypes.NewValue(tftypes.Object{AttributeTypes: types}, attributes)
	}
	t.Fatalf("no value is made of %T", v)
	return tftypes.Value{}
}

// pemOf is a public key that was published as a JSON Web Key.
func pemOf(t *testing.T, jwk string) string {
	t.Helper()
	key, err := keyring.ParseJWK(jwk)
	if err != nil {
		t.Fatal(err)
	}
	return key.PEM()
}

const (
	// SEC 2 section 2.4.1, the base point: of BIP-173's examples.
	basePointJWK = `{"crv":"secp256k1","kty":"EC","x":"eb5mfvncu6xVoGKVzocLBwKb_NstzijZWfKBWxb4F5g","y":"SDradyajxGVdpPv8DhEIqP0XtEimhVQZnEfQj_sQ1Lg"}`
	// RFC 8037 appendix A.2.
	edwardsJWK = `{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	// RFC 7638 section 3.1.
	rsaJWK = `{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`
)

// The published vectors, through the functions.
func TestFunctions(t *testing.T) {
	s := newServer(t)
	chain, edwards := pemOf(t, basePointJWK), pemOf(t, edwardsJWK)
	for name, test := range map[string]struct {
		function  string
		arguments []any
		want      string
	}{
		"thumbprint, RFC 7638 section 3.1":  {"jwk_thumbprint", []any{rsaJWK}, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"},
		"thumbprint of the same in PEM":     {"jwk_thumbprint", []any{pemOf(t, rsaJWK)}, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"},
		"thumbprint, RFC 8037 appendix A.3": {"jwk_thumbprint", []any{edwardsJWK}, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"},
		"OpenSSH":                           {"ssh_public_key", []any{edwards}, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea"},
		"OpenSSH with comment":              {"ssh_public_key", []any{edwards, "me"}, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea me"},
		"Ethereum":                          {"ethereum_address", []any{chain}, "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"},
		"Bitcoin, BIP-173, main":            {"bitcoin_address", []any{chain, "main"}, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"},
		"Bitcoin, BIP-173, test":            {"bitcoin_address", []any{chain, "test"}, "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"},
		"Solana":                            {"solana_address", []any{edwards}, "FVen3X669xLzsi6N2V91DoiyzHzg1uAgqiT8jZ9nS96Z"},
	} {
		t.Run(name, func(t *testing.T) {
			got, failed := s.call(t, test.function, test.arguments...)
			if failed != nil || got != test.want {
				t.Errorf("got %v, want %s: %+v", got, test.want, failed)
			}
		})
	}
}

func TestFunctionRefusals(t *testing.T) {
	s := newServer(t)
	chain, edwards := pemOf(t, basePointJWK), pemOf(t, edwardsJWK)
	pair, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(pair)
	if err != nil {
		t.Fatal(err)
	}
	private := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	for name, test := range map[string]struct {
		function  string
		arguments []any
		argument  int64
		says      []string
	}{
		"private key":                  {"jwk_thumbprint", []any{private}, 0, []string{"private key", "disclosed"}},
		"private key called public":    {"solana_address", []any{strings.ReplaceAll(private, "PRIVATE", "PUBLIC")}, 0, []string{"private key"}},
		"private JSON Web Key":         {"jwk_thumbprint", []any{`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"AAAA"}`}, 0, []string{`"d"`, "disclosed"}},
		"no JSON Web Key":              {"jwk_thumbprint", []any{`{"kty":"none"}`}, 0, []string{"RFC 7517"}},
		"no PEM":                       {"ethereum_address", []any{"0x00"}, 0, []string{"not a public key in PEM", "PUBLIC KEY"}},
		"certificate":                  {"ssh_public_key", []any{"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}, 0, []string{"openssl x509"}},
		"Ethereum of another curve":    {"ethereum_address", []any{edwards}, 0, []string{"ED25519", `algorithm = "EC_SECP256K1"`}},
		"Bitcoin of another curve":     {"bitcoin_address", []any{edwards, "main"}, 0, []string{`algorithm = "EC_SECP256K1"`}},
		"Bitcoin on another network":   {"bitcoin_address", []any{chain, "testnet"}, 1, []string{"main", "test"}},
		"Solana of another curve":      {"solana_address", []any{chain}, 0, []string{`algorithm = "ED25519"`}},
		"OpenSSH of secp256k1":         {"ssh_public_key", []any{chain}, 0, []string{"OpenSSH has no EC_SECP256K1 keys"}},
		"OpenSSH comment of two lines": {"ssh_public_key", []any{edwards, "a\nb"}, 1, []string{"line"}},
		"OpenSSH with two comments":    {"ssh_public_key", []any{edwards, "a", "b"}, 2, []string{"more than one"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, failed := s.call(t, test.function, test.arguments...)
			wantFunctionError(t, got, failed, test.argument, test.says...)
			if failed != nil && strings.Contains(failed.Text, strings.Split(private, "\n")[1]) {
				t.Errorf("the error shows the private key: %s", failed.Text)
			}
		})
	}
}

func wantFunctionError(t *testing.T, got any, failed *tfprotov6.FunctionError, argument int64, says ...string) {
	t.Helper()
	if failed == nil {
		t.Fatalf("it returned %v", got)
	}
	if failed.FunctionArgument == nil || *failed.FunctionArgument != argument {
		t.Errorf("it is not about argument %d: %+v", argument, failed)
	}
	for _, text := range says {
		if !strings.Contains(failed.Text, text) {
			t.Errorf("it does not say %q: %s", text, failed.Text)
		}
	}
}
