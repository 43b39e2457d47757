package keyring_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// openssl runs the command as an independent implementation.
func openssl(t *testing.T, stdin []byte, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Fatal("the openssl command is needed: install the package openssl of your distribution")
	}
	cmd := exec.Command("openssl", args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return stdout.Bytes()
}

// build makes a public key of the given algorithm from what an HSM would give.
func build(a keyring.Algorithm, bits []byte) (keyring.PublicKey, error) {
	switch a.Family() {
	case keyring.RSA:
		return keyring.NewRSAPublicKey(bits, []byte{1, 0, 1})
	case keyring.EC:
		return keyring.NewECPublicKey(a, bits)
	default:
		return keyring.NewEdwardsPublicKey(a, bits)
	}
}

func pairs() []keyring.Algorithm {
	return slices.DeleteFunc(keyring.Algorithms(), func(a keyring.Algorithm) bool { return !a.IsPair() })
}

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestPublicKeyAgainstOpenSSL(t *testing.T) {
	generate := map[keyring.Algorithm][]string{
		keyring.RSA2048:     {"RSA", "rsa_keygen_bits:2048"},
		keyring.RSA3072:     {"RSA", "rsa_keygen_bits:3072"},
		keyring.RSA4096:     {"RSA", "rsa_keygen_bits:4096"},
		keyring.ECP256:      {"EC", "ec_paramgen_curve:P-256"},
		keyring.ECP384:      {"EC", "ec_paramgen_curve:P-384"},
		keyring.ECP521:      {"EC", "ec_paramgen_curve:P-521"},
		keyring.ECSecp256k1: {"EC", "ec_paramgen_curve:secp256k1"},
		keyring.Ed25519:     {"ED25519"},
		keyring.Ed448:       {"ED448"},
	}
	length := map[keyring.Algorithm]int{
		keyring.ECP256: 65, keyring.ECP384: 97, keyring.ECP521: 133, keyring.ECSecp256k1: 65, keyring.Ed25519: 32, keyring.Ed448: 57,
	}
	for _, a := range pairs() {
		t.Run(string(a), func(t *testing.T) {
			t.Parallel()
			args := []string{"genpkey", "-outform", "DER", "-algorithm", generate[a][0]}
			for _, option := range generate[a][1:] {
				args = append(args, "-pkeyopt", option)
			}
			private := openssl(t, nil, args...)
			der := openssl(t, private, "pkey", "-inform", "DER", "-pubout", "-outform", "DER")

			if got, err := keyring.PublicKey(der).Algorithm(); err != nil || got != a {
				t.Fatalf("Algorithm of openssl's key = %q, %v", got, err)
			}
			bits := der[len(der)-length[a]:]
			if a.Family() == keyring.RSA {
				modulus := openssl(t, der, "rsa", "-pubin", "-inform", "DER", "-noout", "-modulus")
				bits = unhex(t, strings.TrimPrefix(strings.TrimSpace(string(modulus)), "Modulus="))
			}
			key, err := build(a, bits)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(key, der) {
				t.Errorf("ours    %x\nopenssl %x", key, der)
			}
			if pubout := openssl(t, []byte(key.PEM()), "pkey", "-pubin", "-outform", "PEM"); string(pubout) != key.PEM() {
				t.Errorf("PEM: ours\n%s\nopenssl\n%s", key.PEM(), pubout)
			}
			sum := strings.Fields(string(openssl(t, key, "dgst", "-sha256", "-r")))[0]
			if key.Fingerprint() != sum {
				t.Errorf("Fingerprint = %s, openssl says %s", key.Fingerprint(), sum)
			}
		})
	}
}

func TestPublicKeyAgainstCryptoX509(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey := func(curve elliptic.Curve) *ecdsa.PublicKey {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return &key.PublicKey
	}
	edKey, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for a, public := range map[keyring.Algorithm]any{
		keyring.RSA2048: &rsaKey.PublicKey,
		keyring.ECP256:  ecKey(elliptic.P256()),
		keyring.ECP384:  ecKey(elliptic.P384()),
		keyring.ECP521:  ecKey(elliptic.P521()),
		keyring.Ed25519: edKey,
	} {
		t.Run(string(a), func(t *testing.T) {
			var bits []byte
			switch k := public.(type) {
			case *rsa.PublicKey:
				bits = append([]byte{0, 0}, k.N.Bytes()...) // leading zeros as some tokens give them
			case *ecdsa.PublicKey:
				if bits, err = k.Bytes(); err != nil {
					t.Fatal(err)
				}
			case ed25519.PublicKey:
				bits = k
			}
			want, err := x509.MarshalPKIXPublicKey(public)
			if err != nil {
				t.Fatal(err)
			}
			got, err := build(a, bits)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got  %x\nwant %x", got, want)
			}
			if back, err := got.Algorithm(); err != nil || back != a {
				t.Errorf("Algorithm = %q, %v", back, err)
			}
		})
	}
}

