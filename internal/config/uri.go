package config

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/keystead/terraform-provider-hsm/internal/secret"
)

// URI is a PKCS#11 URI (RFC 7512), decoded. Empty fields are attributes that are
// not there. The standard distinguishes these from attributes with an empty
// value, which match only what is empty on the token; here both are "not given".
type URI struct {
	Token, Manufacturer, Serial, Model string

	LibraryManufacturer, LibraryDescription, LibraryVersion string

	SlotDescription, SlotManufacturer string
	SlotID                            *uint

	Object string // CKA_LABEL
	Type   string // "public", "private", "cert", "secret-key" or "data"
	ID     []byte // CKA_ID

	ModulePath, ModuleName string
	PINSource              string
	PINValue               secret.Value

	// VendorPath and VendorQuery are the attributes that RFC 7512 does not
	// define, sorted by name. In the query a name may occur several times, and
	// its values stay in order.
	VendorPath, VendorQuery []Attribute
}

// Attribute is one vendor attribute, decoded.
type Attribute struct{ Name, Value string }

// The attributes of RFC 7512 sections 2.3 and 2.4, in the order of String.
var (
	pathAttributes = []string{
		"token", "manufacturer", "serial", "model",
		"library-manufacturer", "library-description", "library-version",
		"slot-description", "slot-manufacturer", "slot-id", "object", "type", "id",
	}
	queryAttributes = []string{"module-path", "module-name", "pin-source", "pin-value"}
)

// What may stand unencoded in a value beside letters and digits: unreserved (RFC
// 3986 section 2.3), and pk11-path-res-avail and pk11-query-res-avail.
const (
	unreserved   = "-._~"
	pathLiteral  = unreserved + ":[]@!$'()*+,=&"
	queryLiteral = unreserved + ":[]@!$'()*+,=/?|"
)

// text returns the field of a standard attribute that is plain text, nil for
// id, slot-id, pin-value and names that are not standard.
func (u *URI) text(name string) *string {
	switch name {
	case "token":
		return &u.Token
	case "manufacturer":
		return &u.Manufacturer
	case "serial":
		return &u.Serial
	case "model":
		return &u.Model
	case "library-manufacturer":
		return &u.LibraryManufacturer
	case "library-description":
		return &u.LibraryDescription
	case "library-version":
		return &u.LibraryVersion
	case "slot-description":
		return &u.SlotDescription
	case "slot-manufacturer":
		return &u.SlotManufacturer
	case "object":
		return &u.Object
	case "type":
		return &u.Type
	case "module-path":
		return &u.ModulePath
	case "module-name":
		return &u.ModuleName
	case "pin-source":
		return &u.PINSource
	}
	return nil
}

// String writes the URI so that equal URIs give equal texts: attributes in a
// fixed order, vendor attributes after them by name, encoded only where RFC 7512
// demands it, except that id is encoded in full as section 2.3 recommends. The
// PIN is left out.
func (u URI) String() string {
	var path, query []string
	for _, name := range pathAttributes {
		switch field := u.text(name); {
		case field != nil && *field != "":
			path = append(path, name+"="+encode(*field, pathLiteral))
		case name == "id" && len(u.ID) > 0:
			path = append(path, name+"="+encodeAll(u.ID))
		case name == "slot-id" && u.SlotID != nil:
			path = append(path, name+"="+strconv.FormatUint(uint64(*u.SlotID), 10))
		}
	}
	for _, a := range sortedByName(u.VendorPath) {
		path = append(path, a.Name+"="+encode(a.Value, pathLiteral))
	}
	for _, name := range queryAttributes {
		if field := u.text(name); field != nil && *field != "" {
			query = append(query, name+"="+encode(*field, queryLiteral))
		}
	}
	for _, a := range sortedByName(u.VendorQuery) {
		query = append(query, a.Name+"="+encode(a.Value, queryLiteral))
	}
	text := "pkcs11:" + strings.Join(path, ";")
	if len(query) > 0 {
		text += "?" + strings.Join(query, "&")
	}
	return text
}

func sortedByName(attributes []Attribute) []Attribute {
	return slices.SortedStableFunc(slices.Values(attributes), func(a, b Attribute) int { return cmp.Compare(a.Name, b.Name) })
}

func encode(value, literal string) string {
	var b strings.Builder
	for i := range len(value) {
		if c := value[i]; isAlphanumeric(c) || strings.IndexByte(literal, c) >= 0 {
			b.WriteByte(c)
		} else {
			b.WriteString(encodeAll([]byte{c}))
		}
	}
	return b.String()
}

func encodeAll(value []byte) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range value {
		b.Write([]byte{'%', digits[c>>4], digits[c&15]})
	}
	return b.String()
}

func isAlphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}
