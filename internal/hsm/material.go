package hsm

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// material is the objects of one key: a secret key alone, or the two halves of a
// pair, of which one may be missing (Handle 0).
type material struct {
	algorithm keyring.Algorithm
	secret    cryptoki.Object // the secret key, or the private half
	public    cryptoki.Object
	// allowed are the mechanisms that the key is restricted to; nil is all.
	allowed []uint
}

// newMaterial tells from the objects themselves what they are, and from the record
// what they do not tell.
func newMaterial(ref keyring.Ref, secret, public cryptoki.Object) (material, error) {
	m := material{secret: secret, public: public}
	told := secret
	if secret.Handle == 0 {
		told = public
	}
	var err error
	if m.algorithm, err = recogniseRecorded(ref, told); err != nil {
		return m, err
	}
	m.allowed = told.Ulongs(cryptoki.CKA_ALLOWED_MECHANISMS)
	return m, nil
}

// performer returns the object that does an operation: the public half what
// anyone may do, the private half or the secret key everything else.
func (m material) performer(op keyring.Operations) cryptoki.Object {
	if m.algorithm.IsPair() && publicHalf.Has(op) {
		return m.public
	}
	return m.secret
}

// secretClass is the class of the object that must be kept secret.
func secretClass(pair bool) uint {
	if pair {
		return cryptoki.CKO_PRIVATE_KEY
	}
	return cryptoki.CKO_SECRET_KEY
}

var classNames = map[uint]string{
	cryptoki.CKO_PRIVATE_KEY: "private key", cryptoki.CKO_PUBLIC_KEY: "public key", cryptoki.CKO_SECRET_KEY: "secret key",
}

// describe names an object to a person.
func describe(o cryptoki.Object) string {
	return fmt.Sprintf("%s %q with id %s", classNames[o.Class], o.Bytes(cryptoki.CKA_LABEL), hex.EncodeToString(o.Bytes(cryptoki.CKA_ID)))
}

// subject names a ref to a person.
func subject(ref keyring.Ref) string {
	if ref.Label == "" { // as remembered by somebody who keeps no labels
		return "key with id " + ref.ID
	}
	return fmt.Sprintf("key %q with id %s", ref.Label, ref.ID)
}

// id decodes the CKA_ID of a ref. An empty one is refused (fault.Invalid): it
// would match the objects of other people.
func id(ref keyring.Ref) ([]byte, error) {
	raw, err := hex.DecodeString(ref.ID)
	if err != nil || len(raw) == 0 {
		return nil, &fault.Error{Kind: fault.Invalid, Op: "read key id", Subject: subject(ref), Problem: "The id is not a hexadecimal number.", Cause: err}
	}
	return raw, nil
}

// half matches the objects of one class that carry an id.
func half(class uint, id []byte) []cryptoki.Attribute {
	return []cryptoki.Attribute{cryptoki.Ulong(cryptoki.CKA_CLASS, class), cryptoki.Bytes(cryptoki.CKA_ID, id)}
}

func join(names []string) string { return strings.Join(names, ", ") }
