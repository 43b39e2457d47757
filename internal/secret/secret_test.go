package secret_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/secret"
)

func TestSecretShowsNowhere(t *testing.T) {
	const pin = "271828"
	s := secret.New(pin)
	type exported struct{ PIN secret.Value }
	type unexported struct{ pin secret.Value }
	type pointer struct{ pin *secret.Value }

	texts := map[string]string{"String": s.String(), "GoString": s.GoString()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p", "%10.3s", "%w"} {
		for name, value := range map[string]any{
			"secret": s, "pointer": &s, "field": exported{s}, "pointer to a field": &exported{s}, "slice": []secret.Value{s},
			"map": map[string]secret.Value{"pin": s}, "unexported": unexported{s}, "pointer to unexported": &unexported{s},
			"unexported pointer": pointer{&s}, "interface": []any{s},
		} {
			texts[verb+" "+name] = fmt.Sprintf(verb, value)
		}
	}
	encoded, err := json.Marshal(map[string]any{"a": s, "b": &s, "c": exported{s}})
	if err != nil {
		t.Fatal(err)
	}
	texts["JSON"] = string(encoded)
	if encoded, err = xml.Marshal(exported{s}); err != nil {
		t.Fatal(err)
	}
	texts["XML"] = string(encoded)
	for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"slog text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"slog JSON": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		var b bytes.Buffer
		slog.New(handler(&b)).Info("login", "pin", s, "field", exported{s}, "unexported", unexported{s})
		texts[name] = b.String()
	}
	texts["error"] = fmt.Errorf("login with %v: %w", s, errors.New("refused")).Error()

	hexadecimal := fmt.Sprintf("%x", pin)
	decimal := strings.Trim(fmt.Sprint([]byte(pin)), "[]")
	for name, text := range texts {
		for _, leak := range []string{pin, hexadecimal, decimal, "Mjcx"} { // base64 begins so
			if strings.Contains(text, leak) {
				t.Errorf("%s shows it: %s", name, text)
			}
		}
	}
	for _, name := range []string{"String", "%v secret", "%s secret", "%#v secret", "%v field", "JSON", "slog text", "slog JSON", "XML"} {
		if !strings.Contains(texts[name], "[redacted]") {
			t.Errorf("%s does not say that something was redacted: %s", name, texts[name])
		}
	}
}

func TestSecretReveal(t *testing.T) {
	source := []byte("1234")
	s := secret.New(source)
	clear(source)
	first := s.Reveal()
	if string(first) != "1234" {
		t.Fatalf("got %q: NewSecret has to copy", first)
	}
	clear(first)
	if got := s.Reveal(); string(got) != "1234" {
		t.Errorf("got %q: Reveal has to copy", got)
	}
}

func TestSecretEmpty(t *testing.T) {
	for name, s := range map[string]secret.Value{
		"zero": {}, "empty string": secret.New(""), "nil": secret.New([]byte(nil)),
	} {
		if !s.IsEmpty() || s.Reveal() != nil || s.String() != "[redacted]" {
			t.Errorf("%s: IsEmpty %v, Reveal %q, String %s", name, s.IsEmpty(), s.Reveal(), s)
		}
	}
	if secret.New("0").IsEmpty() {
		t.Error("a PIN is taken for none")
	}
}
