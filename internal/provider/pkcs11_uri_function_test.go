package provider_test

import (
	"maps"
	"reflect"
	"strings"
	"testing"
)

// The examples of RFC 7512 section 3, and back.
func TestURIFunctions(t *testing.T) {
	s := newServer(t)
	for name, test := range map[string]struct {
		uri   string
		parts values
		back  string // empty if it is the URI
	}{
		"nothing":       {uri: "pkcs11:"},
		"public object": {uri: "pkcs11:object=my-pubkey;type=public", parts: values{"object": "my-pubkey", "type": "public"}},
		"PIN source":    {uri: "pkcs11:object=my-key;type=private?pin-source=file:/etc/token", parts: values{"object": "my-key", "type": "private", "pin_source": "file:/etc/token"}},
		"everything else": {
			uri: "pkcs11:token=The%20Software%20PKCS%2311%20Softtoken;manufacturer=Snake%20Oil,%20Inc.;model=1.0;object=my-certificate;type=cert;id=%69%95%3E%5C%F4%BD%EC%91?pin-source=file:/etc/token_pin",
			parts: values{
				"token": "The Software PKCS#11 Softtoken", "manufacturer": "Snake Oil, Inc.", "model": "1.0", "object": "my-certificate", "type": "cert",
				"id": "69953e5cf4bdec91", "pin_source": "file:/etc/token_pin",
			},
		},
		"module":         {uri: "pkcs11:object=my-sign-key;type=private?module-path=/mnt/libmypkcs11.so.1", parts: values{"object": "my-sign-key", "type": "private", "module_path": "/mnt/libmypkcs11.so.1"}},
		"module by name": {uri: "pkcs11:object=my-sign-key;type=private?module-name=mypkcs11", parts: values{"object": "my-sign-key", "type": "private", "module_name": "mypkcs11"}},
		"PIN": {
			uri:   "pkcs11:token=Software%20PKCS%2311%20softtoken;manufacturer=Snake%20Oil,%20Inc.?pin-value=the-pin",
			parts: values{"token": "Software PKCS#11 softtoken", "manufacturer": "Snake Oil, Inc."},
			back:  "pkcs11:token=Software%20PKCS%2311%20softtoken;manufacturer=Snake%20Oil,%20Inc.",
		},
		"slot": {uri: "pkcs11:slot-description=Sun%20Metaslot", parts: values{"slot_description": "Sun Metaslot"}},
		"library": {
			uri:   "pkcs11:library-manufacturer=Snake%20Oil,%20Inc.;library-description=Soft%20Token%20Library;library-version=1.23",
			parts: values{"library_manufacturer": "Snake Oil, Inc.", "library_description": "Soft Token Library", "library_version": "1.23"},
		},
		"vendor's": {
			uri:   "pkcs11:token=t;vendor-aaa=value-a?pin-source=file:/p&vendor-bbb=value-b&vendor-bbb=again",
			parts: values{"token": "t", "pin_source": "file:/p", "vendor_path": values{"vendor-aaa": "value-a"}, "vendor_query": values{"vendor-bbb": []any{"value-b", "again"}}},
		},
		"slot by number": {uri: "pkcs11:slot-id=327", parts: values{"slot_id": "327"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, failed := s.call(t, "parse_pkcs11_uri", test.uri)
			if failed != nil {
				t.Fatalf("%+v", failed)
			}
			want := values{"vendor_path": values{}, "vendor_query": values{}}
			for attribute := range got.(values) {
				if _, ok := want[attribute]; !ok {
					want[attribute] = nil
				}
			}
			maps.Copy(want, test.parts)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
			back := test.back
			if back == "" {
				back = test.uri
			}
			for what, parts := range map[string]any{"what was parsed": got, "the parts": test.parts} {
				if again, failed := s.call(t, "pkcs11_uri", parts); failed != nil || again != back {
					t.Errorf("of %s: got %v, want %s: %+v", what, again, back, failed)
				}
			}
		})
	}
	if got, failed := s.call(t, "pkcs11_uri", values{"slot_id": 3, "vendor_query": values{"x": "y"}}); got != "pkcs11:slot-id=3?x=y" {
		t.Errorf("of a number, and of a text that is not in a list: %v, %+v", got, failed)
	}
}

func TestURIFunctionRefusals(t *testing.T) {
	s := newServer(t)
	for name, test := range map[string]struct {
		function string
		argument any
		says     []string
	}{
		"another scheme":               {"parse_pkcs11_uri", "https://example.com", []string{"pkcs11:", "RFC 7512"}},
		"twice":                        {"parse_pkcs11_uri", "pkcs11:token=a;token=b", []string{`"token"`, "twice"}},
		"label in Latin-1":             {"parse_pkcs11_uri", "pkcs11:object=%e9", []string{"UTF-8", "by its id"}},
		"a string":                     {"pkcs11_uri", "pkcs11:", []string{"not an object", "by name"}},
		"unknown attribute":            {"pkcs11_uri", values{"lable": "a"}, []string{`"lable"`, "no such attribute", "object"}},
		"PIN":                          {"pkcs11_uri", values{"pin_value": "123456"}, []string{"PIN", "pin_source", "HSM_PIN"}},
		"PIN as a vendor's":            {"pkcs11_uri", values{"vendor_query": values{"pin-value": "123456"}}, []string{"vendor_query", "PIN"}},
		"a standard one as a vendor's": {"pkcs11_uri", values{"vendor_path": values{"token": "a"}}, []string{"vendor_path"}},
		"type":                         {"pkcs11_uri", values{"type": "key"}, []string{`"type"`, "secret-key"}},
		"id":                           {"pkcs11_uri", values{"id": "0x01"}, []string{`"id"`, "hexadecimal"}},
		"slot":                         {"pkcs11_uri", values{"slot_id": "-1"}, []string{`"slot_id"`, "whole number"}},
		"a list":                       {"pkcs11_uri", values{"token": []any{"a"}}, []string{`"token"`, "not a string"}},
		"a list in the path":           {"pkcs11_uri", values{"vendor_path": values{"x": []any{"a"}}}, []string{"vendor_path", "not a string"}},
		"no map":                       {"pkcs11_uri", values{"vendor_path": "x"}, []string{"vendor_path", "not a map"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, failed := s.call(t, test.function, test.argument)
			wantFunctionError(t, got, failed, 0, test.says...)
			if failed != nil && strings.Contains(failed.Text, "123456") {
				t.Errorf("the error shows the PIN: %s", failed.Text)
			}
		})
	}
}
