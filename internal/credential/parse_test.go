package credential_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// authorized is a key in OpenSSH's format, of a type and its parts (RFC 4253 section
// 6.6).
func authorized(kind string, parts ...[]byte) string {
	var blob []byte
	for _, part := range append([][]byte{[]byte(kind)}, parts...) {
		blob = append(binary.BigEndian.AppendUint32(blob, uint32(len(part))), part...)
	}
	return kind + " " + base64.StdEncoding.EncodeToString(blob)
}

// weakRSA has a modulus of 1,024 bits, of which each is one.
var weakRSA = authorized("ssh-rsa", []byte{1, 0, 1}, append([]byte{0}, bytes.Repeat([]byte{255}, 128)...))

// block is a PEM block of a type, with what is given in hexadecimal.
func block(kind, content string) string {
	der, err := hex.DecodeString(strings.ReplaceAll(content, " ", ""))
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// edwards is a public key of Ed25519 with a point in hexadecimal; p256 and secp256k1 are
// those on the other curves.
func edwards(point string) string {
	return block("PUBLIC KEY", fmt.Sprintf("30%02x 3005 06032b6570 03%02x00 %s", 10+len(point)/2, 1+len(point)/2, point))
}

func p256(point string) string {
	return block("PUBLIC KEY", fmt.Sprintf("30%02x 3013 06072a8648ce3d0201 06082a8648ce3d030107 03%02x00 %s", 24+len(point)/2, 1+len(point)/2, point))
}

func secp256k1(point string) string {
	return block("PUBLIC KEY", fmt.Sprintf("30%02x 3010 06072a8648ce3d0201 06052b8104000a 03%02x00 %s", 21+len(point)/2, 1+len(point)/2, point))
}

// newKey has openssl make a private key, in PEM (PKCS #8).
func newKey(tb testing.TB, algorithm ...string) []byte {
	tb.Helper()
	return openssl(tb, nil, append([]string{"genpkey", "-algorithm"}, algorithm...)...)
}

func newCurveKey(tb testing.TB, curve string) []byte {
	tb.Helper()
	return newKey(tb, "EC", "-pkeyopt", "ec_paramgen_curve:"+curve)
}

// publicHalf has openssl write the public half of a private key.
func publicHalf(tb testing.TB, private []byte, options ...string) string {
	tb.Helper()
	return string(openssl(tb, private, append([]string{"pkey", "-pubout"}, options...)...))
}

// wantSilence wants no part of what was pasted in an error or anything beneath it.
func wantSilence(t *testing.T, err error, pasted ...string) {
	t.Helper()
	const enough = 13 // more than "ssh-ed25519 ", which hints name
	var said strings.Builder
	for ; err != nil; err = errors.Unwrap(err) {
		fmt.Fprintf(&said, "%v %+v %#v\n", err, err, err)
		if f, ok := err.(*fault.Error); ok {
			said.WriteString(f.Subject + f.Problem + f.Hint + f.Code)
		}
	}
	for _, text := range pasted {
		for i := 0; i+enough <= len(text); i++ {
			if part := text[i : i+enough]; strings.Contains(said.String(), part) {
				t.Fatalf("the error repeats %q: %s", part, said.String())
			}
		}
	}
}

// TestParsePublicKey: keys that openssl and ssh-keygen make are read, in whatever form.
func TestParsePublicKey(t *testing.T) {
	forms := func(private []byte, more ...string) map[string]string {
		plain := publicHalf(t, private)
		all := map[string]string{
			"PEM": plain, "PEM of Windows": strings.ReplaceAll(plain, "\n", "\r\n"), "PEM without its last line break": strings.TrimSpace(plain),
			"PEM amid empty lines": "\n \n" + plain + "\n\t\n",
		}
		for i := 0; i < len(more); i += 2 {
			all[more[i]] = more[i+1]
		}
		return all
	}
	edwardsFile, p256File := sshKeygen(t, "-t", "ed25519"), sshKeygen(t, "-t", "ecdsa", "-b", "256", "-m", "PKCS8")
	edwardsLine, p256Line := string(must[[]byte](t)(os.ReadFile(edwardsFile+".pub"))), string(must[[]byte](t)(os.ReadFile(p256File+".pub")))
	word := strings.Fields(edwardsLine)
	p256Key, secp256k1Key := must[[]byte](t)(os.ReadFile(p256File)), newCurveKey(t, "secp256k1")
	for _, test := range []struct {
		algorithm credential.Algorithm
		forms     map[string]string
	}{
		{credential.Ed25519, forms(newKey(t, "ed25519"))},
		{credential.Ed25519, map[string]string{
			"OpenSSH": edwardsLine, "OpenSSH of Windows": strings.TrimSpace(edwardsLine) + "\r\n", "without a comment": word[0] + " " + word[1],
			"with a comment": word[0] + " " + word[1] + " the private key is mine: \"d\"", "with tabs": word[0] + "\t" + word[1] + "\tsomebody",
			"with more spaces": " " + word[0] + "   " + word[1] + "  a  b ",
		}},
		{credential.ECDSAP256, forms(p256Key, "compressed", publicHalf(t, p256Key, "-ec_conv_form", "compressed"), "OpenSSH", p256Line)},
		{credential.ECDSASecp256k1, forms(secp256k1Key, "compressed", publicHalf(t, secp256k1Key, "-ec_conv_form", "compressed"))},
	} {
		var first keyring.PublicKey
		for form, text := range test.forms {
			t.Run(string(test.algorithm)+" "+form, func(t *testing.T) {
				key, algorithm, err := credential.ParsePublicKey(text)
				if err != nil || algorithm != test.algorithm {
					t.Fatalf("%q, %v", algorithm, err)
				}
				if first == nil {
					first = key
				}
				if !bytes.Equal(key, first) {
					t.Errorf("the key is another one than in another form:\n%s%s", key.PEM(), first.PEM())
				}
				if again, _, err := credential.ParsePublicKey(key.PEM()); err != nil || !bytes.Equal(again, key) {
					t.Errorf("it is read back as %x, %v", again, err)
				}
				if credential.IsPrivate(text) {
					t.Error("it is taken for private")
				}
			})
		}
	}
}

// TestPrivateKey: private keys are known for what they are, in whatever form.
func TestPrivateKey(t *testing.T) {
	key, curve, rsa := newKey(t, "ed25519"), newCurveKey(t, "P-256"), newKey(t, "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
	der := openssl(t, curve, "pkey", "-outform", "DER")
	inner, _ := pem.Decode(openssl(t, curve, "ec"))
	encrypted := openssl(t, key, "pkcs8", "-topk8", "-passout", "pass:x")
	encryptedDER := openssl(t, key, "pkcs8", "-topk8", "-passout", "pass:x", "-outform", "DER")
	edwardsSSH := string(must[[]byte](t)(os.ReadFile(sshKeygen(t, "-t", "ed25519"))))
	lines := strings.Split(strings.TrimSpace(edwardsSSH), "\n")
	const d = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A" // RFC 8037 appendix A.1
	jwk := func(member string) string {
		return "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\n " + member + ",\n \"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"
	}
	for name, text := range map[string]string{
		"PKCS #8":                        string(key),
		"PKCS #8 of Windows":             strings.ReplaceAll(string(key), "\n", "\r\n"),
		"encrypted":                      string(encrypted),
		"SEC 1":                          string(openssl(t, curve, "ec")),
		"SEC 1, encrypted":               string(openssl(t, curve, "ec", "-aes128", "-passout", "pass:x")),
		"PKCS #1":                        string(openssl(t, rsa, "rsa", "-traditional")),
		"OpenSSH":                        edwardsSSH,
		"OpenSSH without its lines":      strings.Join(lines[1:len(lines)-1], "\n"),
		"after the public key":           publicHalf(t, key) + string(key),
		"before the public key":          string(key) + publicHalf(t, key),
		"after text":                     "my key:\n" + string(key),
		"without its end":                strings.Split(string(key), "-----END")[0],
		"with mangled dashes":            strings.ReplaceAll(string(key), "-----", "–"),
		"on one line":                    strings.ReplaceAll(string(key), "\n", " "),
		"called public":                  strings.ReplaceAll(string(key), "PRIVATE", "PUBLIC"),
		"SEC 1, called public":           string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: inner.Bytes})),
		"encrypted, called public":       string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: encryptedDER})),
		"base64 of DER":                  base64.StdEncoding.EncodeToString(der),
		"base64 of DER on several lines": base64.StdEncoding.EncodeToString(der)[:40] + "\r\n" + base64.StdEncoding.EncodeToString(der)[40:] + "\r\n",
		"PGP":                            "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlFgEZQ==\n-----END PGP PRIVATE KEY BLOCK-----\n",
		"SSH2":                           "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nP2/56wAAAi4=\n---- END SSH2 ENCRYPTED PRIVATE KEY ----\n",
		"PuTTY":                          "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nComment: x\nPublic-Lines: 1\nAAAA\nPrivate-Lines: 1\nAAAA\n",
		"PuTTY, cut off":                 "Private-Lines: 1\nAAAA\nPrivate-MAC: 00\n",
		"JWK":                            jwk(`"d":"` + d + `"`),
		"JWK with space":                 jwk(`"d" : "` + d + `"`),
		"JWK with tabs and lines":        jwk("\"d\"\t\n:\n\t\"" + d + `"`),
		"JWK, escaped":                   strings.ReplaceAll(jwk(`"d":"`+d+`"`), `"`, `\"`),
		"JWK in single quotes":           jwk(`'d': '` + d + `'`),
		"JWK of a secret":                `{"kty":"oct","k":"` + d + `"}`,
		"age":                            newIdentity(t).String(),
		"age, post-quantum":              newHybrid(t).String(),
	} {
		t.Run(name, func(t *testing.T) {
			if !credential.IsPrivate(text) {
				t.Error("it is not taken for private")
			}
			_, _, err := credential.ParsePublicKey(text)
			wantFault(t, err, fault.Invalid, "public_key", "This is a private key")
			wantSilence(t, err, text)
			err = credential.ParseRecipient(text)
			wantFault(t, err, fault.Invalid, "recipients", "private key or an age identity")
			wantSilence(t, err, text)
		})
	}
}

