package credential_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/armor"

	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

func newIdentity(tb testing.TB) *age.X25519Identity {
	tb.Helper()
	return must[*age.X25519Identity](tb)(age.GenerateX25519Identity())
}

func newHybrid(tb testing.TB) *age.HybridIdentity {
	tb.Helper()
	return must[*age.HybridIdentity](tb)(age.GenerateHybridIdentity())
}

// sshRecipient has ssh-keygen make a pair, and returns the public half as it is in the
// file, and what opens.
func sshRecipient(tb testing.TB, args ...string) (string, age.Identity) {
	tb.Helper()
	file := sshKeygen(tb, args...)
	identity := must[age.Identity](tb)(agessh.ParseIdentity(must[[]byte](tb)(os.ReadFile(file))))
	return string(must[[]byte](tb)(os.ReadFile(file + ".pub"))), identity
}

// open decrypts what was sealed, and wants it to be nothing but base64.
func open(tb testing.TB, sealed *credential.Sealed, identity age.Identity) []byte {
	tb.Helper()
	r := must[io.Reader](tb)(age.Decrypt(armor.NewReader(strings.NewReader(sealed.Armored)), identity))
	return must[[]byte](tb)(base64.StdEncoding.Strict().DecodeString(string(must[[]byte](tb)(io.ReadAll(r)))))
}

// TestSeal: each recipient opens the secret, and nobody else.
func TestSeal(t *testing.T) {
	type recipient struct {
		text     string
		identity age.Identity
	}
	x25519, other, hybrid, second := newIdentity(t), newIdentity(t), newHybrid(t), newHybrid(t)
	edwards, edwardsKey := sshRecipient(t, "-t", "ed25519")
	rsa, rsaKey := sshRecipient(t, "-t", "rsa", "-b", "2048")
	all := map[string][]recipient{
		"X25519":                    {{x25519.Recipient().String(), x25519}},
		"two of X25519":             {{x25519.Recipient().String(), x25519}, {other.Recipient().String(), other}},
		"post-quantum":              {{hybrid.Recipient().String(), hybrid}},
		"two post-quantum":          {{hybrid.Recipient().String(), hybrid}, {second.Recipient().String(), second}},
		"ssh-ed25519":               {{edwards, edwardsKey}},
		"ssh-rsa":                   {{rsa, rsaKey}},
		"whatever is not so strong": {{x25519.Recipient().String(), x25519}, {edwards, edwardsKey}, {strings.TrimSpace(rsa), rsaKey}},
		"with a line break":         {{x25519.Recipient().String() + "\n", x25519}},
	}
	for name, to := range all {
		t.Run(name, func(t *testing.T) {
			b, spec := newBench(t), bot()
			spec.Algorithm = credential.HMACSHA512
			for _, r := range to {
				spec.Recipients = append(spec.Recipients, r.text)
			}
			sealed := b.create(spec).Sealed
			if sealed.Version != 1 || !slices.Equal(sealed.Recipients, spec.Recipients) {
				t.Errorf("it is version %d for %v", sealed.Version, sealed.Recipients)
			}
			if !strings.HasPrefix(sealed.Armored, "-----BEGIN AGE ENCRYPTED FILE-----\n") {
				t.Errorf("it is no age file in text form:\n%s", sealed.Armored)
			}
			for _, r := range to {
				if got := open(t, sealed, r.identity); !bytes.Equal(got, b.secret("bot", 1)) {
					t.Errorf("%x is in it, and the secret is %x", got, b.secret("bot", 1))
				}
			}
			if _, err := age.Decrypt(armor.NewReader(strings.NewReader(sealed.Armored)), newIdentity(t), newHybrid(t)); err == nil {
				t.Error("somebody else opens it")
			}
		})
	}
}

