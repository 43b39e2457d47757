package acceptance_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// shells are those that the guide's script is run by: what `sh` is on Debian, and what it is
// elsewhere.
func shells(t *testing.T) (list []string) {
	t.Helper()
	for _, shell := range []string{"dash", "bash"} {
		if _, err := exec.LookPath(shell); err == nil {
			list = append(list, shell)
		}
	}
	if len(list) == 0 {
		t.Fatal("there is neither dash nor bash")
	}
	return list
}

// checkRecord is the script of the guide.
func checkRecord(t *testing.T) string {
	t.Helper()
	guide, err := os.ReadFile("../../templates/guides/audit.md")
	if err != nil {
		t.Fatal(err)
	}
	_, script, found := strings.Cut(string(guide), "```sh\n")
	script, _, ended := strings.Cut(script, "```")
	if !found || !ended {
		t.Fatal("the guide has no script")
	}
	return script
}

// proofParts are a proof as whoever sends it composes it.
type proofParts struct {
	record, index string
	path          []tlog.Hash
	origin, size  string
	root          tlog.Hash
	signed        func(text string) string // the signed note of it
}

func (p proofParts) proof() string {
	b64 := base64.StdEncoding.EncodeToString
	lines := []string{"c2sp.org/tlog-proof@v1", "index " + p.index}
	for _, h := range p.path {
		lines = append(lines, b64(h[:]))
	}
	text := fmt.Sprintf("%s\n%s\n%s\ntime 2026-11-26T00:00:00Z\n", p.origin, p.size, b64(p.root[:]))
	return strings.Join(lines, "\n") + "\n\n" + p.signed(text)
}

// hashes are those of a tree's file.
type hashes []tlog.Hash

func (h hashes) ReadHashes(indexes []int64) (list []tlog.Hash, err error) {
	for _, n := range indexes {
		list = append(list, h[n])
	}
	return list, nil
}

// prove composes what is true of a record in a log.
func prove(t *testing.T, origin string, signed func(string) string, records []string, index int64) proofParts {
	t.Helper()
	var tree hashes
	for n, text := range records {
		more, err := tlog.StoredHashes(int64(n), []byte(text), tree)
		if err != nil {
			t.Fatal(err)
		}
		tree = append(tree, more...)
	}
	size := int64(len(records))
	root, err := tlog.TreeHash(size, tree)
	if err != nil {
		t.Fatal(err)
	}
	path, err := tlog.ProveRecord(size, index, tree)
	if err != nil {
		t.Fatal(err)
	}
	return proofParts{records[index], fmt.Sprint(index), path, origin, fmt.Sprint(size), root, signed}
}

// byEd25519 makes a key as `audit keys` prints it, and what signs by it.
func byEd25519(t *testing.T, name string) (key string, signed func(string) string) {
	t.Helper()
	secret, key, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	return key, func(text string) string {
		signed, err := note.Sign(&note.Note{Text: text}, signer)
		if err != nil {
			t.Fatal(err)
		}
		return string(signed)
	}
}

