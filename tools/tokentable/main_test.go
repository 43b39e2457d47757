package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func events(kind, last string) string {
	return `{"Action":"output","Test":"TestProfile/` + kind + `","Output":"    x.go:1: version of the token: 9.9\n"}
{"Action":"pass","Test":"TestProfile/` + kind + `"}
{"Action":"fail","Test":"TestTokens/` + kind + `/adoption"}
{"Action":"pass","Test":"TestTokens/` + kind + `"}
` + last
}

// TestTable: only a kind of which every test came to a good end has passed.
func TestTable(t *testing.T) {
	for name, tc := range map[string]struct {
		said, wants string
		passed      bool
	}{
		"passed":  {events("softhsm", `{"Action":"pass","Test":"TestStress/softhsm"}`), "| SoftHSM 9.9 | AES, HMAC, RSA, P-256/384/521, secp256k1, Ed25519, Ed448 | is refused | true | yes | passed |", true},
		"failed":  {events("tpm", `{"Action":"fail","Test":"TestStress/tpm"}`), "| TPM 2.0, by tpm2-pkcs11 9.9 | RSA 2048/3072, P-256/384 | is done all the same (`advisory`) | not proven | yes | FAILED: TestStress |", false},
		"crashed": {events("nss", ""), "| no | FAILED: TestStress |", false},
		"nothing": {"", "| token |", false},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "README.md")
			if err := os.WriteFile(file, []byte("before\n"+begin+"old\n"+end+"after\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			passed, err := run(strings.NewReader(tc.said), &out, file)
			if err != nil || passed != tc.passed {
				t.Errorf("passed is %t, %v", passed, err)
			}
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range []string{out.String(), string(content)} {
				if !strings.Contains(text, tc.wants) {
					t.Errorf("missing is %q in:\n%s", tc.wants, text)
				}
			}
			if !strings.HasPrefix(string(content), "before\n") || !strings.HasSuffix(string(content), "after\n") || strings.Contains(string(content), "old") {
				t.Errorf("the file is now:\n%s", content)
			}
		})
	}
}

func TestNoMarkers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "README.md")
	if err := os.WriteFile(file, []byte("nothing\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := insert(file, "table"); err == nil {
		t.Error("a file without markers was written to")
	}
}