// The Ed25519 key of RFC 8410 section 10.1.
func TestPublicKeyPEM(t *testing.T) {
	point := unhex(t, "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1")
	key, err := keyring.NewEdwardsPublicKey(keyring.Ed25519, point)
	if err != nil {
		t.Fatal(err)
	}
	want := "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n"
	if got := key.PEM(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if block, rest := pem.Decode([]byte(key.PEM())); block == nil || len(rest) != 0 || !bytes.Equal(block.Bytes, key) {
		t.Error("the PEM does not decode to the key")
	}
}

func TestPublicKeyEmpty(t *testing.T) {
	var key keyring.PublicKey
	if key.PEM() != "" || key.Fingerprint() != "" {
		t.Errorf("PEM %q, Fingerprint %q, want both empty", key.PEM(), key.Fingerprint())
	}
	if a, err := key.Algorithm(); a != "" || !fault.Is(err, fault.Invalid) {
		t.Errorf("Algorithm = %q, %v", a, err)
	}
}

func TestPublicKeyJSONIsBase64(t *testing.T) {
	key := keyring.PublicKey{0x30, 0xfb, 0xff}
	text, err := json.Marshal(key)
	if err != nil || string(text) != `"MPv/"` {
		t.Fatalf("got %s, %v", text, err)
	}
	var back keyring.PublicKey
	if err := json.Unmarshal(text, &back); err != nil || !bytes.Equal(back, key) {
		t.Errorf("back comes %x, %v", back, err)
	}
}

func TestPublicKeyRefusesMaterial(t *testing.T) {
	p256, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := p256.PublicKey().Bytes()
	off := slices.Clone(good)
	off[64] ^= 1
	compressed := append([]byte{2}, good[1:33]...)
	hybrid := append([]byte{6}, good[1:]...)
	// SEC 2 section 2.4.1: p, and the base point.
	const field = "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f"
	const gx, gy = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798", "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"
	if _, err := keyring.NewECPublicKey(keyring.ECSecp256k1, unhex(t, "04"+gx+gy)); err != nil {
		t.Fatalf("the base point of secp256k1 is refused: %v", err)
	}
	modulus := func(bits int) []byte {
		n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
		return n.SetBit(n, 0, 1).Bytes()
	}
	f4, even := []byte{1, 0, 1}, append(modulus(2048)[:255:255], 0)
	ec := func(a keyring.Algorithm, point []byte) func() (keyring.PublicKey, error) {
		return func() (keyring.PublicKey, error) { return keyring.NewECPublicKey(a, point) }
	}
	edwards := func(a keyring.Algorithm, point []byte) func() (keyring.PublicKey, error) {
		return func() (keyring.PublicKey, error) { return keyring.NewEdwardsPublicKey(a, point) }
	}
	numbers := func(n, e []byte) func() (keyring.PublicKey, error) {
		return func() (keyring.PublicKey, error) { return keyring.NewRSAPublicKey(n, e) }
	}
	for name, call := range map[string]func() (keyring.PublicKey, error){
		"EC: not on the curve":          ec(keyring.ECP256, off),
		"EC: another curve's point":     ec(keyring.ECSecp256k1, good),
		"EC: compressed":                ec(keyring.ECP256, compressed),
		"EC: hybrid":                    ec(keyring.ECP256, hybrid),
		"EC: no format octet":           ec(keyring.ECP256, good[1:]),
		"EC: still wrapped in DER":      ec(keyring.ECP256, append([]byte{4, 65}, good...)),
		"EC: infinity":                  ec(keyring.ECP256, []byte{0}),
		"EC: nothing":                   ec(keyring.ECP256, nil),
		"EC: all zeros":                 ec(keyring.ECSecp256k1, append([]byte{4}, make([]byte, 64)...)),
		"EC: coordinate too large":      ec(keyring.ECSecp256k1, unhex(t, "04"+field+gy)),
		"EC: an Edwards algorithm":      ec(keyring.Ed25519, good),
		"EC: an unknown algorithm":      ec("EC_P192", good),
		"Edwards: short":                edwards(keyring.Ed25519, make([]byte, 31)),
		"Edwards: Ed25519 as Ed448":     edwards(keyring.Ed448, make([]byte, 32)),
		"Edwards: still wrapped in DER": edwards(keyring.Ed25519, append([]byte{4, 32}, make([]byte, 32)...)),
		"Edwards: an EC algorithm":      edwards(keyring.ECP256, make([]byte, 32)),
		"RSA: 1024 bits":                numbers(modulus(1024), f4),
		"RSA: 2047 bits":                numbers(modulus(2047), f4),
		"RSA: even modulus":             numbers(even, f4),
		"RSA: even exponent":            numbers(modulus(2048), []byte{2}),
		"RSA: exponent 1":               numbers(modulus(2048), []byte{1}),
		"RSA: exponent is the modulus":  numbers(modulus(2048), modulus(2048)),
		"RSA: no modulus":               numbers(nil, f4),
		"RSA: no exponent":              numbers(modulus(2048), nil),
	} {
		t.Run(name, func(t *testing.T) {
			if key, err := call(); key != nil || !fault.Is(err, fault.Invalid) {
				t.Errorf("got %x, %v; want fault.Invalid", key, err)
			}
		})
	}
}

func TestPublicKeyRefusesDER(t *testing.T) {
	ed, err := keyring.NewEdwardsPublicKey(keyring.Ed25519, make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	p256, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point := p256.PublicKey().Bytes()
	ecHeader := "3059301306072a8648ce3d020106082a8648ce3d030107034200"
	if _, err := keyring.PublicKey(append(unhex(t, ecHeader), point...)).Algorithm(); err != nil {
		t.Fatalf("the hand-made key is refused, so the cases below would prove nothing: %v", err)
	}
	for name, der := range map[string][]byte{
		"nothing":                  {},
		"garbage":                  []byte("not DER at all"),
		"truncated":                ed[:len(ed)-1],
		"something after it":       append(slices.Clone(ed), 0),
		"PEM instead of DER":       []byte(ed.PEM()),
		"Ed25519 with NULL":        append(unhex(t, "302c300706032b65700500032100"), make([]byte, 32)...),
		"X25519":                   append(unhex(t, "302a300506032b656e032100"), make([]byte, 32)...),
		"Ed448 of 32 octets":       append(unhex(t, "302a300506032b6571032100"), make([]byte, 32)...),
		"unused bits":              append(unhex(t, "302a300506032b6570032101"), make([]byte, 32)...),
		"an unknown curve":         append(unhex(t, strings.Replace(ecHeader, "3d030107", "3d030101", 1)), point...),
		"a curve for an algorithm": append(unhex(t, "304c300a06082a8648ce3d030107034200"), point...),
		"no curve":                 append(unhex(t, "304f300906072a8648ce3d0201034200"), point...),
		"a compressed point":       append(append(unhex(t, "3039301306072a8648ce3d020106082a8648ce3d030107032200"), 2+point[64]&1), point[1:33]...),
		"RSA with garbage inside":  unhex(t, "3014300d06092a864886f70d0101010500030300ffff"),
	} {
		t.Run(name, func(t *testing.T) {
			if a, err := keyring.PublicKey(der).Algorithm(); a != "" || !fault.Is(err, fault.Invalid) {
				t.Errorf("Algorithm = %q, %v; want fault.Invalid", a, err)
			}
			if text, err := keyring.PublicKey(der).JWK(); text != "" || !fault.Is(err, fault.Invalid) {
				t.Errorf("JWK = %q, %v; want fault.Invalid", text, err)
			}
		})
	}
}

// FuzzPublicKeyAlgorithm holds that whatever is recognised is recognised by
// crypto/x509 too, where that knows the algorithm, and has a complete JWK. The
// seeds in testdata are one key of each kind, made by openssl.
func FuzzPublicKeyAlgorithm(f *testing.F) {
	f.Fuzz(func(t *testing.T, der []byte) {
		key := keyring.PublicKey(der)
		a, err := key.Algorithm()
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("kind is %v", fault.KindOf(err))
			}
			return
		}
		text, err := key.JWK()
		if err != nil {
			t.Fatalf("%s has an algorithm and no JWK: %v", a, err)
		}
		var members map[string]string
		if err := json.Unmarshal([]byte(text), &members); err != nil {
			t.Fatal(err)
		}
		decode := base64.RawURLEncoding.DecodeString
		switch a.Family() {
		case keyring.RSA:
			n, _ := decode(members["n"])
			e, _ := decode(members["e"])
			if again, err := keyring.NewRSAPublicKey(n, e); err != nil || !bytes.Equal(again, der) {
				t.Errorf("from its JWK comes %x, %v", again, err)
			}
			return // crypto/x509 refuses large exponents
		case keyring.EC:
			x, _ := decode(members["x"])
			y, _ := decode(members["y"])
			if again, err := keyring.NewECPublicKey(a, slices.Concat([]byte{4}, x, y)); err != nil || !bytes.Equal(again, der) {
				t.Errorf("from its JWK comes %x, %v", again, err)
			}
		}
		if a != keyring.ECSecp256k1 && a != keyring.Ed448 {
			if _, err := x509.ParsePKIXPublicKey(der); err != nil {
				t.Errorf("crypto/x509 refuses this %s key: %v", a, err)
			}
		}
	})
}
