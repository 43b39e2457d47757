package keyring_test

import (
	"crypto/ecdh"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

func unbase64(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// A published key, as the text that its thumbprint is taken of.
var publishedKeys = map[string]struct {
	required   string
	algorithm  keyring.Algorithm
	alg        string
	thumbprint string // empty where the source gives none
}{
	"RFC 7638 section 3.1": {
		`{"e":"AQAB","kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"}`,
		keyring.RSA2048, "", "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
	},
	"RFC 7517 appendix A.1": {
		`{"crv":"P-256","kty":"EC","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}`,
		keyring.ECP256, "ES256", "",
	},
	"RFC 7520 section 3.1": {
		`{"crv":"P-521","kty":"EC","x":"AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDyRXYgCF5cj0Kt","y":"AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9cwlGfP-HqHZR1"}`,
		keyring.ECP521, "ES512", "",
	},
	"SEC 2 section 2.4.1, base point": {
		`{"crv":"secp256k1","kty":"EC","x":"eb5mfvncu6xVoGKVzocLBwKb_NstzijZWfKBWxb4F5g","y":"SDradyajxGVdpPv8DhEIqP0XtEimhVQZnEfQj_sQ1Lg"}`,
		keyring.ECSecp256k1, "ES256K", "",
	},
	// No RFC has a thumbprint on this curve; this one comes from the web5 SDK's tests.
	"web5 SDK": {
		`{"crv":"secp256k1","kty":"EC","x":"vdrbz2EOzvbLDV_-kL4eJt7VI-8TFZNmA9YgWzvhh7U","y":"VLFqQMZP_AspucXoWX2-bGXpAO1fQ5Ln19V5RAxrgvU"}`,
		keyring.ECSecp256k1, "ES256K", "i3SPRBtJKovHFsBaqM92ti6xQCJLX3E7YCewiHV2CSg",
	},
	"RFC 8037 appendix A.3": {
		`{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
		keyring.Ed25519, "EdDSA", "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
	},
	"RFC 8032 section 7.4, blank": {
		`{"crv":"Ed448","kty":"OKP","x":"X9dEm1m0Yf0s54fsYWrUah2hNCSFpw4fig6nXYDpZ3jt8SR2m0bHBhvWeD3x5Q9s0foavq_oJWGA"}`,
		keyring.Ed448, "EdDSA", "",
	},
}

// publicKey makes the key of a JSON Web Key through the constructors.
func publicKey(t *testing.T, a keyring.Algorithm, members map[string]string) keyring.PublicKey {
	t.Helper()
	var key keyring.PublicKey
	var err error
	switch a.Family() {
	case keyring.RSA:
		key, err = keyring.NewRSAPublicKey(unbase64(t, members["n"]), unbase64(t, members["e"]))
	case keyring.EC:
		key, err = keyring.NewECPublicKey(a, slices.Concat([]byte{4}, unbase64(t, members["x"]), unbase64(t, members["y"])))
	default:
		key, err = keyring.NewEdwardsPublicKey(a, unbase64(t, members["x"]))
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestJWK(t *testing.T) {
	for name, tc := range publishedKeys {
		t.Run(name, func(t *testing.T) {
			var members map[string]string
			if err := json.Unmarshal([]byte(tc.required), &members); err != nil {
				t.Fatal(err)
			}
			key := publicKey(t, tc.algorithm, members)
			got, err := key.JWK()
			if err != nil {
				t.Fatal(err)
			}
			if members["kid"] = tc.thumbprint; tc.thumbprint == "" {
				sum := sha256.Sum256([]byte(tc.required))
				members["kid"] = base64.RawURLEncoding.EncodeToString(sum[:])
			}
			if tc.alg != "" {
				members["alg"] = tc.alg
			}
			want, err := json.Marshal(members) // of a map: in the order of the names
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestJWKKeepsLeadingZeros(t *testing.T) {
	var point []byte
	for d := byte(1); ; d++ {
		scalar := make([]byte, 32)
		scalar[30], scalar[31] = d, 7
		private, err := ecdh.P256().NewPrivateKey(scalar)
		if err != nil {
			t.Fatal(err)
		}
		if point = private.PublicKey().Bytes(); point[1] == 0 || point[33] == 0 {
			break
		}
		if d == 255 {
			t.Fatal("none of these scalars gives a coordinate with a leading zero")
		}
	}
	key, err := keyring.NewECPublicKey(keyring.ECP256, point)
	if err != nil {
		t.Fatal(err)
	}
	text, err := key.JWK()
	if err != nil {
		t.Fatal(err)
	}
	var members struct{ X, Y string }
	if err := json.Unmarshal([]byte(text), &members); err != nil {
		t.Fatal(err)
	}
	if x, y := unbase64(t, members.X), unbase64(t, members.Y); len(x) != 32 || len(y) != 32 {
		t.Errorf("coordinates of %d and %d octets in %s", len(x), len(y), text)
	}
}

func TestJWKS(t *testing.T) {
	zeros, err := keyring.NewEdwardsPublicKey(keyring.Ed25519, make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	other, err := keyring.NewEdwardsPublicKey(keyring.Ed448, make([]byte, 57))
	if err != nil {
		t.Fatal(err)
	}
	one, err := zeros.JWK()
	if err != nil {
		t.Fatal(err)
	}
	two, err := other.JWK()
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		keys []keyring.PublicKey
		want string
	}{
		"none":           {nil, `{"keys":[]}`},
		"one":            {[]keyring.PublicKey{zeros}, `{"keys":[` + one + `]}`},
		"as given":       {[]keyring.PublicKey{other, zeros}, `{"keys":[` + two + `,` + one + `]}`},
		"the same again": {[]keyring.PublicKey{zeros, other, zeros}, `{"keys":[` + one + `,` + two + `]}`},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := keyring.JWKS(tc.keys); err != nil || got != tc.want {
				t.Errorf("got  %s, %v\nwant %s", got, err, tc.want)
			}
		})
	}
	if got, err := keyring.JWKS([]keyring.PublicKey{zeros, nil}); got != "" || !fault.Is(err, fault.Invalid) {
		t.Errorf("with an empty key: %q, %v; want fault.Invalid", got, err)
	}
}
