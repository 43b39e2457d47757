package config_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/secret"

	"github.com/keystead/terraform-provider-hsm/internal/config"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

func TestParseURI(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want config.URI
		back string // String of it; empty if it is text
	}{
		// RFC 7512 section 3, with the line breaks taken out.
		"RFC: nothing":       {text: "pkcs11:"},
		"RFC: public object": {text: "pkcs11:object=my-pubkey;type=public", want: config.URI{Object: "my-pubkey", Type: "public"}},
		"RFC: private object with pin-source": {
			text: "pkcs11:object=my-key;type=private?pin-source=file:/etc/token",
			want: config.URI{Object: "my-key", Type: "private", PINSource: "file:/etc/token"},
		},
		"RFC: certificate by everything": {
			text: "pkcs11:token=The%20Software%20PKCS%2311%20Softtoken;manufacturer=Snake%20Oil,%20Inc.;model=1.0;object=my-certificate;type=cert;id=%69%95%3E%5C%F4%BD%EC%91;serial=?pin-source=file:/etc/token_pin",
			want: config.URI{
				Token: "The Software PKCS#11 Softtoken", Manufacturer: "Snake Oil, Inc.", Model: "1.0", Object: "my-certificate", Type: "cert",
				ID: []byte("\x69\x95\x3e\x5c\xf4\xbd\xec\x91"), PINSource: "file:/etc/token_pin",
			},
			back: "pkcs11:token=The%20Software%20PKCS%2311%20Softtoken;manufacturer=Snake%20Oil,%20Inc.;model=1.0;object=my-certificate;type=cert;id=%69%95%3E%5C%F4%BD%EC%91?pin-source=file:/etc/token_pin",
		},
		"RFC: module-name": {
			text: "pkcs11:object=my-sign-key;type=private?module-name=mypkcs11",
			want: config.URI{Object: "my-sign-key", Type: "private", ModuleName: "mypkcs11"},
		},
		"RFC: module-path": {
			text: "pkcs11:object=my-sign-key;type=private?module-path=/mnt/libmypkcs11.so.1",
			want: config.URI{Object: "my-sign-key", Type: "private", ModulePath: "/mnt/libmypkcs11.so.1"},
		},
		"RFC: pin-value": {
			text: "pkcs11:token=Software%20PKCS%2311%20softtoken;manufacturer=Snake%20Oil,%20Inc.?pin-value=the-pin",
			want: config.URI{Token: "Software PKCS#11 softtoken", Manufacturer: "Snake Oil, Inc.", PINValue: secret.New("the-pin")},
			back: "pkcs11:token=Software%20PKCS%2311%20softtoken;manufacturer=Snake%20Oil,%20Inc.",
		},
		"RFC: slot": {text: "pkcs11:slot-description=Sun%20Metaslot", want: config.URI{SlotDescription: "Sun Metaslot"}},
		"RFC: library": {
			text: "pkcs11:library-manufacturer=Snake%20Oil,%20Inc.;library-description=Soft%20Token%20Library;library-version=1.23",
			want: config.URI{LibraryManufacturer: "Snake Oil, Inc.", LibraryDescription: "Soft Token Library", LibraryVersion: "1.23"},
		},
		"RFC: percent sign, id in both cases": {
			text: "pkcs11:token=My%20token%25%20created%20by%20Joe;library-version=3;id=%01%02%03%Ba%dd%Ca%fe%04%05%06",
			want: config.URI{Token: "My token% created by Joe", LibraryVersion: "3", ID: []byte("\x01\x02\x03\xba\xdd\xca\xfe\x04\x05\x06")},
			back: "pkcs11:token=My%20token%25%20created%20by%20Joe;library-version=3;id=%01%02%03%BA%DD%CA%FE%04%05%06",
		},
		"RFC: %25%3B in a name": {
			text: "pkcs11:token=A%20name%20with%20a%20substring%20%25%3B;object=my-certificate;type=cert",
			want: config.URI{Token: "A name with a substring %;", Object: "my-certificate", Type: "cert"},
		},
		"RFC: beyond ASCII": {
			text: "pkcs11:token=Name%20with%20a%20small%20A%20with%20acute:%20%C3%A1;object=my-certificate;type=cert",
			want: config.URI{Token: "Name with a small A with acute: á", Object: "my-certificate", Type: "cert"},
		},
		"RFC: vendor attributes": {
			text: "pkcs11:token=my-token;object=my-certificate;type=cert;vendor-aaa=value-a?pin-source=file:/etc/token_pin&vendor-bbb=value-b",
			want: config.URI{
				Token: "my-token", Object: "my-certificate", Type: "cert", PINSource: "file:/etc/token_pin",
				VendorPath: []config.Attribute{{"vendor-aaa", "value-a"}}, VendorQuery: []config.Attribute{{"vendor-bbb", "value-b"}},
			},
		},

		"scheme in capitals":      {text: "PKCS11:token=a", want: config.URI{Token: "a"}, back: "pkcs11:token=a"},
		"empty query":             {text: "pkcs11:token=a?", want: config.URI{Token: "a"}, back: "pkcs11:token=a"},
		"query alone":             {text: "pkcs11:?module-path=/m", want: config.URI{ModulePath: "/m"}},
		"empty values":            {text: "pkcs11:token=;id=;object=?pin-source=", back: "pkcs11:"},
		"type secret-key":         {text: "pkcs11:type=secret-key", want: config.URI{Type: "secret-key"}},
		"type data":               {text: "pkcs11:type=data", want: config.URI{Type: "data"}},
		"slot-id":                 {text: "pkcs11:slot-id=0", want: config.URI{SlotID: new(uint(0))}},
		"slot-id, many digits":    {text: "pkcs11:slot-id=00427", want: config.URI{SlotID: new(uint(427))}, back: "pkcs11:slot-id=427"},
		"id of letters":           {text: "pkcs11:id=abc", want: config.URI{ID: []byte("abc")}, back: "pkcs11:id=%61%62%63"},
		"id that is not UTF-8":    {text: "pkcs11:id=%00%FF", want: config.URI{ID: []byte{0, 255}}},
		"label that is not UTF-8": {text: "pkcs11:object=caf%E9%00", want: config.URI{Object: "caf\xe9\x00"}},
		"everything literal in the path": {
			text: "pkcs11:token=aZ09-._~:[]@!$'()*+,=&", want: config.URI{Token: "aZ09-._~:[]@!$'()*+,=&"},
		},
		"everything literal in the query": {
			text: "pkcs11:?module-path=aZ09-._~:[]@!$'()*+,=/?|", want: config.URI{ModulePath: "aZ09-._~:[]@!$'()*+,=/?|"},
		},
		"needlessly encoded": {text: "pkcs11:token=%61%3a", want: config.URI{Token: "a:"}, back: "pkcs11:token=a:"},
		"in another order": {
			text: "pkcs11:id=%01;object=o;serial=s;x-b=2;model=m;x-a=1;token=t?x=2&pin-source=/p&module-path=/m&x=1&a=3",
			want: config.URI{
				Token: "t", Serial: "s", Model: "m", Object: "o", ID: []byte{1}, ModulePath: "/m", PINSource: "/p",
				VendorPath: []config.Attribute{{"x-a", "1"}, {"x-b", "2"}}, VendorQuery: []config.Attribute{{"a", "3"}, {"x", "2"}, {"x", "1"}},
			},
			back: "pkcs11:token=t;serial=s;model=m;object=o;id=%01;x-a=1;x-b=2?module-path=/m&pin-source=/p&a=3&x=2&x=1",
		},
		"an equals sign in a PIN": {text: "pkcs11:?pin-value=a=b%26%FF", want: config.URI{PINValue: secret.New("a=b&\xff")}, back: "pkcs11:"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := config.ParseURI(tc.text)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got  %#v\nwant %#v", got, tc.want)
			}
			if got.PINValue.IsEmpty() != tc.want.PINValue.IsEmpty() || string(got.PINValue.Reveal()) != string(tc.want.PINValue.Reveal()) {
				t.Errorf("the PIN is %q, want %q", got.PINValue.Reveal(), tc.want.PINValue.Reveal())
			}
			want := tc.back
			if want == "" {
				want = tc.text
			}
			if got.String() != want {
				t.Errorf("String\ngot  %s\nwant %s", got, want)
			}
		})
	}
}