func byECDSA(t *testing.T, name string) (key string, signed func(string) string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(spki)
	hash := binary.BigEndian.Uint32(sum[:4])
	key = fmt.Sprintf("%s+%08x+%s", name, hash, base64.StdEncoding.EncodeToString(append([]byte{2}, spki...)))
	return key, func(text string) string {
		digest := sha256.Sum256([]byte(text))
		signature, err := ecdsa.SignASN1(rand.Reader, private, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%s\n— %s %s\n", text, name, base64.StdEncoding.EncodeToString(append(sum[:4], signature...)))
	}
}

// TestCheckRecord: the guide's script accepts what is true and nothing else, whoever wrote the
// proof and whatever is given as the key, and runs nothing that is written there.
func TestCheckRecord(t *testing.T) {
	const origin = "terraform-provider-hsm/prod"
	script := checkRecord(t)
	key, signed := byEd25519(t, origin)
	p256, signedP256 := byECDSA(t, origin)
	another, signedByAnother := byEd25519(t, origin)
	staging, _ := byEd25519(t, "terraform-provider-hsm/staging")
	records := []string{`{"n":0}`, `{"n":1}`, `{"n":2}`, `{"n":3}`, `{"n":4}`, `{"n":5}`, `{"n":6}`}
	right := prove(t, origin, signed, records, 3)
	but := func(change func(*proofParts)) proofParts {
		p := right
		change(&p)
		return p
	}
	// What needs no key: a record, a tree and a signature that somebody made up.
	invented := prove(t, origin, func(text string) string { return text + "\n— " + origin + " AAAAAAAA\n" }, []string{`{"n":"invented"}`, `{}`}, 0)
	nameless := prove(t, "", func(text string) string { return text + "\n—  AAAAAAAA\n" }, []string{`{"n":"invented"}`}, 0)
	raw := key[strings.LastIndex(key, origin)+len(origin)+len("+00000000+"):]
	withPlus := raw[:10] + "+" + raw[11:]
	command := "IFS[$(touch PWNED)]"
	const refused = ""

	for name, c := range map[string]struct {
		parts proofParts
		key   string
		want  string // what it says; nothing where it refuses
	}{
		"right":                                 {right, key, "Record 3 is in the log of 7 records that the key has signed."},
		"right, by P-256":                       {prove(t, origin, signedP256, records, 6), p256, "Record 6 is in the log of 7 records that the key has signed."},
		"one record":                            {prove(t, origin, signed, records[:1], 0), key, "Record 0 is in the log of 1 records that the key has signed."},
		"two records":                           {prove(t, origin, signed, records[:2], 1), key, "Record 1 is in the log of 2 records that the key has signed."},
		"no key":                                {right, "", refused},
		"invented, no key":                      {invented, "", refused},
		"nameless, no key":                      {nameless, "", refused},
		"nameless, separators alone":            {nameless, "++", refused},
		"invented, key without name":            {invented, raw, refused},
		"invented, key without name but a plus": {invented, withPlus, refused},
		"invented, key without name but hash":   {invented, key[len(origin):], refused},
		"invented, right key":                   {invented, key, refused},
		"invented, empty key of that name":      {invented, origin + "+00000000+", refused},
		"invented, key of no known type":        {invented, origin + "+00000000+A" + raw[1:], refused},
		"key without name":                      {right, raw, refused},
		"another key":                           {right, another, refused},
		"key of another environment":            {right, staging, refused},
		"key of another type":                   {right, p256, refused},
		"signed by another key":                 {prove(t, origin, signedByAnother, records, 3), key, refused},
		"signed for another environment":        {prove(t, "terraform-provider-hsm/staging", signed, records, 3), key, refused},
		"forged record":                         {but(func(p *proofParts) { p.record = `{"n":8}` }), key, refused},
		"another record":                        {but(func(p *proofParts) { p.record = records[2] }), key, refused},
		"another index":                         {but(func(p *proofParts) { p.index = "2" }), key, refused},
		"index beyond the log":                  {but(func(p *proofParts) { p.index = "11" }), key, refused},
		"index of the size":                     {but(func(p *proofParts) { p.index = "7" }), key, refused},
		"index of all bits":                     {but(func(p *proofParts) { p.index = "18446744073709551619" }), key, refused},
		"index below zero":                      {but(func(p *proofParts) { p.index = "-5" }), key, refused},
		"no index":                              {but(func(p *proofParts) { p.index = "" }), key, refused},
		"index in words":                        {but(func(p *proofParts) { p.index = "three" }), key, refused},
		"index of other digits":                 {but(func(p *proofParts) { p.index = "03" }), key, refused},
		"index is a command":                    {but(func(p *proofParts) { p.index = command }), key, refused},
		"index is two lines":                    {but(func(p *proofParts) { p.index = "3\nindex " + command }), key, refused},
		"size is a command":                     {but(func(p *proofParts) { p.size = command }), key, refused},
		"size is in words":                      {but(func(p *proofParts) { p.size = "seven" }), key, refused},
		"no size":                               {but(func(p *proofParts) { p.size = "" }), key, refused},
		"a hash is missing":                     {but(func(p *proofParts) { p.path = p.path[1:] }), key, refused},
		"a hash too many":                       {but(func(p *proofParts) { p.path = append(slices.Clip(p.path), p.root) }), key, refused},
		"no hashes":                             {but(func(p *proofParts) { p.path = nil }), key, refused},
		"one record and a hash":                 {but(func(p *proofParts) { p.size, p.index, p.path = "1", "0", p.path[:1] }), key, refused},
	} {
		for _, shell := range shells(t) {
			t.Run(name+"/"+shell, func(t *testing.T) {
				dir := t.TempDir()
				for file, text := range map[string]string{"record": c.parts.record, "proof": c.parts.proof()} {
					if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				cmd := exec.Command(shell, "-c", script, "check-record", "record", "proof", c.key)
				cmd.Dir = dir
				out, err := cmd.CombinedOutput()
				said := strings.Contains(string(out), "is in the log")
				switch {
				case c.want == refused && (err == nil || said):
					t.Errorf("it was accepted:\n%s", out)
				case c.want == refused && len(out) == 0:
					t.Error("it says nothing about why")
				case c.want != refused && (err != nil || !strings.Contains(string(out), c.want)):
					t.Errorf("%v\n%s", err, out)
				}
				if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) != 2 {
					t.Errorf("left behind is %q, %v", left, err)
				}
			})
		}
	}
}
