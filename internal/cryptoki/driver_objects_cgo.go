//go:build cgo

package cryptoki

import (
	"slices"

	"github.com/miekg/pkcs11"
)

// searchBatch is how many handles one C_FindObjects may return.
const searchBatch = 1024

// FindObjects asks until the module has no more, as some return fewer than asked
// for in between, and always ends the search, or the session stays busy.
func (d *miekgDriver) FindObjects(session uint, template []Attribute) ([]uint, error) {
	sh := pkcs11.SessionHandle(session)
	if err := d.ctx.FindObjectsInit(sh, toTemplate(template)); err != nil {
		return nil, translate("C_FindObjectsInit", err)
	}
	var found []uint
	var failed error
	for {
		batch, _, err := d.ctx.FindObjects(sh, searchBatch)
		if err != nil {
			failed = translate("C_FindObjects", err)
			break
		}
		if len(batch) == 0 {
			break
		}
		for _, h := range batch {
			found = append(found, uint(h))
		}
	}
	if err := d.ctx.FindObjectsFinal(sh); err != nil && failed == nil {
		failed = translate("C_FindObjectsFinal", err)
	}
	if failed != nil {
		return nil, failed
	}
	return found, nil
}

// ReadAttributes reads in one call what fits into buffers of the usual sizes.
func (d *miekgDriver) ReadAttributes(session, object uint, types []uint) ([]reading, error) {
	var out []reading
	var failed error
	for part := range slices.Chunk(types, maxBatch) {
		rooms := make([]int, len(part))
		for i, typ := range part {
			rooms[i] = room(typ)
		}
		read, err := d.lib.read(session, object, part, rooms)
		out = append(out, read...)
		if err != nil && failed == nil {
			failed = err
		}
	}
	return out, failed
}

// room is the size of the buffer for an attribute in a batch. No attribute has
// exactly such a length, so that one which was not filled shows.
func room(typ uint) int {
	switch typ {
	case CKA_TOKEN, CKA_PRIVATE, CKA_MODIFIABLE, CKA_COPYABLE, CKA_DESTROYABLE, CKA_TRUSTED, CKA_SENSITIVE, CKA_ENCRYPT,
		CKA_DECRYPT, CKA_WRAP, CKA_UNWRAP, CKA_SIGN, CKA_SIGN_RECOVER, CKA_VERIFY, CKA_VERIFY_RECOVER, CKA_DERIVE,
		CKA_EXTRACTABLE, CKA_LOCAL, CKA_NEVER_EXTRACTABLE, CKA_ALWAYS_SENSITIVE, CKA_ALWAYS_AUTHENTICATE, CKA_WRAP_WITH_TRUSTED:
		return 5
	case CKA_CLASS, CKA_KEY_TYPE, CKA_VALUE_LEN, CKA_MODULUS_BITS, CKA_KEY_GEN_MECHANISM, CKA_CHECK_VALUE, CKA_PUBLIC_EXPONENT:
		return 13
	case CKA_VALUE:
		return 4093
	case CKA_MODULUS:
		return 1029
	default:
		return 261
	}
}

// ReadAttribute asks for the length first.
func (d *miekgDriver) ReadAttribute(session, object, typ uint) ([]byte, error) {
	length, err := d.lib.length(session, object, typ)
	if err != nil || length == 0 {
		return nil, err
	}
	read, err := d.lib.read(session, object, []uint{typ}, []int{length})
	if err != nil {
		return nil, err
	}
	if !read[0].known {
		return nil, &callError{"C_GetAttributeValue", CKR_BUFFER_TOO_SMALL}
	}
	return read[0].value, nil
}

func (d *miekgDriver) SetAttributes(session, object uint, attrs []Attribute) error {
	return translate("C_SetAttributeValue", d.ctx.SetAttributeValue(pkcs11.SessionHandle(session), pkcs11.ObjectHandle(object), toTemplate(attrs)))
}

func (d *miekgDriver) CreateObject(session uint, attrs []Attribute) (uint, error) {
	h, err := d.ctx.CreateObject(pkcs11.SessionHandle(session), toTemplate(attrs))
	return uint(h), translate("C_CreateObject", err)
}

func (d *miekgDriver) CopyObject(session, object uint, attrs []Attribute) (uint, error) {
	h, err := d.ctx.CopyObject(pkcs11.SessionHandle(session), pkcs11.ObjectHandle(object), toTemplate(attrs))
	return uint(h), translate("C_CopyObject", err)
}

func (d *miekgDriver) DestroyObject(session, object uint) error {
	return translate("C_DestroyObject", d.ctx.DestroyObject(pkcs11.SessionHandle(session), pkcs11.ObjectHandle(object)))
}

func (d *miekgDriver) GenerateKey(session uint, m Mechanism, attrs []Attribute) (uint, error) {
	mechanism, free := toMiekg(m)
	defer free()
	h, err := d.ctx.GenerateKey(pkcs11.SessionHandle(session), mechanism, toTemplate(attrs))
	return uint(h), translate("C_GenerateKey", err)
}

func (d *miekgDriver) GenerateKeyPair(session uint, m Mechanism, public, private []Attribute) (pub, priv uint, err error) {
	mechanism, free := toMiekg(m)
	defer free()
	p, s, err := d.ctx.GenerateKeyPair(pkcs11.SessionHandle(session), mechanism, toTemplate(public), toTemplate(private))
	return uint(p), uint(s), translate("C_GenerateKeyPair", err)
}

func (d *miekgDriver) WrapKey(session uint, m Mechanism, wrapping, key uint) ([]byte, error) {
	switch m.Params.(type) {
	case nil, Raw, OAEP:
		return d.lib.wrap(session, m, wrapping, key)
	}
	mechanism, free := toMiekg(m)
	defer free()
	wrapped, err := d.ctx.WrapKey(pkcs11.SessionHandle(session), mechanism, pkcs11.ObjectHandle(wrapping), pkcs11.ObjectHandle(key))
	return wrapped, translate("C_WrapKey", err)
}

func (d *miekgDriver) UnwrapKey(session uint, m Mechanism, unwrapping uint, wrapped []byte, attrs []Attribute) (uint, error) {
	if len(wrapped) == 0 { // miekg would panic
		return 0, &callError{"C_UnwrapKey", CKR_WRAPPED_KEY_LEN_RANGE}
	}
	mechanism, free := toMiekg(m)
	defer free()
	h, err := d.ctx.UnwrapKey(pkcs11.SessionHandle(session), mechanism, pkcs11.ObjectHandle(unwrapping), wrapped, toTemplate(attrs))
	return uint(h), translate("C_UnwrapKey", err)
}

func (d *miekgDriver) DeriveKey(session uint, m Mechanism, base uint, attrs []Attribute) (uint, error) {
	mechanism, free := toMiekg(m)
	defer free()
	h, err := d.ctx.DeriveKey(pkcs11.SessionHandle(session), mechanism, pkcs11.ObjectHandle(base), toTemplate(attrs))
	return uint(h), translate("C_DeriveKey", err)
}

func (d *miekgDriver) GenerateRandom(session uint, n int) ([]byte, error) {
	random, err := d.ctx.GenerateRandom(pkcs11.SessionHandle(session), n)
	return random, translate("C_GenerateRandom", err)
}

func toTemplate(attrs []Attribute) []*pkcs11.Attribute {
	list := make([]*pkcs11.Attribute, 0, len(attrs))
	for _, a := range attrs {
		list = append(list, &pkcs11.Attribute{Type: a.Type, Value: a.Value})
	}
	return list
}
