package cryptoki

import (
	"encoding/binary"
	"runtime"
	"strconv"
)

// Attribute is one entry of a template. Value is in PKCS#11 wire form: CK_ULONG
// in the byte order and size of the machine, CK_BBOOL as one byte, everything else
// as bytes (section 3.5).
type Attribute struct {
	Type  uint
	Value []byte
}

// Bool makes a CK_BBOOL attribute.
func Bool(typ uint, v bool) Attribute {
	if v {
		return Attribute{typ, []byte{1}}
	}
	return Attribute{typ, []byte{0}}
}

// Ulong makes a CK_ULONG attribute.
func Ulong(typ uint, v uint) Attribute { return Attribute{typ, appendUlong(nil, v)} }

// Bytes makes a byte array attribute. The slice is not copied.
func Bytes(typ uint, v []byte) Attribute { return Attribute{typ, v} }

// Ulongs makes an attribute that is an array of CK_ULONG, such as
// CKA_ALLOWED_MECHANISMS.
func Ulongs(typ uint, v ...uint) Attribute {
	a := Attribute{Type: typ}
	for _, u := range v {
		a.Value = appendUlong(a.Value, u)
	}
	return a
}

// Bool reads a CK_BBOOL: true if there is a value and it is not zero.
func (a Attribute) Bool() bool { return len(a.Value) > 0 && a.Value[0] != 0 }

// Ulong reads a CK_ULONG; 0 if the value is not one.
func (a Attribute) Ulong() uint {
	v, _ := readUlong(a.Value)
	return v
}

// ulongSize is sizeof(CK_ULONG), an unsigned long in C: 4 bytes on Windows even
// where pointers have 8.
func ulongSize() int {
	if runtime.GOOS == "windows" {
		return 4
	}
	return strconv.IntSize / 8
}

func appendUlong(to []byte, v uint) []byte {
	if ulongSize() == 4 {
		return binary.NativeEndian.AppendUint32(to, uint32(v)) //nolint:gosec // a CK_ULONG has no more bits here
	}
	return binary.NativeEndian.AppendUint64(to, uint64(v))
}

func readUlong(b []byte) (uint, bool) {
	if len(b) != ulongSize() {
		return 0, false
	}
	if ulongSize() == 4 {
		return uint(binary.NativeEndian.Uint32(b)), true
	}
	return uint(binary.NativeEndian.Uint64(b)), true
}

// unavailable reports whether v is CK_UNAVAILABLE_INFORMATION, all ones.
func unavailable(v uint) bool {
	if ulongSize() == 4 {
		return v == 1<<32-1
	}
	return v == ^uint(0)
}
