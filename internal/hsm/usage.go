package hsm

import (
	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// usages ties each operation to the attribute that permits it (sections 4.8 to 4.10).
var usages = []struct {
	operation keyring.Operations
	attribute uint
}{
	{keyring.Sign, cryptoki.CKA_SIGN},
	{keyring.Verify, cryptoki.CKA_VERIFY},
	{keyring.Encrypt, cryptoki.CKA_ENCRYPT},
	{keyring.Decrypt, cryptoki.CKA_DECRYPT},
	{keyring.Wrap, cryptoki.CKA_WRAP},
	{keyring.Unwrap, cryptoki.CKA_UNWRAP},
	{keyring.Derive, cryptoki.CKA_DERIVE},
}

// The two halves of a pair share the operations out between them.
const (
	privateHalf = keyring.Sign | keyring.Decrypt | keyring.Unwrap | keyring.Derive
	publicHalf  = keyring.Verify | keyring.Encrypt | keyring.Wrap
)

// covers returns the operations that an object of a class has flags for.
func covers(class uint) keyring.Operations {
	switch class {
	case cryptoki.CKO_PRIVATE_KEY:
		return privateHalf
	case cryptoki.CKO_PUBLIC_KEY:
		return publicHalf
	case cryptoki.CKO_SECRET_KEY:
		return keyring.All
	}
	return keyring.None
}

// permitted reads the flags of an object that are on.
func permitted(o cryptoki.Object) keyring.Operations {
	on := keyring.None
	for _, u := range usages {
		if covers(o.Class).Has(u.operation) && o.Bool(u.attribute) {
			on |= u.operation
		}
	}
	return on
}

// changes lists the flags of an object that have to change so that exactly the
// wanted operations are on; it is empty when nothing has to be written.
func changes(o cryptoki.Object, wanted keyring.Operations) []cryptoki.Attribute {
	var list []cryptoki.Attribute
	for _, u := range usages {
		if covers(o.Class).Has(u.operation) && o.Bool(u.attribute) != wanted.Has(u.operation) {
			list = append(list, cryptoki.Bool(u.attribute, wanted.Has(u.operation)))
		}
	}
	return list
}

// each calls do for every single operation of a set, in a fixed order.
func each(set keyring.Operations, do func(keyring.Operations) error) error {
	for _, u := range usages {
		if set.Has(u.operation) {
			if err := do(u.operation); err != nil {
				return err
			}
		}
	}
	return nil
}
