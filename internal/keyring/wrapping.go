package keyring

import (
	"fmt"
	"strings"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// Wrapping names a form in which key material that was made elsewhere comes in,
// encrypted for a key of the HSM.
type Wrapping string

// The forms. Each is what the mechanism of PKCS#11 with the same name makes.
const (
	// RSAAESKeyWrap is an AES key, encrypted with RSA-OAEP, followed by the material
	// wrapped with that AES key (PKCS#11 Current Mechanisms 3.0, section 2.1.21).
	RSAAESKeyWrap Wrapping = "RSA_AES_KEY_WRAP"
	// RSAOAEP is a secret key encrypted with RSA-OAEP (RFC 8017 section 7.1).
	RSAOAEP Wrapping = "RSA_OAEP"
	// AESKeyWrapPad is material wrapped with an AES key (RFC 5649).
	AESKeyWrapPad Wrapping = "AES_KEY_WRAP_PAD"
)

// WrappingNames lists the forms by name.
func WrappingNames() []string {
	return []string{string(RSAAESKeyWrap), string(RSAOAEP), string(AESKeyWrapPad)}
}

// Family is the family of the keys that unwrap the form, 0 if there is no such form.
func (w Wrapping) Family() Family {
	switch w {
	case RSAAESKeyWrap, RSAOAEP:
		return RSA
	case AESKeyWrapPad:
		return AES
	}
	return 0
}

// Import says of a key that its material is made elsewhere and comes in wrapped. It is
// kept with the key, so that the same material is not taken in twice.
type Import struct {
	// Version is the owner's own number of the material; another one is other material.
	Version int64 `json:"version"`
	// WrappingKey is the name of the key that unwraps it.
	WrappingKey string   `json:"wrapping_key"`
	Mechanism   Wrapping `json:"mechanism"`
}

// IsSame reports whether two imports mean the same material. Where it came from may
// be written differently.
func (i *Import) IsSame(other *Import) bool {
	return i != nil && other != nil && i.Version == other.Version
}

// validate refuses (fault.Invalid) what no token could take in.
func (i *Import) validate(s Spec) error {
	invalid := func(problem, hint string) error {
		return &fault.Error{Kind: fault.Invalid, Op: "declare import", Problem: problem, Hint: hint}
	}
	switch {
	case i.Mechanism.Family() == 0:
		return invalid(fmt.Sprintf("Material cannot be wrapped by %q.", i.Mechanism), "Use one of "+strings.Join(WrappingNames(), ", ")+".")
	case s.Algorithm.Family() == Edwards:
		return invalid(fmt.Sprintf("An %s key cannot be imported: a wrapped private key comes without its public half, and on these curves a token does not tell it.", s.Algorithm),
			"Have the HSM generate the key, or choose an EC or RSA algorithm.")
	case i.Mechanism == RSAOAEP && s.Algorithm.IsPair():
		return invalid(fmt.Sprintf("An %s private key is too long for RSA_OAEP, which carries secret keys only.", s.Algorithm),
			"Wrap it by RSA_AES_KEY_WRAP, or by AES_KEY_WRAP_PAD.")
	case s.Extractable:
		return invalid("An imported key cannot be extractable.", "Leave extractable out: the key stays in the HSM from then on.")
	case i.WrappingKey == s.Name:
		return invalid("A key cannot unwrap its own material.", "Name another key, whose operations have \"unwrap\".")
	}
	return nil
}
