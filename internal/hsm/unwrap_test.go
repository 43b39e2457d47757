package hsm_test

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/hsm"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

// outside is somebody who makes keys with openssl and wraps them with the scripts of
// the documentation.
type outside struct {
	t   *testing.T
	dir string
}

func newOutside(t *testing.T) outside {
	t.Helper()
	t.Setenv("HASH", "sha1") // all that SoftHSM has
	return outside{t, t.TempDir()}
}

func (o outside) openssl(args ...string) []byte {
	o.t.Helper()
	return o.run("openssl", args...)
}

func (o outside) run(name string, args ...string) []byte {
	o.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = o.dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		o.t.Fatalf("%s %v: %v\n%s", name, args, err, stderr.String())
	}
	return out
}

// file writes a file and returns its path.
func (o outside) file(name string, content []byte) string {
	o.t.Helper()
	path := filepath.Join(o.dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		o.t.Fatal(err)
	}
	return path
}

// wrap runs one of the scripts.
func (o outside) wrap(script, with string, key []byte) []byte {
	o.t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "examples", "bring-your-own-key", script))
	if err != nil {
		o.t.Fatal(err)
	}
	wrapped, err := base64.StdEncoding.DecodeString(string(o.run("sh", path, with, o.file("key", key))))
	if err != nil {
		o.t.Fatal(err)
	}
	return wrapped
}

// make makes a key of an algorithm: as PKCS#8 and its public half, or as bytes.
func (o outside) make(a keyring.Algorithm) (key, public []byte) {
	o.t.Helper()
	if !a.IsPair() {
		return o.openssl("rand", fmt.Sprint(a.Bits()/8)), nil
	}
	options := []string{"-algorithm", "RSA", "-pkeyopt", fmt.Sprintf("rsa_keygen_bits:%d", a.Bits())}
	if a.Family() == keyring.EC {
		curve := map[keyring.Algorithm]string{
			keyring.ECP256: "prime256v1", keyring.ECP384: "secp384r1", keyring.ECP521: "secp521r1", keyring.ECSecp256k1: "secp256k1",
		}[a]
		options = []string{"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:" + curve, "-pkeyopt", "ec_param_enc:named_curve"}
	}
	private := o.file("private.pem", o.openssl(append([]string{"genpkey"}, options...)...))
	return o.openssl("pkcs8", "-topk8", "-nocrypt", "-in", private, "-outform", "DER"), o.openssl("pkey", "-in", private, "-pubout", "-outform", "DER")
}

// wrapping is a key of the HSM for which the outside wraps.
func (b *bench) wrapping(t *testing.T, o outside) (ref keyring.Ref, public string) {
	t.Helper()
	made := order("wrapping", keyring.RSA2048, keyring.Unwrap)
	key := b.generate(t, made)
	return made.Ref, o.file("wrapping.pem", []byte(key.PublicKey.PEM()))
}

func imported(name string, a keyring.Algorithm, ops keyring.Operations) lifecycle.Generation {
	o := order(name, a, ops)
	o.Ref.Imported = a
	return o
}