// TestRecipientRefused: what a secret cannot be sealed to is told, and not repeated.
func TestRecipientRefused(t *testing.T) {
	x25519, hybrid := newIdentity(t).Recipient().String(), newHybrid(t).Recipient().String()
	edwards, _ := sshRecipient(t, "-t", "ed25519")
	ecdsa := string(must[[]byte](t)(os.ReadFile(sshKeygen(t, "-t", "ecdsa", "-b", "256") + ".pub")))
	private := string(must[[]byte](t)(os.ReadFile(sshKeygen(t, "-t", "ed25519"))))
	blob := strings.Fields(edwards)[1]
	type row struct {
		recipients []string
		says       string
	}
	for name, test := range map[string]row{
		"an identity":                  {[]string{newIdentity(t).String()}, "private key or an age identity"},
		"a post-quantum identity":      {[]string{newHybrid(t).String()}, "private key or an age identity"},
		"an identity among others":     {[]string{x25519, newIdentity(t).String()}, "private key or an age identity"},
		"an identity in small letters": {[]string{strings.ToLower(newIdentity(t).String())}, "private key or an age identity"},
		"an identity file":             {[]string{"# created: today\n# public key: " + x25519 + "\n" + newIdentity(t).String() + "\n"}, "private key or an age identity"},
		"a plugin's identity":          {[]string{"AGE-PLUGIN-YUBIKEY-1QQPZQVZYFZ8Q6FCLJ7WJ5"}, "private key or an age identity"},
		"a private SSH key":            {[]string{private}, "private key or an age identity"},
		"a plugin's recipient":         {[]string{"age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t"}, "plugins are not supported"},
		"a wrong character":            {[]string{x25519[:20] + "b" + x25519[21:]}, "malformed"},
		"cut off":                      {[]string{x25519[:len(x25519)-1]}, "malformed"},
		"cut off, post-quantum":        {[]string{hybrid[:len(hybrid)-9]}, "malformed"},
		"two in one":                   {[]string{x25519 + "\n" + newIdentity(t).Recipient().String()}, "several lines"},
		"two of SSH in one":            {[]string{edwards + edwards}, "several lines"},
		"SSH without a key":            {[]string{"ssh-ed25519"}, "malformed"},
		"SSH, cut off":                 {[]string{"ssh-ed25519 " + blob[:len(blob)-8]}, "malformed"},
		"SSH of another type":          {[]string{"ssh-rsa " + blob}, "malformed"},
		"ECDSA":                        {[]string{ecdsa}, "not a recipient"},
		"weak RSA":                     {[]string{weakRSA}, "malformed"},
		"weak Ed25519":                 {[]string{authorized("ssh-ed25519", make([]byte, 32))}, "Nothing can be encrypted"},
		"a name":                       {[]string{"somebody"}, "not a recipient"},
		"nothing":                      {[]string{""}, "not a recipient"},
		"space":                        {[]string{" \n"}, "not a recipient"},
		"twice":                        {[]string{x25519, x25519}, "named twice"},
		"twice, with a space":          {[]string{x25519, x25519 + " "}, "named twice"},
		"twice, with another comment":  {[]string{edwards, "ssh-ed25519 " + blob + " somebody-else@example"}, "named twice"},
		"post-quantum and not":         {[]string{hybrid, x25519}, "cannot be used together"},
		"not and post-quantum":         {[]string{edwards, x25519, hybrid}, "cannot be used together"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := bot()
			spec.Recipients = test.recipients
			err := spec.Validate()
			wantFault(t, err, fault.Invalid, "recipients", test.says)
			wantSilence(t, err, test.recipients...)
			if len(test.recipients) == 1 && test.says != "Nothing can be encrypted" {
				wantFault(t, credential.ParseRecipient(test.recipients[0]), fault.Invalid, "recipients", test.says)
			}
			b := newBench(t)
			if _, err = b.service().Create(t.Context(), spec); err == nil || len(b.store.Stored) != 0 {
				t.Errorf("%v; %d records", err, len(b.store.Stored))
			}
		})
	}
	if err := credential.CheckRecipients(nil); err != nil {
		t.Error(err)
	}
}

// TestSealedAnew: the secret is sealed anew for other recipients, without a new version,
// and stays as it was otherwise.
func TestSealedAnew(t *testing.T) {
	b, spec := newBench(t), bot()
	first, second := newIdentity(t), newIdentity(t)
	spec.Recipients = []string{first.Recipient().String()}
	before := b.create(spec).Sealed

	spec.Owner = "options-desk"
	if after := b.update(spec, false).Sealed; after.Armored != before.Armored {
		t.Error("another owner has it sealed anew")
	}
	spec.Recipients = []string{second.Recipient().String()}
	c := b.update(spec, false)
	if c.Counter != 1 || !bytes.Equal(open(t, c.Sealed, second), b.secret("bot", 1)) {
		t.Errorf("version %d is sealed anew", c.Counter)
	}
	spec.RotateWhenChanged = map[string]string{"incident": "one"}
	c = b.update(spec, true)
	if c.Counter != 2 || c.Sealed.Version != 2 || !bytes.Equal(open(t, c.Sealed, second), b.secret("bot", 2)) {
		t.Errorf("version %d is sealed after a rotation", c.Sealed.Version)
	}
	spec.Recipients = nil
	if c = b.update(spec, false); c.Sealed != nil || c.Counter != 2 {
		t.Errorf("%+v is sealed to nobody", c.Sealed)
	}
	spec.Recipients = []string{first.Recipient().String()}
	if c = b.update(spec, false); c.Counter != 2 || !bytes.Equal(open(t, c.Sealed, first), b.secret("bot", 2)) {
		t.Errorf("version %d is sealed again", c.Counter)
	}
	if err := b.service().Destroy(t.Context(), "bot"); err != nil || b.store.Stored["bot"].Body.Sealed != nil {
		t.Errorf("%v; it is still sealed after its removal", err)
	}
}
