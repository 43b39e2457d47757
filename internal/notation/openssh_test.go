package notation_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/notation"
)

// What ssh-keygen makes of the same key.
func TestOpenSSH(t *testing.T) {
	onCurve := func(curve elliptic.Curve) func() crypto.Signer {
		return func() crypto.Signer { key, _ := ecdsa.GenerateKey(curve, rand.Reader); return key }
	}
	for name, generate := range map[string]func() crypto.Signer{
		"RSA":     func() crypto.Signer { key, _ := rsa.GenerateKey(rand.Reader, 2048); return key },
		"P-256":   onCurve(elliptic.P256()),
		"P-384":   onCurve(elliptic.P384()),
		"P-521":   onCurve(elliptic.P521()),
		"Ed25519": func() crypto.Signer { _, key, _ := ed25519.GenerateKey(nil); return key },
	} {
		t.Run(name, func(t *testing.T) {
			der, err := x509.MarshalPKIXPublicKey(generate().Public())
			if err != nil {
				t.Fatal(err)
			}
			key := keyring.PublicKey(der)
			line, err := notation.OpenSSH(key, "orders@example")
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			if name == "Ed25519" { // ssh-keygen imports none in PEM: have it read the line itself
				mine := filepath.Join(dir, "key.pub")
				if err := os.WriteFile(mine, []byte(line+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				if out, err := exec.Command("ssh-keygen", "-l", "-f", mine).CombinedOutput(); err != nil || !strings.Contains(string(out), "orders@example (ED25519)") {
					t.Errorf("ssh-keygen says %s: %v", out, err)
				}
				return
			}
			pem := filepath.Join(dir, "key.pem")
			if err := os.WriteFile(pem, []byte(key.PEM()), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command("ssh-keygen", "-i", "-m", "PKCS8", "-f", pem).Output()
			if want := strings.TrimSpace(string(out)) + " orders@example"; err != nil || line != want {
				t.Errorf("got %s, want %s: %v", line, want, err)
			}
		})
	}
}

// The public key of RFC 8032 section 7.1 test 1, in the encoding of RFC 8709 section 4.
func TestOpenSSHPublished(t *testing.T) {
	key := onEd25519(t, "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
	got, err := notation.OpenSSH(key, "")
	if want := "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea"; err != nil || got != want {
		t.Errorf("got %s, want %s: %v", got, want, err)
	}
}

func TestOpenSSHRefusals(t *testing.T) {
	edwards := onEd25519(t, strings.Repeat("00", 32))
	for name, test := range map[string]struct {
		key     keyring.PublicKey
		comment string
		says    string
	}{
		"secp256k1":         {onSecp256k1(t, basePoint), "", "no EC_SECP256K1 keys"},
		"no key":            {nil, "", "SubjectPublicKeyInfo"},
		"two lines":         {edwards, "a\nssh-rsa AAAA", "one line"},
		"blanks around":     {edwards, " a", "blanks"},
		"control character": {edwards, "a\x1b[2J", "one line"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := notation.OpenSSH(test.key, test.comment)
			if got != "" || !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}