// TestPublicKeyRefused: what is no key of the supported kinds is told for what it is, and
// not repeated.
func TestPublicKeyRefused(t *testing.T) {
	key, curve := newKey(t, "ed25519"), newCurveKey(t, "P-256")
	good, line := publicHalf(t, key), authorized("ssh-ed25519", bytes.Repeat([]byte{9}, 32))
	ssh := func(args ...string) string {
		return string(must[[]byte](t)(os.ReadFile(sshKeygen(t, args...) + ".pub")))
	}
	certified := sshKeygen(t, "-t", "ed25519")
	tool(t, nil, "ssh-keygen", "-q", "-s", sshKeygen(t, "-t", "ed25519"), "-I", "id", "-n", "somebody", certified+".pub")
	keyFile := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(keyFile, curve, 0o600); err != nil {
		t.Fatal(err)
	}
	request := []string{"req", "-new", "-key", keyFile, "-subj", "/CN=somebody"}
	dsa := openssl(t, openssl(t, nil, "dsaparam", "1024"), "gendsa", "/dev/stdin")
	point := openssl(t, curve, "pkey", "-pubout", "-outform", "DER")[26:]
	off := hex.EncodeToString(point[:64]) + fmt.Sprintf("%02x", point[64]^1)
	type row struct{ text, says string }
	rows := map[string]row{
		"nothing":                      {"", "empty"},
		"space":                        {" \n\t\r\n", "empty"},
		"words":                        {"this is not a key at all", "neither PEM nor"},
		"a file's name":                {"/home/somebody/.ssh/id_ed25519.pub", "neither PEM nor"},
		"RSA":                          {publicHalf(t, newKey(t, "RSA", "-pkeyopt", "rsa_keygen_bits:2048")), "RSA keys are not supported"},
		"RSA of PKCS #1":               {string(openssl(t, newKey(t, "RSA", "-pkeyopt", "rsa_keygen_bits:1024"), "rsa", "-RSAPublicKey_out")), "RSA keys are not supported"},
		"RSA-PSS":                      {publicHalf(t, newKey(t, "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:1024")), "RSA-PSS keys are not supported"},
		"DSA":                          {publicHalf(t, dsa), "DSA keys are not supported"},
		"P-224":                        {publicHalf(t, newCurveKey(t, "P-224")), "EC_P224 keys are not supported"},
		"P-384":                        {publicHalf(t, newCurveKey(t, "P-384")), "EC_P384 keys are not supported"},
		"P-521":                        {publicHalf(t, newCurveKey(t, "P-521")), "EC_P521 keys are not supported"},
		"a curve that few know":        {publicHalf(t, newCurveKey(t, "brainpoolP256r1")), "its curve, is not supported"},
		"a curve written out":          {string(openssl(t, curve, "ec", "-pubout", "-param_enc", "explicit")), "does not name its curve"},
		"Ed448":                        {publicHalf(t, newKey(t, "ed448")), "ED448 keys are not supported"},
		"X25519":                       {publicHalf(t, newKey(t, "X25519")), "X25519 keys are not supported"},
		"a certificate":                {string(openssl(t, nil, append(request, "-x509")...)), "This is a certificate"},
		"a request for a certificate":  {string(openssl(t, nil, request...)), "This is a request for a certificate"},
		"parameters":                   {string(openssl(t, nil, "ecparam", "-name", "prime256v1")), "not a public key: that has the label"},
		"two keys":                     {good + good, "several PEM blocks"},
		"a broken key and a good one":  {"-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----\n" + good, "several PEM blocks"},
		"text before":                  {"key:\n" + good, "something beside the key"},
		"text after":                   {good + "key\n", "something beside the key"},
		"an OpenSSH key after":         {good + line, "something beside the key"},
		"headings":                     {strings.Replace(good, "\n", "\nComment: mine\n\n", 1), "something beside the key"},
		"PEM, cut off":                 {strings.Split(good, "-----END")[0], "cannot be decoded"},
		"PEM of no base64":             {"-----BEGIN PUBLIC KEY-----\n????\n-----END PUBLIC KEY-----\n", "cannot be decoded"},
		"PEM of nothing":               {block("PUBLIC KEY", ""), "not a public key (SubjectPublicKeyInfo)"},
		"PEM of something else":        {block("PUBLIC KEY", "0403616263"), "not a public key (SubjectPublicKeyInfo)"},
		"DER with something after":     {block("PUBLIC KEY", "302a300506032b6570032100"+strings.Repeat("09", 32)+"00"), "not a public key (SubjectPublicKeyInfo)"},
		"Ed25519 with parameters":      {block("PUBLIC KEY", "302c300706032b65700500032100"+strings.Repeat("09", 32)), "not encoded as the standards say"},
		"off P-256":                    {p256(off), "not on the curve P-256"},
		"off secp256k1":                {secp256k1("04" + strings.Repeat("01", 64)), "not on the curve secp256k1"},
		"compressed, off P-256":        {p256("02" + strings.Repeat("ff", 32)), "not on a curve"},
		"compressed, off secp256k1":    {secp256k1("02" + strings.Repeat("00", 31) + "05"), "not on a curve"},
		"P-256 at infinity":            {p256("00"), "A point on P-256 is"},
		"secp256k1 at infinity":        {secp256k1("00"), "A point on secp256k1 is"},
		"P-256 in the hybrid form":     {p256("06" + off[2:]), "A point on P-256 is"},
		"Ed25519, too short":           {edwards(strings.Repeat("09", 31)), "has 32 octets"},
		"Ed25519, too long":            {edwards(strings.Repeat("09", 33)), "has 32 octets"},
		"Ed25519, the identity":        {edwards("01" + strings.Repeat("00", 31)), "weak"},
		"Ed25519, of order 2":          {edwards("ec" + strings.Repeat("ff", 30) + "7f"), "weak"},
		"Ed25519, of order 4":          {edwards(strings.Repeat("00", 32)), "weak"},
		"Ed25519, of order 8":          {edwards("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "weak"},
		"Ed25519, not canonical":       {edwards("f0" + strings.Repeat("ff", 30) + "7f"), "weak"},
		"Ed25519, zero not canonical":  {edwards("ed" + strings.Repeat("ff", 30) + "7f"), "weak"},
		"Ed25519, no point":            {edwards("02" + strings.Repeat("00", 31)), "weak"},
		"Ed25519, negative zero":       {edwards("01" + strings.Repeat("00", 30) + "80"), "weak"},
		"OpenSSH, weak":                {authorized("ssh-ed25519", make([]byte, 32)), "weak"},
		"OpenSSH, RSA":                 {ssh("-t", "rsa", "-b", "2048"), "RSA keys are not supported"},
		"OpenSSH, weak RSA":            {weakRSA, "RSA keys are not supported"},
		"OpenSSH, DSA":                 {ssh("-t", "dsa"), "DSA keys are not supported"},
		"OpenSSH, P-384":               {ssh("-t", "ecdsa", "-b", "384"), "EC_P384 keys are not supported"},
		"OpenSSH, P-521":               {ssh("-t", "ecdsa", "-b", "521"), "EC_P521 keys are not supported"},
		"OpenSSH, Ed25519 of FIDO":     {authorized("sk-ssh-ed25519@openssh.com", bytes.Repeat([]byte{9}, 32), []byte("ssh:")), "FIDO"},
		"OpenSSH, P-256 of FIDO":       {authorized("sk-ecdsa-sha2-nistp256@openssh.com", []byte("nistp256"), point, []byte("ssh:")), "FIDO"},
		"OpenSSH, a certificate":       {string(must[[]byte](t)(os.ReadFile(certified + "-cert.pub"))), "certificate of OpenSSH"},
		"OpenSSH, off P-256":           {authorized("ecdsa-sha2-nistp256", []byte("nistp256"), must[[]byte](t)(hex.DecodeString(off))), "no point of its curve"},
		"OpenSSH, at infinity":         {authorized("ecdsa-sha2-nistp256", []byte("nistp256"), []byte{0}), "no point of its curve"},
		"OpenSSH, another curve in it": {authorized("ecdsa-sha2-nistp256", []byte("nistp384"), point), "no point of its curve"},
		"OpenSSH, another type in it":  {"ecdsa-sha2-nistp256 " + strings.Fields(line)[1], "not of the type"},
		"OpenSSH, too short":           {authorized("ssh-ed25519", make([]byte, 31)), "malformed"},
		"OpenSSH, something after":     {authorized("ssh-ed25519", bytes.Repeat([]byte{9}, 32), []byte{1}), "malformed"},
		"OpenSSH, cut off":             {line[:len(line)-3], "cut off"},
		"OpenSSH without a key":        {"ssh-ed25519", "malformed"},
		"OpenSSH without a type":       {strings.Fields(line)[1], "neither PEM nor"},
		"OpenSSH with options":         {"no-pty " + line, "without options"},
		"OpenSSH with several options": {`command="x y",no-pty ` + line, "without options"},
		"two OpenSSH keys":             {line + "\n" + line, "several lines"},
		"known_hosts":                  {"example.org " + line, "neither PEM nor"},
		"SSH2":                         {string(tool(t, nil, "ssh-keygen", "-e", "-f", certified+".pub")), "SSH2"},
		"a public JWK":                 {`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`, "JSON Web Key"},
		"an age recipient":             {newIdentity(t).Recipient().String(), "neither PEM nor"},
	}
	for name, test := range rows {
		t.Run(name, func(t *testing.T) {
			key, algorithm, err := credential.ParsePublicKey(test.text)
			wantFault(t, err, fault.Invalid, "public_key", test.says)
			wantSilence(t, err, test.text)
			if key != nil || algorithm != "" {
				t.Errorf("there is a key nevertheless: %q %x", algorithm, key)
			}
			if f, ok := err.(*fault.Error); ok && (f.Hint == "" || !strings.Contains(f.Hint, "`") && !strings.Contains(f.Hint, "OpenSSH")) {
				t.Errorf("it does not say how to do it right: %q", f.Hint)
			}
		})
	}
}
