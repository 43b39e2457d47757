package provider

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keystead/terraform-provider-hsm/internal/config"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// The attributes of a PKCS#11 URI by the names that they have in Terraform: those of RFC
// 7512 with underscores, in its order. A PIN is not among them.
var uriAttributes = []string{
	"token", "manufacturer", "serial", "model", "library_manufacturer", "library_description", "library_version",
	"slot_description", "slot_manufacturer", "slot_id", "object", "type", "id", "module_path", "module_name", "pin_source",
}

const uriVendorPath, uriVendorQuery = "vendor_path", "vendor_query"

const uriAttributesDescription = "`token`, `manufacturer`, `serial`, `model`, `library_manufacturer`, `library_description`, `library_version`, `slot_description`, " +
	"`slot_manufacturer`, `slot_id` (decimal), `object` (label), `type` (`public`, `private`, `cert`, `secret-key` or `data`), `id` (hexadecimal, as `cka_id` is), " +
	"`module_path`, `module_name` and `pin_source`, each a string; `vendor_path`, a map of the vendors' attributes in the path; and " +
	"`vendor_query`, a map of lists of those in the query, where one may be repeated"

// uriText returns the field of an attribute that is plain text, nil for slot_id and id.
func uriText(u *config.URI, name string) *string {
	return map[string]*string{
		"token": &u.Token, "manufacturer": &u.Manufacturer, "serial": &u.Serial, "model": &u.Model,
		"library_manufacturer": &u.LibraryManufacturer, "library_description": &u.LibraryDescription, "library_version": &u.LibraryVersion,
		"slot_description": &u.SlotDescription, "slot_manufacturer": &u.SlotManufacturer,
		"object": &u.Object, "type": &u.Type, "module_path": &u.ModulePath, "module_name": &u.ModuleName, "pin_source": &u.PINSource,
	}[name]
}

// setURI stores one attribute as it was given. Null is an attribute that is not there.
func setURI(u *config.URI, name string, value attr.Value) error {
	if value.IsNull() {
		return nil
	}
	switch name {
	case uriVendorPath, uriVendorQuery:
		return setURIVendor(u, name, value)
	case "pin_value":
		return invalidURIAttribute(name, "A PIN is no part of what this makes: it would be in the plan and in the state.",
			"Give pin_source, a file, or set the environment variable HSM_PIN.")
	}
	text, ok := stringOf(value)
	switch field := uriText(u, name); {
	case !slices.Contains(uriAttributes, name):
		return invalidURIAttribute(name, "There is no such attribute.", "Use "+strings.Join(append(uriAttributes, uriVendorPath, uriVendorQuery), ", ")+".")
	case !ok:
		return invalidURIAttribute(name, "It is not a string.", "Give text.")
	case field != nil:
		*field = text
	case name == "slot_id":
		n, err := strconv.ParseUint(text, 10, strconv.IntSize)
		if err != nil {
			return invalidURIAttribute(name, "It is not the number of a slot.", "Give a whole number, at least 0.")
		}
		slot := uint(n)
		u.SlotID = &slot
	default:
		id, err := hex.DecodeString(text)
		if err != nil {
			return invalidURIAttribute(name, "It is not hexadecimal.", "Give two digits for each byte of the CKA_ID, as cka_id has them.")
		}
		u.ID = id
	}
	return nil
}

func setURIVendor(u *config.URI, name string, value attr.Value) error {
	given, ok := elementsOf(value)
	if !ok {
		return invalidURIAttribute(name, "It is not a map.", "Give the vendors' attributes by name.")
	}
	for vendor, each := range given {
		texts := []attr.Value{each}
		if list, ok := listOf(each); ok && name == uriVendorQuery {
			texts = list
		}
		for _, value := range texts {
			text, ok := stringOf(value)
			if !ok {
				return invalidURIAttribute(name, "A value in it is not a string.", "Give text, and in vendor_query a list of texts for an attribute that is repeated.")
			}
			attribute := config.Attribute{Name: vendor, Value: text}
			if name == uriVendorPath {
				u.VendorPath = append(u.VendorPath, attribute)
			} else {
				u.VendorQuery = append(u.VendorQuery, attribute)
			}
		}
	}
	return nil
}

func invalidURIAttribute(name, problem, hint string) error {
	return &fault.Error{Kind: fault.Invalid, Op: "write PKCS#11 URI", Subject: fmt.Sprintf("attribute %q", name), Problem: problem, Hint: hint}
}

// stringOf takes strings, and numbers as Terraform would write them.
func stringOf(value attr.Value) (string, bool) {
	switch v := value.(type) {
	case types.String:
		return v.ValueString(), !v.IsNull()
	case types.Number:
		if v.IsNull() {
			return "", false
		}
		return v.ValueBigFloat().Text('f', -1), true
	}
	return "", false
}

func elementsOf(value attr.Value) (map[string]attr.Value, bool) {
	switch v := value.(type) {
	case types.Object:
		return v.Attributes(), !v.IsNull()
	case types.Map:
		return v.Elements(), !v.IsNull()
	}
	return nil, false
}

func listOf(value attr.Value) ([]attr.Value, bool) {
	switch v := value.(type) {
	case types.List:
		return v.Elements(), !v.IsNull()
	case types.Tuple:
		return v.Elements(), !v.IsNull()
	}
	return nil, false
}

// checkedURI is the text of a URI, if that reads back as the same one.
func checkedURI(u config.URI) (string, error) {
	text := u.String()
	again, err := config.ParseURI(text)
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return "", &fault.Error{
			Kind: f.Kind, Op: "write PKCS#11 URI", Subject: f.Subject, Problem: f.Problem, Hint: "Give the attribute a name and a value that RFC 7512 allows it.",
		}
	}
	for _, vendors := range []struct {
		name     string
		was, are int
	}{{uriVendorPath, len(u.VendorPath), len(again.VendorPath)}, {uriVendorQuery, len(u.VendorQuery), len(again.VendorQuery)}} {
		if err == nil && vendors.was != vendors.are {
			return "", invalidURIAttribute(vendors.name, "An attribute in it is one of the standard's, not a vendor's, or a PIN.",
				"Give it by its own name, beside "+vendors.name+"; a PIN by pin_source or the environment variable HSM_PIN.")
		}
	}
	return text, err
}
