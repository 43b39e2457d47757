package config

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/keystead/terraform-provider-hsm/internal/secret"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

var (
	uriTypes       = []string{"public", "private", "cert", "secret-key", "data"}
	libraryVersion = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)
	// Other software writes labels in other encodings and with a final NUL; the
	// URI of such an object has to be readable all the same.
	octets     = []string{"id", "object", "pin-value"}
	vendorName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
)

// ParseURI reads a PKCS#11 URI by the grammar of RFC 7512 section 2.3 and
// nothing wider: an attribute in the wrong component or there twice, a value with
// characters that have to be percent-encoded, and a pin-value beside a
// pin-source are fault.Invalid. Text other than an object's label has to be
// UTF-8 without NUL. No error repeats any value: a misplaced "&" could make part
// of a PIN look like one.
func ParseURI(text string) (URI, error) {
	const scheme = "pkcs11:"
	if len(text) < len(scheme) || !strings.EqualFold(text[:len(scheme)], scheme) {
		return URI{}, invalidURI("", `It does not begin with "pkcs11:".`)
	}
	path, query, _ := strings.Cut(text[len(scheme):], "?")
	var u URI
	if err := u.parseComponent("path", path, ";", pathLiteral, pathAttributes); err != nil {
		return URI{}, err
	}
	if err := u.parseComponent("query", query, "&", queryLiteral, queryAttributes); err != nil {
		return URI{}, err
	}
	u.VendorPath, u.VendorQuery = sortedByName(u.VendorPath), sortedByName(u.VendorQuery)
	return u, nil
}

func (u *URI) parseComponent(component, text, separator, literal string, standard []string) error {
	if text == "" {
		return nil
	}
	seen := map[string]bool{}
	for i, part := range strings.Split(text, separator) {
		name, raw, found := strings.Cut(part, "=")
		subject := fmt.Sprintf("attribute %d of the %s", i+1, component)
		if !found || !vendorName.MatchString(name) {
			return invalidURI(subject, "It is not of the form name=value.")
		}
		known := slices.Contains(standard, name)
		if known {
			subject = fmt.Sprintf("attribute %q", name)
		} else if err := checkVendorName(component, subject, name); err != nil {
			return err
		}
		// Section 2.3 allows a name once in the path; section 2.4 lets only vendor
		// attributes be repeated in the query.
		if seen[name] && (known || component == "path") {
			return invalidURI(subject, "It is there twice.")
		}
		seen[name] = true
		value, problem := decode(raw, literal)
		if problem == "" && !slices.Contains(octets, name) && (!utf8.ValidString(value) || strings.Contains(value, "\x00")) {
			problem = "The value is not text in UTF-8."
		}
		if problem == "" && name != "pin-value" && strings.Contains(strings.ToLower(value), "pin-value") {
			problem = "The value has a pin-value in it: that is an attribute of its own in the query, after the question mark and between ampersands."
		}
		if problem == "" {
			problem = u.set(component, known, name, value)
		}
		if problem != "" {
			return invalidURI(subject, problem)
		}
	}
	if seen["pin-source"] && seen["pin-value"] {
		return invalidURI("", "It has a pin-source and a pin-value; only one of them may be there.")
	}
	return nil
}

// checkVendorName refuses names that stand for something else than a vendor's
// attribute: String would print the value of a pin-value that went unnoticed.
func checkVendorName(component, subject, name string) error {
	for _, proper := range []struct {
		component, side string
		names           []string
	}{{"path", "before", pathAttributes}, {"query", "after", queryAttributes}} {
		for _, standard := range proper.names {
			if !strings.EqualFold(name, standard) {
				continue
			}
			var wrong []string
			if name != standard {
				wrong = append(wrong, "is written in lower case")
			}
			if component != proper.component {
				wrong = append(wrong, fmt.Sprintf("belongs into the %s, %s the question mark", proper.component, proper.side))
			}
			return invalidURI(subject, "The attribute "+standard+" "+strings.Join(wrong, " and ")+".")
		}
	}
	if strings.Contains(strings.ToLower(name), "pin-value") {
		return invalidURI(subject, "A PIN is given as pin-value, in the query after the question mark.")
	}
	return nil
}

// set stores one decoded value and says what is wrong with it, if anything.
func (u *URI) set(component string, known bool, name, value string) (problem string) {
	switch {
	case !known && component == "path":
		u.VendorPath = append(u.VendorPath, Attribute{name, value})
	case !known:
		u.VendorQuery = append(u.VendorQuery, Attribute{name, value})
	case name == "pin-value":
		u.PINValue = secret.New(value)
	case name == "id":
		if value != "" {
			u.ID = []byte(value)
		}
	case name == "slot-id":
		n, err := strconv.ParseUint(value, 10, strconv.IntSize)
		if err != nil {
			return "It is not the decimal number of a slot."
		}
		slot := uint(n)
		u.SlotID = &slot
	case name == "type" && !slices.Contains(uriTypes, value):
		return "It is none of " + strings.Join(uriTypes, ", ") + "."
	case name == "library-version" && !libraryVersion.MatchString(value):
		return "It is not of the form major.minor."
	default:
		*u.text(name) = value
	}
	return ""
}

// decode undoes percent-encoding and insists on it for everything but letters,
// digits and the literal characters.
func decode(raw, literal string) (value, problem string) {
	decoded := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '%':
			if i+3 > len(raw) {
				return "", "A percent sign is not followed by two hexadecimal digits."
			}
			octet, err := hex.DecodeString(raw[i+1 : i+3])
			if err != nil {
				return "", "A percent sign is not followed by two hexadecimal digits."
			}
			decoded = append(decoded, octet...)
			i += 2
		case isAlphanumeric(c) || strings.IndexByte(literal, c) >= 0:
			decoded = append(decoded, c)
		default:
			return "", "The value has a character in it that must be percent-encoded (a space is %20, a slash %2F, a semicolon %3B, an ampersand %26)."
		}
	}
	return string(decoded), ""
}

func invalidURI(subject, problem string) error {
	return &fault.Error{
		Kind: fault.Invalid, Op: "read PKCS#11 URI", Subject: subject, Problem: problem,
		Hint: `Write it as RFC 7512 says, for example "pkcs11:token=prod;serial=1234?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/etc/hsm-pin".`,
	}
}
