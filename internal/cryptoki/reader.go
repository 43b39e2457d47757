package cryptoki

import (
	"slices"
	"sync"
)

// reader reads the attributes of objects. It learns which of them a token knows
// for a kind of object, so that one call reads an object: one attribute that the
// token does not know can spoil the whole call.
type reader struct {
	mu      sync.Mutex
	unknown map[kind]map[uint]int // how many objects of the kind had no such attribute
}

// kind is what decides on an object's attributes.
type kind struct{ class, keyType uint }

// enough objects of a kind without an attribute make it unknown to the token. One
// is not enough: it may be the remnant of a run that was killed.
const enough = 3

const noKeyType = ^uint(0)

var (
	common    = []uint{CKA_TOKEN, CKA_PRIVATE, CKA_LABEL, CKA_MODIFIABLE, CKA_UNIQUE_ID}
	ofData    = []uint{CKA_APPLICATION, CKA_VALUE}
	ofKeys    = []uint{CKA_ID, CKA_DERIVE, CKA_LOCAL, CKA_KEY_GEN_MECHANISM, CKA_ALLOWED_MECHANISMS}
	ofPublic  = []uint{CKA_VERIFY, CKA_ENCRYPT, CKA_WRAP}
	ofHidden  = []uint{CKA_SENSITIVE, CKA_EXTRACTABLE, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE}
	ofPrivate = []uint{CKA_SIGN, CKA_DECRYPT, CKA_UNWRAP, CKA_ALWAYS_AUTHENTICATE}
	ofSecret  = []uint{CKA_SIGN, CKA_VERIFY, CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP, CKA_UNWRAP, CKA_VALUE_LEN, CKA_CHECK_VALUE}
	ofRSA     = []uint{CKA_MODULUS, CKA_PUBLIC_EXPONENT}
	ofCurves  = []uint{CKA_EC_PARAMS}
)

// wanted lists what to read of a kind of object. Dates are left out: SoftHSM fails
// on them. The value of a key is never among them.
func (k kind) wanted() []uint {
	isCurve := k.keyType == CKK_EC || k.keyType == CKK_EC_EDWARDS || k.keyType == CKK_EC_MONTGOMERY
	list := slices.Clone(common)
	switch k.class {
	case CKO_DATA:
		return append(list, ofData...)
	case CKO_CERTIFICATE:
		return append(list, CKA_ID)
	case CKO_SECRET_KEY:
		return slices.Concat(list, ofKeys, ofHidden, ofSecret)
	case CKO_PUBLIC_KEY:
		list = slices.Concat(list, ofKeys, ofPublic)
		if isCurve {
			list = append(list, CKA_EC_POINT)
		}
	case CKO_PRIVATE_KEY:
		list = slices.Concat(list, ofKeys, ofHidden, ofPrivate)
	default:
		return list
	}
	switch {
	case k.keyType == CKK_RSA:
		list = append(list, ofRSA...)
	case isCurve:
		list = append(list, ofCurves...)
	}
	return list
}

// read returns an object with its attributes, but no Handle. It fails if the
// object has no class: nothing is left of it, or it is gone.
func (r *reader) read(d driver, session, object uint) (Object, error) {
	o := Object{Attrs: map[uint][]byte{}}
	k, err := r.kind(d, session, object, &o)
	if err != nil {
		return o, err
	}
	o.Class = k.class
	wanted := slices.DeleteFunc(k.wanted(), func(typ uint) bool { return r.isUnknown(k, typ) })
	read, err := d.ReadAttributes(session, object, wanted)
	if err != nil && !hasCode(err, CKR_BUFFER_TOO_SMALL) && !saysNothing(err) && !saysUnknown(err) {
		return o, err
	}
	for i, typ := range wanted {
		if i < len(read) && read[i].known {
			o.Attrs[typ] = read[i].value
			continue
		}
		if err := r.single(d, session, object, typ, &o, k); err != nil {
			return o, err
		}
	}
	return o, nil
}

// kind reads what decides on the other attributes.
func (r *reader) kind(d driver, session, object uint, o *Object) (kind, error) {
	read, err := d.ReadAttributes(session, object, []uint{CKA_CLASS, CKA_KEY_TYPE})
	// NSS now and then calls a buffer too small that is larger than it has to be.
	if err != nil && !hasCode(err, CKR_BUFFER_TOO_SMALL) && !saysNothing(err) && !saysUnknown(err) {
		return kind{}, err
	}
	k := kind{keyType: noKeyType}
	value := func(i int, typ uint) ([]byte, error) {
		if i < len(read) && read[i].known {
			return read[i].value, nil
		}
		return d.ReadAttribute(session, object, typ)
	}
	class, err := value(0, CKA_CLASS)
	if err != nil {
		return k, err
	}
	o.Attrs[CKA_CLASS] = class
	var ok bool
	if k.class, ok = o.Ulong(CKA_CLASS); !ok {
		return k, &callError{"C_GetAttributeValue", CKR_ATTRIBUTE_TYPE_INVALID}
	}
	if !slices.Contains([]uint{CKO_PUBLIC_KEY, CKO_PRIVATE_KEY, CKO_SECRET_KEY}, k.class) {
		return k, nil
	}
	keyType, err := value(1, CKA_KEY_TYPE)
	if err != nil {
		return k, err
	}
	o.Attrs[CKA_KEY_TYPE] = keyType
	if v, ok := o.Ulong(CKA_KEY_TYPE); ok {
		k.keyType = v
	}
	return k, nil
}

// optional are the attributes that a key may lack although the token knows them.
var optional = []uint{CKA_ALLOWED_MECHANISMS, CKA_CHECK_VALUE}

// single reads one attribute that the call for all did not tell, which does not
// say why.
func (r *reader) single(d driver, session, object, typ uint, o *Object, k kind) error {
	value, err := d.ReadAttribute(session, object, typ)
	if saysNothing(err) {
		value, err = d.ReadAttribute(session, object, typ) // a failure that passes says nothing of the attribute
	}
	if err == nil {
		o.Attrs[typ] = value
		return nil
	}
	if hasCode(err, CKR_ATTRIBUTE_SENSITIVE) {
		return nil
	}
	if saysNothing(err) {
		// Some modules fail like this on attributes that they do not know, but a
		// token that is going away does so too: is the object still there?
		if _, gone := d.ReadAttribute(session, object, CKA_CLASS); gone != nil {
			return err
		}
	} else if !saysUnknown(err) {
		return err
	}
	if !slices.Contains(optional, typ) {
		r.learn(k, typ)
	}
	return nil
}

// saysUnknown reports whether the token does not know or reveal an attribute.
func saysUnknown(err error) bool {
	return hasCode(err, CKR_ATTRIBUTE_TYPE_INVALID, CKR_ATTRIBUTE_SENSITIVE)
}

// saysNothing reports whether err may mean anything.
func saysNothing(err error) bool {
	return hasCode(err, CKR_GENERAL_ERROR, CKR_FUNCTION_FAILED, CKR_ARGUMENTS_BAD, CKR_FUNCTION_NOT_SUPPORTED)
}

func (r *reader) isUnknown(k kind, typ uint) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.unknown[k][typ] >= enough
}

func (r *reader) learn(k kind, typ uint) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.unknown == nil {
		r.unknown = map[kind]map[uint]int{}
	}
	if r.unknown[k] == nil {
		r.unknown[k] = map[uint]int{}
	}
	r.unknown[k][typ]++
}
