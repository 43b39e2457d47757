package cryptoki

// Handle denotes an object of one Token. It is this package's own number, not the
// module's CK_OBJECT_HANDLE, and never reused: after DestroyObject, or after
// all sessions were lost, using it is fault.Conflict with
// CKR_OBJECT_HANDLE_INVALID, never work on another object. The zero Handle is
// no object.
type Handle uint

// Object is an object as last read from the token. The map belongs to the package
// and must not be changed.
type Object struct {
	Handle Handle
	Class  uint // CKO_…
	// Attrs holds values in wire form by attribute type. An attribute that the
	// token does not know, or does not reveal, is absent.
	Attrs map[uint][]byte
}

// Bool reads a CK_BBOOL attribute; false if it is absent.
func (o Object) Bool(typ uint) bool { return Attribute{Value: o.Attrs[typ]}.Bool() }

// Ulong reads a CK_ULONG attribute, and whether it is there with a value that is
// known (not CK_UNAVAILABLE_INFORMATION).
func (o Object) Ulong(typ uint) (uint, bool) {
	v, ok := readUlong(o.Attrs[typ])
	if !ok || unavailable(v) {
		return 0, false
	}
	return v, true
}

// Ulongs reads an attribute that is an array of CK_ULONG, such as
// CKA_ALLOWED_MECHANISMS; nil if it is absent, empty or no such array.
func (o Object) Ulongs(typ uint) []uint {
	var list []uint
	for b := o.Attrs[typ]; len(b) > 0; b = b[ulongSize():] {
		if len(b) < ulongSize() {
			return nil
		}
		v, _ := readUlong(b[:ulongSize()])
		list = append(list, v)
	}
	return list
}

// Bytes reads a byte array attribute; nil if it is absent.
func (o Object) Bytes(typ uint) []byte { return o.Attrs[typ] }

// Has reports whether the token revealed the attribute, be it with an empty value.
func (o Object) Has(typ uint) bool {
	_, ok := o.Attrs[typ]
	return ok
}

// matches reports whether every attribute of the template has exactly that value.
func (o Object) matches(template []Attribute) bool {
	for _, a := range template {
		v, ok := o.Attrs[a.Type]
		if !ok || string(v) != string(a.Value) {
			return false
		}
	}
	return true
}
