package hsm

import (
	"fmt"
	"slices"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

// plan is an order in the words of PKCS#11.
type plan struct {
	lifecycle.Generation
	shape   shape
	id      []byte
	allowed []uint
	// session makes a key that vanishes with the session, for trying things out.
	session bool
	// imported says that the key is not generated but unwrapped, and so not born here.
	imported bool
	// lean is how much of what is false is left unsaid. A template says everything
	// (0) as long as the token takes it, because defaults differ wildly
	// (openCryptoki: CKA_EXTRACTABLE true). Some tokens answer
	// CKR_ATTRIBUTE_TYPE_INVALID to attributes that are in the standard and that
	// hardly anybody sets (left out from sparse on), and some to CKA_DECRYPT on an EC
	// key, even if it is false (left out at bare). A TPM cannot make a key that verifies
	// and does not encrypt, since it has one bit for both: at silent no flag is said to
	// be off, and those that came on unasked are switched off afterwards. Whether the
	// defaults were the right ones shows when the key is read back.
	lean int
}

const (
	sparse = 1
	bare   = 2
	silent = 3
)

// says reports whether a template names the flag of an operation.
func (p plan) says(op keyring.Operations) bool {
	switch {
	case p.lean >= silent:
		return p.Operations.Has(op)
	case p.lean >= bare:
		return p.Algorithm.Operations().Has(op)
	}
	return true
}

// newPlan refuses (fault.Invalid) an order that cannot be written down.
func newPlan(order lifecycle.Generation) (plan, error) {
	raw, err := id(order.Ref)
	if err != nil {
		return plan{}, err
	}
	p := plan{Generation: order, id: raw}
	var ok bool
	if p.shape, ok = shapes[order.Algorithm]; !ok {
		return plan{}, invalidOrder(order, fmt.Sprintf("There is no algorithm %q.", order.Algorithm))
	}
	if extra := order.Operations &^ order.Algorithm.Operations(); extra != 0 {
		return plan{}, invalidOrder(order, fmt.Sprintf("An %s key cannot %s.", order.Algorithm, extra))
	}
	if order.Ref.Pair != order.Algorithm.IsPair() {
		return plan{}, invalidOrder(order, fmt.Sprintf("The reference and %s disagree about whether this is a pair.", order.Algorithm))
	}
	for _, name := range order.Mechanisms {
		code, ok := cryptoki.MechanismCode(string(name))
		if !ok {
			return plan{}, invalidOrder(order, fmt.Sprintf("There is no mechanism %s.", name))
		}
		p.allowed = append(p.allowed, code)
	}
	return p, nil
}

func invalidOrder(order lifecycle.Generation, problem string) error {
	return &fault.Error{Kind: fault.Invalid, Op: "generate key", Subject: subject(order.Ref), Problem: problem, Hint: "Ask for what the algorithm and the token can do; data.hsm_token shows it."}
}

// secretTemplate orders one secret key (section 4.10).
func (p plan) secretTemplate() []cryptoki.Attribute {
	return append(p.common(cryptoki.CKO_SECRET_KEY),
		cryptoki.Ulong(cryptoki.CKA_VALUE_LEN, p.shape.length),
		cryptoki.Bool(cryptoki.CKA_PRIVATE, true),
		cryptoki.Bool(cryptoki.CKA_SENSITIVE, true),
		cryptoki.Bool(cryptoki.CKA_EXTRACTABLE, p.Extractable),
	)
}

// unwrappedTemplate is for the secret key, or the private half, that comes out of an
// unwrapping: its length comes with it and must not be said.
func (p plan) unwrappedTemplate() []cryptoki.Attribute {
	if p.Ref.Pair {
		return p.privateTemplate()
	}
	return slices.DeleteFunc(p.secretTemplate(), func(a cryptoki.Attribute) bool { return a.Type == cryptoki.CKA_VALUE_LEN })
}

// publicObject is for the public half of a private key that was unwrapped.
func (p plan) publicObject(value []cryptoki.Attribute) []cryptoki.Attribute {
	generated := []uint{cryptoki.CKA_MODULUS_BITS, cryptoki.CKA_PUBLIC_EXPONENT, cryptoki.CKA_EC_PARAMS}
	list := slices.DeleteFunc(p.publicTemplate(), func(a cryptoki.Attribute) bool { return slices.Contains(generated, a.Type) })
	return append(list, value...)
}

// privateTemplate orders the private half of a pair (section 4.9).
func (p plan) privateTemplate() []cryptoki.Attribute {
	list := append(p.common(cryptoki.CKO_PRIVATE_KEY),
		cryptoki.Bool(cryptoki.CKA_PRIVATE, true),
		cryptoki.Bool(cryptoki.CKA_SENSITIVE, true),
		cryptoki.Bool(cryptoki.CKA_EXTRACTABLE, p.Extractable),
	)
	if p.lean < sparse {
		list = append(list, cryptoki.Bool(cryptoki.CKA_SIGN_RECOVER, false))
	}
	return list
}

// publicTemplate orders the public half of a pair (section 4.8). It is readable
// without login, as other programs expect; what is published comes from the
// record, so that somebody who changes the object without login fools nobody.
func (p plan) publicTemplate() []cryptoki.Attribute {
	list := append(p.common(cryptoki.CKO_PUBLIC_KEY), cryptoki.Bool(cryptoki.CKA_PRIVATE, false))
	if p.shape.params != nil {
		list = append(list, cryptoki.Bytes(cryptoki.CKA_EC_PARAMS, p.shape.params))
	} else {
		list = append(list,
			cryptoki.Ulong(cryptoki.CKA_MODULUS_BITS, p.shape.modulus),
			cryptoki.Bytes(cryptoki.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1})) // 65537, FIPS 186-5 section 5.4
	}
	if p.lean < sparse {
		list = append(list, cryptoki.Bool(cryptoki.CKA_VERIFY_RECOVER, false), cryptoki.Bool(cryptoki.CKA_DERIVE, false))
	}
	return list
}

// common is what every key object says. It stays modifiable, or its flags could
// never be cleared.
func (p plan) common(class uint) []cryptoki.Attribute {
	list := []cryptoki.Attribute{
		cryptoki.Ulong(cryptoki.CKA_CLASS, class),
		cryptoki.Ulong(cryptoki.CKA_KEY_TYPE, p.shape.keyType),
		cryptoki.Bytes(cryptoki.CKA_ID, p.id),
		cryptoki.Bytes(cryptoki.CKA_LABEL, []byte(p.Ref.Label)),
		cryptoki.Bool(cryptoki.CKA_TOKEN, !p.session),
		cryptoki.Bool(cryptoki.CKA_MODIFIABLE, true),
	}
	for _, u := range usages {
		if covers(class).Has(u.operation) && p.says(u.operation) {
			list = append(list, cryptoki.Bool(u.attribute, p.Operations.Has(u.operation)))
		}
	}
	if len(p.allowed) > 0 {
		list = append(list, cryptoki.Ulongs(cryptoki.CKA_ALLOWED_MECHANISMS, p.allowed...))
	}
	return list
}
