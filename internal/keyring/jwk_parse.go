package keyring

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// jwkSecrets are the members of a JSON Web Key that only whoever may sign has (RFC 7518
// sections 6.2.2, 6.3.2 and 6.4.1, RFC 8037 section 2).
var jwkSecrets = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

// ParseJWK reads a public JSON Web Key (RFC 7517) of a kind that JWK writes; members that
// are not part of the key itself (kid, use, …) are passed over. A private key, and
// anything that the constructors would not make, is fault.Invalid. No error repeats a
// member's value.
func ParseJWK(text string) (PublicKey, error) {
	var members map[string]json.RawMessage
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	if err := decoder.Decode(&members); err != nil || members == nil {
		return invalidJWK("This is not a JSON object.")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return invalidJWK("There is something after the JSON object.")
	}
	for _, name := range jwkSecrets {
		if _, there := members[name]; there {
			return nil, &fault.Error{
				Kind: fault.Invalid, Op: "read JSON Web Key", Problem: fmt.Sprintf("It has the secret member %q: this is a private or a secret key, which nobody but its owner must have.", name),
				Hint: "Treat it as disclosed: make a new one, and give its public half.",
			}
		}
	}
	if twice := doubledMember(text); twice != "" {
		return invalidJWK(fmt.Sprintf("The member %q is there twice.", twice))
	}
	var key jwk
	for name, member := range map[string]*string{"kty": &key.Kty, "crv": &key.Crv, "x": &key.X, "y": &key.Y, "n": &key.N, "e": &key.E} {
		if value, there := members[name]; there && json.Unmarshal(value, member) != nil {
			return invalidJWK(fmt.Sprintf("The member %q is not a string.", name))
		}
	}
	public, err := key.publicKey()
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return invalidJWK(f.Problem)
	}
	return public, err
}

// doubledMember returns the name of a member that a JSON object has twice (RFC 7517 section
// 4), empty if there is none.
func doubledMember(text string) string {
	decoder := json.NewDecoder(strings.NewReader(text))
	_, _ = decoder.Token() // it is an object
	seen := map[string]bool{}
	for decoder.More() {
		token, _ := decoder.Token()
		name, _ := token.(string)
		var value json.RawMessage
		if seen[name] || decoder.Decode(&value) != nil {
			return name
		}
		seen[name] = true
	}
	return ""
}

// publicKey is the inverse of webKey.
func (k jwk) publicKey() (PublicKey, error) {
	var octets [4][]byte
	for i, each := range []struct{ name, value string }{{"x", k.X}, {"y", k.Y}, {"n", k.N}, {"e", k.E}} {
		var err error
		if octets[i], err = base64.RawURLEncoding.Strict().DecodeString(each.value); err != nil {
			return invalidJWK(fmt.Sprintf("The member %q is not base64url without padding.", each.name))
		}
	}
	x, y, n, e := octets[0], octets[1], octets[2], octets[3]
	if k.Kty == "RSA" {
		if len(n) > 0 && n[0] == 0 || len(e) > 0 && e[0] == 0 {
			return invalidJWK("Its numbers have leading zeros.")
		}
		return NewRSAPublicKey(n, e)
	}
	for a, curve := range curves {
		switch {
		case curve.crv != k.Crv:
		case k.Kty == "EC" && a.Family() == EC && len(x) == curve.size && len(y) == curve.size:
			return NewECPublicKey(a, slices.Concat([]byte{4}, x, y))
		case k.Kty == "OKP" && a.Family() == Edwards && len(y) == 0:
			return NewEdwardsPublicKey(a, x)
		}
	}
	return invalidJWK(`Its "kty" and "crv" do not name a kind of key that is known here, or its coordinates have another length.`)
}

func invalidJWK(problem string) (PublicKey, error) {
	return nil, &fault.Error{
		Kind: fault.Invalid, Op: "read JSON Web Key", Problem: problem,
		Hint: "Give one public JSON Web Key (RFC 7517): of RSA with 2048, 3072 or 4096 bits, on P-256, P-384, P-521 or secp256k1, Ed25519 or Ed448.",
	}
}
