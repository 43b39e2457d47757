package credential_test

import (
	"bytes"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// canary stands in the inputs for what must not be repeated, where they say CANARY. It
// is base64, as it is where keys are.
const canary = "c4n4ry271828"

// wantRefusal holds an error to what somebody needs who has pasted the wrong thing.
func wantRefusal(t *testing.T, err error, argument string) {
	t.Helper()
	wantFault(t, err, fault.Invalid, argument, "")
	wantSilence(t, err, canary+"x")
	if f, ok := err.(*fault.Error); !ok || f.Problem == "" || f.Hint == "" || strings.Contains(err.Error()+f.Hint, canary) {
		t.Errorf("the error is %#v", err)
	}
}

// FuzzParsePublicKey: whatever is read as a key is read the same again, in each of its
// forms, and nothing is both public and private. No error repeats what was pasted.
func FuzzParsePublicKey(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ReplaceAll(text, "CANARY", canary)
		key, algorithm, err := credential.ParsePublicKey(text)
		if err != nil {
			wantRefusal(t, err, "public_key")
			if key != nil || algorithm != "" {
				t.Errorf("%q: there is a key nevertheless: %q %x", text, algorithm, key)
			}
			return
		}
		if credential.IsPrivate(text) {
			t.Errorf("%q is private, and is read", text)
		}
		for _, form := range []string{key.PEM(), "\n\t " + text + "\r\n", strings.ReplaceAll(key.PEM(), "\n", "\r\n")} {
			again, same, err := credential.ParsePublicKey(form)
			if err != nil || !bytes.Equal(again, key) || same != algorithm {
				t.Errorf("%q is read as %q, %x, and as %q it is %q, %x, %v", text, algorithm, key, form, same, again, err)
			}
		}
		kind, err := key.Algorithm()
		if err != nil {
			t.Errorf("%q is read as %x, which is no key: %v", text, key, err)
		}
		if _, err := key.JWK(); err != nil || key.Fingerprint() == "" {
			t.Errorf("%q is read as a key of the kind %s that cannot be shown: %v", text, kind, err)
		}
	})
}

// FuzzParseRecipient: to whatever is accepted something can be sealed, once, in whatever
// way it is written.
func FuzzParseRecipient(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ReplaceAll(text, "CANARY", canary)
		if err := credential.ParseRecipient(text); err != nil {
			wantRefusal(t, err, "recipients")
			wantRefusal(t, credential.CheckRecipients([]string{text}), "recipients")
			return
		}
		if credential.IsPrivate(text) {
			t.Errorf("%q is private, and is accepted", text)
		}
		if err := credential.CheckRecipients([]string{text}); err != nil {
			t.Errorf("%q is accepted, and nothing can be sealed to it: %v", text, err)
		}
		forms := []string{text, " " + text + "\n"}
		if key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(text)); err == nil {
			line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
			forms = append(forms, line, line+" another comment")
			if !strings.HasPrefix(strings.TrimSpace(text), key.Type()) {
				t.Errorf("%q is accepted, and begins with something else than a key of the type %s", text, key.Type())
			}
		}
		for _, form := range forms {
			if err := credential.ParseRecipient(form); err != nil {
				t.Errorf("%q is accepted, and %q is not: %v", text, form, err)
			}
			wantFault(t, credential.CheckRecipients([]string{text, form}), fault.Invalid, "recipients", "named twice")
		}
	})
}