func TestURIStringSortsVendorAttributes(t *testing.T) {
	u := config.URI{VendorPath: []config.Attribute{{"b", "1"}, {"a", "/"}}}
	if got, want := u.String(), "pkcs11:a=%2F;b=1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if u.VendorPath[0].Name != "b" {
		t.Error("String changed the URI")
	}
}

func TestParseURIRefuses(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"nothing":                      {"", `begin with "pkcs11:"`},
		"another scheme":               {"pkcs12:token=a", `begin with "pkcs11:"`},
		"no colon":                     {"pkcs11", `begin with "pkcs11:"`},
		"space before":                 {" pkcs11:token=a", `begin with "pkcs11:"`},
		"no value":                     {"pkcs11:token", "name=value"},
		"no name":                      {"pkcs11:=a", "name=value"},
		"semicolon at the end":         {"pkcs11:token=a;", "attribute 2 of the path"},
		"two semicolons":               {"pkcs11:token=a;;serial=b", "attribute 2 of the path"},
		"ampersand at the end":         {"pkcs11:?module-path=a&", "attribute 2 of the query"},
		"name with a percent sign":     {"pkcs11:tok%65n=a", "name=value"},
		"twice in the path":            {"pkcs11:token=a;token=a", "twice"},
		"vendor's twice in the path":   {"pkcs11:x=a;x=b", "twice"},
		"twice in the query":           {"pkcs11:?module-path=a&module-path=b", "twice"},
		"twice, the first one empty":   {"pkcs11:token=;token=a", "twice"},
		"PIN twice over":               {"pkcs11:?pin-source=/p&pin-value=1", "only one of them"},
		"PIN twice over, one is empty": {"pkcs11:?pin-source=&pin-value=1", "only one of them"},
		"query attribute in the path":  {"pkcs11:module-path=a", "query, after the question mark"},
		"path attribute in the query":  {"pkcs11:?token=a", "path, before the question mark"},
		"attribute in capitals":        {"pkcs11:Token=a", "The attribute token is written in lower case"},
		"PIN in capitals":              {"pkcs11:?PIN-value=1", "The attribute pin-value is written in lower case"},
		"PIN in the path":              {"pkcs11:pin-value=1", "The attribute pin-value belongs into the query, after the question mark"},
		"PIN in capitals in the path":  {"pkcs11:PIN-value=1", "pin-value is written in lower case and belongs into the query"},
		"token in the query":           {"pkcs11:?token=a", "The attribute token belongs into the path, before the question mark"},
		"PIN as in old drafts":         {"pkcs11:?x-pin-value=1", "given as pin-value"},
		"percent sign at the end":      {"pkcs11:token=a%", "two hexadecimal digits"},
		"one digit":                    {"pkcs11:token=a%4", "two hexadecimal digits"},
		"no digits":                    {"pkcs11:token=%zz", "two hexadecimal digits"},
		"digit and letter":             {"pkcs11:token=%4g", "two hexadecimal digits"},
		"space":                        {"pkcs11:token=my token", "percent-encoded"},
		"hash":                         {"pkcs11:token=a#b", "percent-encoded"},
		"slash in the path":            {"pkcs11:token=a/b", "percent-encoded"},
		"semicolon in the query":       {"pkcs11:?module-path=a;b", "percent-encoded"},
		"letter beyond ASCII":          {"pkcs11:token=é", "percent-encoded"},
		"line break":                   {"pkcs11:token=a\n", "percent-encoded"},
		"not UTF-8":                    {"pkcs11:token=%FF", "UTF-8"},
		"NUL":                          {"pkcs11:?module-path=/a%00b", "UTF-8"},
		"unknown type":                 {"pkcs11:type=key", "secret-key"},
		"empty type":                   {"pkcs11:type=", "secret-key"},
		"slot-id of letters":           {"pkcs11:slot-id=a", "decimal"},
		"slot-id below 0":              {"pkcs11:slot-id=-1", "decimal"},
		"slot-id too large":            {"pkcs11:slot-id=99999999999999999999", "decimal"},
		"no slot-id":                   {"pkcs11:slot-id=", "decimal"},
		"library-version of letters":   {"pkcs11:library-version=one", "major.minor"},
		"library-version of three":     {"pkcs11:library-version=1.2.3", "major.minor"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := config.ParseURI(tc.text)
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v; want fault.Invalid with %q in it", err, tc.want)
			}
			if !reflect.DeepEqual(got, config.URI{}) {
				t.Errorf("with the error comes %#v", got)
			}
		})
	}
}

