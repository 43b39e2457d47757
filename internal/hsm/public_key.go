package hsm

import (
	"bytes"
	"encoding/asn1"
	"fmt"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// publicKey reads the public half of a pair as a SubjectPublicKeyInfo. What
// cannot be one is fault.Inconsistent, or fault.Unsupported for kinds of keys that
// are not ours.
func publicKey(o cryptoki.Object) (keyring.PublicKey, error) {
	a, err := recognise(o)
	if err != nil {
		return nil, err
	}
	if a.Family() == keyring.RSA {
		key, err := keyring.NewRSAPublicKey(o.Bytes(cryptoki.CKA_MODULUS), o.Bytes(cryptoki.CKA_PUBLIC_EXPONENT))
		if err != nil {
			return nil, strange(o, "Its modulus and exponent are no RSA key: "+err.Error()+".")
		}
		return key, nil
	}
	point, ok := unwrapPoint(o.Bytes(cryptoki.CKA_EC_POINT), shapes[a].point)
	if !ok {
		return nil, strange(o, fmt.Sprintf("Its CKA_EC_POINT is neither a point of %s nor a DER OCTET STRING with one.", a))
	}
	construct := keyring.NewECPublicKey
	if a.Family() == keyring.Edwards {
		construct = keyring.NewEdwardsPublicKey
	}
	key, err := construct(a, point)
	if err != nil {
		return nil, strange(o, "Its CKA_EC_POINT is not a point of the curve: "+err.Error()+".")
	}
	return key, nil
}

// unwrapPoint takes a CKA_EC_POINT apart. The standard wraps the point in a DER
// OCTET STRING (Current Mechanisms, section 2.3.3), many tokens leave it bare. The
// two cannot be confused, because the length of a point is known: whatever is not
// exactly one or the other is refused.
func unwrapPoint(value []byte, length int) (point []byte, ok bool) {
	if len(value) == length {
		return value, true
	}
	rest, err := asn1.Unmarshal(value, &point)
	if err != nil || len(rest) != 0 || len(point) != length {
		return nil, false
	}
	// DER has one encoding for a value; asn1 accepts nothing else, but say so.
	again, err := asn1.Marshal(point)
	return point, err == nil && bytes.Equal(again, value)
}