func (b *bench) unwrap(t *testing.T, o lifecycle.Generation, w lifecycle.Wrapped) lifecycle.Generated {
	t.Helper()
	made, err := b.hsm.Unwrap(t.Context(), o, w)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// TestUnwrap takes in every kind of key that can come in, by RSA_AES_KEY_WRAP, and holds
// what the token has against what the outside has.
func TestUnwrap(t *testing.T) {
	b, o := newBench(t), newOutside(t)
	by, pem := b.wrapping(t, o)
	for _, a := range keyring.Algorithms() {
		if a.Family() == keyring.Edwards {
			continue // no token tells the public half
		}
		t.Run(string(a), func(t *testing.T) {
			key, public := o.make(a)
			order := imported("imported-"+string(a), a, a.DefaultOperations())
			made := b.unwrap(t, order, lifecycle.Wrapped{Material: o.wrap("wrap-rsa-aes.sh", pem, key), Mechanism: keyring.RSAAESKeyWrap, By: by})
			if !bytes.Equal(made.PublicKey, public) {
				t.Errorf("the public key is %x, outside it is %x", made.PublicKey, public)
			}
			if want := (keyring.Birth{Attested: true}); made.Birth != want {
				t.Errorf("the birth certificate is %+v", made.Birth)
			}
			if made.Fingerprint == "" {
				t.Error("there is no fingerprint")
			}

			fresh, _ := open(t, b.Token) // another run, which remembers nothing
			seen, err := fresh.Inspect(t.Context(), order.Ref, keyring.None)
			if err != nil || seen.Algorithm != a || seen.Extractable || seen.Permitted != a.DefaultOperations() || seen.Secrets != 1 || seen.Birth != (keyring.Birth{}) {
				t.Errorf("the key shows as %+v, %v", seen, err)
			}
			if proof, err := fresh.Prove(t.Context(), order.Ref, made.PublicKey, made.Fingerprint); err != nil || proof != lifecycle.Proven {
				t.Errorf("the proof is %v, %v", proof, err)
			}
			for _, object := range b.objects(t, order.Ref.ID) {
				if object.Class != cryptoki.CKO_PUBLIC_KEY && (!object.Bool(cryptoki.CKA_SENSITIVE) || object.Bool(cryptoki.CKA_EXTRACTABLE) || !object.Bool(cryptoki.CKA_PRIVATE)) {
					t.Errorf("the object is not protected: %v", object.Attrs)
				}
			}
			if e := b.permit(t, order.Ref, a.DefaultOperations()&keyring.Processing); e != keyring.EnforcedByHSM {
				t.Errorf("enforcement %s", e)
			}
		})
	}
	if left := b.Tool(t, "--list-objects"); strings.Contains(left, "probe") {
		t.Errorf("a sample stayed:\n%s", left)
	}
}

// What the HSM signs verifies with the public key of the outside, and what the outside
// encrypts with its secret key the HSM encrypts too.
func TestUnwrappedKeyIsTheSame(t *testing.T) {
	b, o := newBench(t), newOutside(t)
	by, pem := b.wrapping(t, o)

	key, public := o.make(keyring.ECP256)
	order := imported("ec", keyring.ECP256, keyring.Sign|keyring.Verify)
	b.unwrap(t, order, lifecycle.Wrapped{Material: o.wrap("wrap-rsa-aes.sh", pem, key), Mechanism: keyring.RSAAESKeyWrap, By: by})
	digest := o.file("digest", bytes.Repeat([]byte{7}, 32))
	b.Tool(t, "--sign", "--mechanism", "ECDSA", "--id", order.Ref.ID, "--input-file", digest, "--output-file", filepath.Join(o.dir, "signature"), "--signature-format", "openssl")
	o.openssl("pkeyutl", "-verify", "-pubin", "-inkey", o.file("public.pem", pemOf(public)), "-in", digest, "-sigfile", "signature")

	secret, _ := o.make(keyring.AES256)
	aes := imported("aes", keyring.AES256, keyring.Encrypt|keyring.Decrypt)
	b.unwrap(t, aes, lifecycle.Wrapped{Material: o.wrap("wrap-rsa-oaep.sh", pem, secret), Mechanism: keyring.RSAOAEP, By: by})
	plain := o.file("plain", bytes.Repeat([]byte{9}, 32))
	b.Tool(t, "--encrypt", "--mechanism", "AES-ECB", "--id", aes.Ref.ID, "--input-file", plain, "--output-file", filepath.Join(o.dir, "cipher"))
	ours := o.openssl("enc", "-e", "-aes-256-ecb", "-nopad", "-K", fmt.Sprintf("%x", secret), "-in", plain)
	if theirs, err := os.ReadFile(filepath.Join(o.dir, "cipher")); err != nil || !bytes.Equal(ours, theirs) {
		t.Errorf("the HSM encrypts to %x, openssl to %x", theirs, ours)
	}

	// The AES key that came in unwraps what comes next.
	kek := imported("kek", keyring.AES256, keyring.Unwrap)
	b.unwrap(t, kek, lifecycle.Wrapped{Material: o.wrap("wrap-rsa-oaep.sh", pem, secret), Mechanism: keyring.RSAOAEP, By: by})
	for _, a := range []keyring.Algorithm{keyring.AES192, keyring.HMACSHA384, keyring.RSA2048, keyring.ECSecp256k1} {
		t.Run("by AES_KEY_WRAP_PAD "+string(a), func(t *testing.T) {
			key, public := o.make(a)
			with := o.file("kek", secret)
			made := b.unwrap(t, imported("by-kek", a, a.DefaultOperations()), lifecycle.Wrapped{Material: o.wrap("wrap-aes-pad.sh", with, key), Mechanism: keyring.AESKeyWrapPad, By: kek.Ref})
			if !bytes.Equal(made.PublicKey, public) {
				t.Errorf("the public key is %x, outside it is %x", made.PublicKey, public)
			}
		})
	}
}

func pemOf(spki []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})
}