func TestParseURINeverRepeatsAPIN(t *testing.T) {
	const pin = "271828"
	for _, text := range []string{
		pin, "pkcs11:" + pin, "pkcs11:pin-value=" + pin, "pkcs11:token=a;pin-value=" + pin, "pkcs11:token=a;" + pin,
		"pkcs11:?pin-value=" + pin + "%", "pkcs11:?pin-value=" + pin + " ", "pkcs11:?pin-value=x&" + pin, "pkcs11:?pin-value=x&" + pin + "=y",
		"pkcs11:?pin-value=" + pin + "&pin-value=" + pin, "pkcs11:?pin-value=" + pin + "&pin-source=/a", "pkcs11:?pin-source=/a&pin-value=" + pin,
		"pkcs11:?Pin-Value=" + pin, "pkcs11:?x-pin-value=" + pin, "pkcs11:x-pin-value=" + pin, "pkcs11:slot-id=" + pin + "x", "pkcs11:type=" + pin,
		"pkcs11:?pin-value=" + pin + "&token=a", "pkcs12:?pin-value=" + pin, "pkcs11:?pin-value=" + pin + ";" + pin,
		"pkcs11:token=a?module-path=/m.so?pin-value=" + pin, "pkcs11:token=a,pin-value=" + pin + "?module-path=/m.so",
		"pkcs11:token=a:PIN-value=" + pin, "pkcs11:token=a%3Fpin-value=" + pin, "pkcs11:?pin-source=file:/x?pin-value=" + pin,
		"pkcs11:?module-path=/m.so%26pin-value=" + pin, "pkcs11:?x-name=pin-value:" + pin,
	} {
		u, err := config.ParseURI(text)
		if err == nil {
			if strings.Contains(text, "&"+pin+"=") {
				continue // a vendor's attribute of that name, as far as anyone can tell
			}
			t.Errorf("%s is accepted as %s", text, u)
			continue
		}
		if f := err.(*fault.Error); strings.Contains(f.Error()+f.Hint, pin) {
			t.Errorf("%s: the error is %v (%s)", text, err, f.Hint)
		}
	}
}

