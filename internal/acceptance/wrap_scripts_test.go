package acceptance_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestWrapScripts gives the scripts of the guide what they cannot wrap. What they print is
// taken for a key that is safe to send: of a mistake nothing is printed, the exit code
// says so, and the message what to give.
func TestWrapScripts(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, content []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	openssl := func(args ...string) {
		t.Helper()
		cmd := exec.Command("openssl", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("openssl %q: %v\n%s", args, err, out)
		}
	}
	openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "transport.key")
	openssl("pkey", "-in", "transport.key", "-pubout", "-out", "transport.pem")
	openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-out", "private.pem")
	openssl("pkey", "-in", "private.pem", "-pubout", "-out", "ec.pem")
	openssl("pkcs8", "-topk8", "-nocrypt", "-in", "private.pem", "-outform", "DER", "-out", "private.der")
	openssl("rand", "-out", "secret.bin", "32")
	openssl("rand", "-out", "secret16.bin", "16")
	openssl("rand", "-out", "secret300.bin", "300")
	openssl("rand", "-hex", "-out", "secret.hex", "32")
	write("empty", nil)

	run := func(t *testing.T, script string, files ...string) (stdout, stderr string, err error) {
		t.Helper()
		path, err := filepath.Abs(filepath.Join("..", "..", "examples", "bring-your-own-key", script))
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("sh", append([]string{path}, files...)...)
		cmd.Dir = dir
		var out, problem bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &problem
		err = cmd.Run()
		return out.String(), problem.String(), err
	}

	for script, files := range map[string][]string{
		"wrap-aes-pad.sh":  {"secret.bin", "private.der"},
		"wrap-rsa-aes.sh":  {"transport.pem", "private.der"},
		"wrap-rsa-oaep.sh": {"transport.pem", "secret.bin"},
	} {
		t.Run(script, func(t *testing.T) {
			out, problem, err := run(t, script, files...)
			if err != nil || problem != "" {
				t.Fatalf("%v: %s", err, problem)
			}
			write("wrapped.b64", []byte(out))
			openssl("base64", "-d", "-A", "-in", "wrapped.b64", "-out", "wrapped")
		})
	}

	const (
		nothing = "give two files"
		noAES   = "give a file of 32 bytes"
		noRSA   = "give the public_key_pem"
		noKey   = "give the key to wrap"
		noDER   = "give DER"
		noRaw   = "give its bytes"
	)
	for name, c := range map[string]struct {
		script string
		files  []string
		advice string
	}{
		"aes, no files":               {"wrap-aes-pad.sh", nil, nothing},
		"aes, one file":               {"wrap-aes-pad.sh", []string{"secret.bin"}, nothing},
		"aes, no AES key":             {"wrap-aes-pad.sh", []string{"nosuch", "private.der"}, noAES},
		"aes, empty AES key":          {"wrap-aes-pad.sh", []string{"empty", "private.der"}, noAES},
		"aes, AES key of 128 bits":    {"wrap-aes-pad.sh", []string{"secret16.bin", "private.der"}, noAES},
		"aes, AES key of 300 bytes":   {"wrap-aes-pad.sh", []string{"secret300.bin", "private.der"}, noAES},
		"aes, AES key in hexadecimal": {"wrap-aes-pad.sh", []string{"secret.hex", "private.der"}, noAES},
		"aes, PEM for the AES key":    {"wrap-aes-pad.sh", []string{"private.pem", "private.der"}, noAES},
		"aes, no key":                 {"wrap-aes-pad.sh", []string{"secret.bin", "nosuch"}, noKey},
		"aes, empty key":              {"wrap-aes-pad.sh", []string{"secret.bin", "empty"}, noKey},
		"aes, PEM for the key":        {"wrap-aes-pad.sh", []string{"secret.bin", "private.pem"}, noDER},

		"rsa and aes, no files":             {"wrap-rsa-aes.sh", nil, nothing},
		"rsa and aes, no public key":        {"wrap-rsa-aes.sh", []string{"nosuch", "private.der"}, noRSA},
		"rsa and aes, empty public key":     {"wrap-rsa-aes.sh", []string{"empty", "private.der"}, noRSA},
		"rsa and aes, EC public key":        {"wrap-rsa-aes.sh", []string{"ec.pem", "private.der"}, noRSA},
		"rsa and aes, bytes for public key": {"wrap-rsa-aes.sh", []string{"secret.bin", "private.der"}, noRSA},
		"rsa and aes, no key":               {"wrap-rsa-aes.sh", []string{"transport.pem", "nosuch"}, noKey},
		"rsa and aes, empty key":            {"wrap-rsa-aes.sh", []string{"transport.pem", "empty"}, noKey},
		"rsa and aes, PEM for the key":      {"wrap-rsa-aes.sh", []string{"transport.pem", "private.pem"}, noDER},

		"rsa, no files":            {"wrap-rsa-oaep.sh", nil, nothing},
		"rsa, no public key":       {"wrap-rsa-oaep.sh", []string{"nosuch", "secret.bin"}, noRSA},
		"rsa, empty public key":    {"wrap-rsa-oaep.sh", []string{"empty", "secret.bin"}, noRSA},
		"rsa, EC public key":       {"wrap-rsa-oaep.sh", []string{"ec.pem", "secret.bin"}, noRSA},
		"rsa, no key":              {"wrap-rsa-oaep.sh", []string{"transport.pem", "nosuch"}, "give the secret key to wrap"},
		"rsa, empty key":           {"wrap-rsa-oaep.sh", []string{"transport.pem", "empty"}, "give the secret key to wrap"},
		"rsa, PEM for the key":     {"wrap-rsa-oaep.sh", []string{"transport.pem", "private.pem"}, noRaw},
		"rsa, private key":         {"wrap-rsa-oaep.sh", []string{"transport.pem", "private.der"}, noRaw},
		"rsa, key of 300 bytes":    {"wrap-rsa-oaep.sh", []string{"transport.pem", "secret300.bin"}, "give a secret key that the RSA key has room for"},
		"rsa, more than two files": {"wrap-rsa-oaep.sh", []string{"transport.pem", "secret.bin", "secret.bin"}, nothing},
	} {
		t.Run(name, func(t *testing.T) {
			out, problem, err := run(t, c.script, c.files...)
			if err == nil {
				t.Errorf("it exits with 0")
			}
			if out != "" {
				t.Errorf("it prints %q", out)
			}
			if !strings.Contains(problem, c.advice) {
				t.Errorf("it says %q, not %q", problem, c.advice)
			}
		})
	}
}