// Material that is not what is declared, or that the key does not open, is refused, and
// leaves nothing on the token.
func TestUnwrapRefuses(t *testing.T) {
	b, o := newBench(t), newOutside(t)
	by, public := b.wrapping(t, o)
	_, foreign := b.wrapping(t, outside{t, t.TempDir()})
	aes := order("aes", keyring.AES256, keyring.Unwrap)
	b.generate(t, aes)
	signer := order("signer", keyring.RSA2048, keyring.Sign)
	b.generate(t, signer)
	material := func(a keyring.Algorithm) []byte { key, _ := o.make(a); return key }
	damaged := o.wrap("wrap-rsa-aes.sh", public, material(keyring.ECP256))
	damaged[len(damaged)-1] ^= 1
	before := b.Tool(t, "--list-objects")
	for name, test := range map[string]struct {
		declared keyring.Algorithm
		wrapped  lifecycle.Wrapped
		kind     fault.Kind
		says     string
	}{
		"another length": {keyring.AES256, lifecycle.Wrapped{Material: o.wrap("wrap-rsa-oaep.sh", public, make([]byte, 16)), Mechanism: keyring.RSAOAEP, By: by}, fault.Invalid, "a key of 128 bits; declared is AES_256"},
		"an odd length":  {keyring.AES192, lifecycle.Wrapped{Material: o.wrap("wrap-rsa-oaep.sh", public, make([]byte, 20)), Mechanism: keyring.RSAOAEP, By: by}, fault.Unsupported, "self-test"},
		"another curve": {
			keyring.ECP256, lifecycle.Wrapped{Material: o.wrap("wrap-rsa-aes.sh", public, material(keyring.ECP384)), Mechanism: keyring.RSAAESKeyWrap, By: by},
			fault.Invalid, "an EC_P384 key; declared is EC_P256",
		},
		"another modulus": {
			keyring.RSA3072, lifecycle.Wrapped{Material: o.wrap("wrap-rsa-aes.sh", public, material(keyring.RSA2048)), Mechanism: keyring.RSAAESKeyWrap, By: by},
			fault.Invalid, "an RSA_2048 key; declared is RSA_3072",
		},
		"another kind": {
			keyring.ECP256, lifecycle.Wrapped{Material: o.wrap("wrap-rsa-aes.sh", public, material(keyring.RSA2048)), Mechanism: keyring.RSAAESKeyWrap, By: by},
			fault.Invalid, "does not open",
		},
		"no private key":       {keyring.ECP256, lifecycle.Wrapped{Material: o.wrap("wrap-rsa-aes.sh", public, make([]byte, 32)), Mechanism: keyring.RSAAESKeyWrap, By: by}, fault.Invalid, "PKCS#8"},
		"for another key":      {keyring.AES256, lifecycle.Wrapped{Material: o.wrap("wrap-rsa-oaep.sh", foreign, make([]byte, 32)), Mechanism: keyring.RSAOAEP, By: by}, fault.Invalid, "wrapped for another key"},
		"damaged":              {keyring.ECP256, lifecycle.Wrapped{Material: damaged, Mechanism: keyring.RSAAESKeyWrap, By: by}, fault.Invalid, "does not open"},
		"noise":                {keyring.AES256, lifecycle.Wrapped{Material: make([]byte, 40), Mechanism: keyring.AESKeyWrapPad, By: aes.Ref}, fault.Invalid, "does not open"},
		"too short":            {keyring.AES256, lifecycle.Wrapped{Material: make([]byte, 100), Mechanism: keyring.RSAAESKeyWrap, By: by}, fault.Invalid, "100 bytes"},
		"nothing":              {keyring.AES256, lifecycle.Wrapped{Mechanism: keyring.RSAOAEP, By: by}, fault.Invalid, "no wrapped key"},
		"not by a secret key":  {keyring.AES256, lifecycle.Wrapped{Material: make([]byte, 40), Mechanism: keyring.RSAOAEP, By: aes.Ref}, fault.Invalid, "does not unwrap RSA_OAEP"},
		"not by a private key": {keyring.AES256, lifecycle.Wrapped{Material: make([]byte, 40), Mechanism: keyring.AESKeyWrapPad, By: by}, fault.Invalid, "does not unwrap AES_KEY_WRAP_PAD"},
		"by a key that signs":  {keyring.AES256, lifecycle.Wrapped{Material: make([]byte, 256), Mechanism: keyring.RSAOAEP, By: signer.Ref}, fault.Unsupported, "may not be used"},
		"by a key that is gone": {
			keyring.AES256, lifecycle.Wrapped{Material: make([]byte, 40), Mechanism: keyring.RSAOAEP, By: keyring.NewRef("gone", 1, keyring.RSA2048)}, fault.Inconsistent, "0 private or secret keys",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := b.hsm.Unwrap(t.Context(), imported("refused", test.declared, test.declared.DefaultOperations()), test.wrapped)
			if fault.KindOf(err) != test.kind || !strings.Contains(fmt.Sprintf("%+v", chain(err)), test.says) {
				t.Errorf("got kind %s: %v, want %s saying %q", fault.KindOf(err), chain(err), test.kind, test.says)
			}
			said := fmt.Sprint(subjects(err), chain(err))
			for _, never := range []string{"probe", `""`, "Check that the HSM is up"} { // nobody knows the objects that it is tried with, and the token is fine
				if test.kind == fault.Invalid && strings.Contains(said, never) {
					t.Errorf("it says %q: %s", never, said)
				}
			}
			if after := b.Tool(t, "--list-objects"); after != before {
				t.Errorf("before there was:\n%s\nafter:\n%s", before, after)
			}
		})
	}
}