// FuzzParseURI holds that what String writes is read back as the same URI, but
// for the PIN, and that no error repeats what comes after "pin-value=".
func FuzzParseURI(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		const canary = "c4n4ry-271828"
		text = strings.ReplaceAll(text, "PIN", canary)
		u, err := config.ParseURI(text)
		if err != nil {
			failure, ok := err.(*fault.Error)
			if !ok || failure.Kind != fault.Invalid || failure.Problem == "" || failure.Hint == "" {
				t.Fatalf("the error is %T of kind %v, %+v", err, fault.KindOf(err), err)
			}
			if !reflect.DeepEqual(u, config.URI{}) {
				t.Fatalf("%s: there is a URI beside the error %v: %#v", text, err, u)
			}
			if strings.Contains(failure.Error()+failure.Hint, canary) {
				t.Fatalf("%s: the error is %v", text, err)
			}
			return
		}
		pin := u.PINValue
		u.PINValue = secret.Value{}
		back, err := config.ParseURI(u.String())
		if err != nil {
			t.Fatalf("%s is written as %s and cannot be read: %v", text, u, err)
		}
		if !reflect.DeepEqual(u, back) || back.String() != u.String() {
			t.Fatalf("%s is written as %s and read as\n%#v, not\n%#v", text, u, back, u)
		}
		if string(pin.Reveal()) == canary && strings.Count(text, canary) == 1 && strings.Contains(u.String(), canary) {
			t.Fatalf("%s shows the PIN", u)
		}
	})
}
