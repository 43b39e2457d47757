package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/secret"

	"github.com/keystead/terraform-provider-hsm/internal/config"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// pinOf resolves settings that use the given URI query, pin and HSM_PIN.
func pinOf(t *testing.T, query, pin, variable string) func() (secret.Value, error) {
	t.Helper()
	in := config.Input{URI: "pkcs11:token=t?module-path=/m.so" + query, PIN: secret.New(pin), Environment: "prod"}
	s, err := config.Resolve(in, environment(map[string]string{"HSM_PIN": variable}), nobody)
	if err != nil {
		t.Fatal(err)
	}
	return s.PIN
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWhichPIN(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pin")
	write(t, file, "from-file\n")
	for name, tc := range map[string]struct{ query, pin, variable, want string }{
		"pin":                        {"", "given", "", "given"},
		"pin goes before HSM_PIN":    {"", "given", "from-env", "given"},
		"HSM_PIN":                    {"", "", "from-env", "from-env"},
		"pin-value":                  {"&pin-value=in%20URI", "", "", "in URI"},
		"pin-value before HSM_PIN":   {"&pin-value=in-URI", "", "from-env", "in-URI"},
		"pin-source, path":           {"&pin-source=" + file, "", "", "from-file"},
		"pin-source, file:":          {"&pin-source=file:" + file, "", "", "from-file"},
		"pin-source, FILE:":          {"&pin-source=FILE:" + file, "", "", "from-file"},
		"pin-source, file://":        {"&pin-source=file://" + file, "", "", "from-file"},
		"pin-source, localhost":      {"&pin-source=file://localhost" + file, "", "", "from-file"},
		"pin-source before HSM_PIN":  {"&pin-source=" + file, "", "from-env", "from-file"},
		"empty pin-source, HSM_PIN":  {"&pin-source=", "", "from-env", "from-env"},
		"empty pin-value, HSM_PIN":   {"&pin-value=", "", "from-env", "from-env"},
		"empty pin-value beside pin": {"&pin-value=", "given", "", "given"},
	} {
		t.Run(name, func(t *testing.T) {
			pin, err := pinOf(t, tc.query, tc.pin, tc.variable)()
			if err != nil || string(pin.Reveal()) != tc.want {
				t.Errorf("got %q, %v; want %q", pin.Reveal(), err, tc.want)
			}
		})
	}
}

func TestPINWithModulePath(t *testing.T) {
	in := config.Input{ModulePath: "/m.so", TokenLabel: "t", Environment: "prod"}
	s, err := config.Resolve(in, environment(map[string]string{"HSM_PIN": "from-env"}), nobody)
	if err != nil {
		t.Fatal(err)
	}
	if pin, err := s.PIN(); err != nil || string(pin.Reveal()) != "from-env" {
		t.Errorf("got %q, %v", pin.Reveal(), err)
	}
}

func TestNoPIN(t *testing.T) {
	pin, err := pinOf(t, "", "", "")()
	var f *fault.Error
	if !pin.IsEmpty() || !errors.As(err, &f) || f.Kind != fault.Invalid || f.Subject != "pin" {
		t.Fatalf("got %v, %v; want fault.Invalid about pin", pin, err)
	}
	for _, way := range []string{"HSM_PIN", "pin-source=file:/path", "set pin"} {
		if !strings.Contains(f.Hint, way) {
			t.Errorf("the hint does not mention %q: %s", way, f.Hint)
		}
	}
}

func TestPINFileContent(t *testing.T) {
	for name, tc := range map[string]struct {
		content, want string // want empty is an error
	}{
		"bare":                    {"1234", "1234"},
		"line feed":               {"1234\n", "1234"},
		"return and line feed":    {"1234\r\n", "1234"},
		"two line feeds":          {"1234\n\n", "1234\n"},
		"two of the other":        {"1234\r\n\r\n", "1234\r\n"},
		"return alone":            {"1234\r", "1234\r"},
		"spaces around":           {" 1234 \n", " 1234 "},
		"not UTF-8":               {"\xff\x00\n", "\xff\x00"},
		"line break inside":       {"12\n34\n", "12\n34"},
		"longest":                 {strings.Repeat("1", 4095) + "\n", strings.Repeat("1", 4095)},
		"empty":                   {"", ""},
		"nothing but a line feed": {"\n", ""},
		"nothing but the other":   {"\r\n", ""},
		"too long":                {strings.Repeat("271828", 1000), ""},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "pin")
			write(t, file, tc.content)
			pin, err := pinOf(t, "&pin-source=file:"+file, "", "")()
			if tc.want != "" {
				if err != nil || string(pin.Reveal()) != tc.want {
					t.Errorf("got %q, %v; want %q", pin.Reveal(), err, tc.want)
				}
				return
			}
			if !pin.IsEmpty() || !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), file) || strings.Contains(err.Error(), "271828") {
				t.Errorf("got %v, %v; want fault.Invalid that names the file", pin, err)
			}
		})
	}
}

func TestPINFileThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	for name, path := range map[string]string{"missing": filepath.Join(dir, "nothing"), "a directory": dir} {
		t.Run(name, func(t *testing.T) {
			pin, err := pinOf(t, "&pin-source="+path, "", "from-env")()
			var f *fault.Error
			if !pin.IsEmpty() || !errors.As(err, &f) || f.Kind != fault.Invalid || f.Cause == nil || !strings.Contains(err.Error(), path) || f.Hint == "" {
				t.Errorf("got %v, %v; want fault.Invalid that names the file, and not HSM_PIN instead", pin, err)
			}
		})
	}
}

func TestPINFileIsReadWhenAskedFor(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pin")
	ask := pinOf(t, "&pin-source="+file, "", "") // it does not exist yet
	write(t, file, "1234\n")
	if pin, err := ask(); err != nil || string(pin.Reveal()) != "1234" {
		t.Fatalf("got %q, %v", pin.Reveal(), err)
	}
	write(t, file, "5678\n")
	if pin, err := ask(); err != nil || string(pin.Reveal()) != "5678" {
		t.Errorf("changed since: got %q, %v", pin.Reveal(), err)
	}
}

func TestPINFileMayBeReadableForAll(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pin")
	write(t, file, "1234\n")
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if pin, err := pinOf(t, "&pin-source="+file, "", "")(); err != nil || string(pin.Reveal()) != "1234" {
		t.Errorf("got %q, %v", pin.Reveal(), err)
	}
}