// subjects lists what each fault of an error is about.
func subjects(err error) []string {
	var about []string
	for f, ok := errors.AsType[*fault.Error](err); ok; f, ok = errors.AsType[*fault.Error](f.Cause) {
		about = append(about, f.Subject)
	}
	return about
}

// chain lists what each fault of an error says.
func chain(err error) []string {
	var said []string
	for err != nil {
		f, ok := err.(*fault.Error)
		if !ok {
			return append(said, err.Error())
		}
		said = append(said, f.Problem+" "+f.Hint)
		err = f.Cause
	}
	return said
}

// Whatever call fails, either nothing is left or the error says that something may be.
func TestUnwrapFailures(t *testing.T) {
	b, o := newBench(t), newOutside(t)
	by, public := b.wrapping(t, o)
	key, _ := o.make(keyring.ECP256)
	wrapped := lifecycle.Wrapped{Material: o.wrap("wrap-rsa-aes.sh", public, key), Mechanism: keyring.RSAAESKeyWrap, By: by}
	for _, call := range []string{"Unwrap", "CreateObject", "Derive", "Sign", "DestroyObject"} {
		for nth := 1; nth <= 3; nth++ {
			t.Run(fmt.Sprintf("%s %d", call, nth), func(t *testing.T) {
				r := &rig{Device: b.device}
				token := hsm.NewOn(r)
				if _, err := token.Capabilities(t.Context()); err != nil {
					t.Fatal(err)
				}
				r.calls = nil
				r.before = r.on(call, nth, false, broken(fault.Unavailable))
				order := imported("failing", keyring.ECP256, keyring.Sign|keyring.Verify)
				_, err := token.Unwrap(t.Context(), order, wrapped)
				left := len(b.objects(t, order.Ref.ID))
				switch {
				case err == nil && left != 2:
					t.Errorf("no error, and %d objects", left)
				case err != nil && left != 0:
					t.Errorf("%v, and %d objects are left", err, left)
				}
			})
		}
	}
}
