// Command tokentable reads what `go test -json` writes of the tests that run on every
// kind of token, and prints a table of the kinds, in Markdown: what each can do, by its
// profile, and what came of the tests. With -write it puts the table into a file,
// between two markers.
//
// A test that did not come to its end counts as failed.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/tokens"
)

func main() {
	file := flag.String("write", "", "put the table into this file, between its markers")
	flag.Parse()
	passed, err := run(os.Stdin, os.Stdout, *file)
	if err != nil {
		fmt.Fprintln(os.Stderr, "tokentable:", err)
	}
	if err != nil || !passed {
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer, file string) (passed bool, err error) {
	r, err := read(in)
	if err != nil {
		return false, err
	}
	table, passed := r.table()
	if _, err := io.WriteString(out, table); err != nil || file == "" {
		return passed, err
	}
	return passed, insert(file, table)
}

// results is what the tests said, by kind of token.
type results map[tokens.Kind]*result

type result struct {
	version string
	ended   map[string]string // by the name of the test: "pass", "fail"
}

// tests are those that every kind has to pass.
var tests = []string{"TestProfile", "TestTokens", "TestStress"}

var (
	testName    = regexp.MustCompile(`^(\w+)/([\w-]+)$`)
	versionLine = regexp.MustCompile(`version of the token: (\S+)`)
)

func read(in io.Reader) (results, error) {
	all := results{}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e struct{ Action, Test, Output string }
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			continue // what go itself says is not always JSON
		}
		m := testName.FindStringSubmatch(e.Test)
		if m == nil || !slices.Contains(tests, m[1]) {
			continue
		}
		kind := tokens.Kind(m[2])
		r := all[kind]
		if r == nil {
			r = &result{ended: map[string]string{}}
			all[kind] = r
		}
		switch e.Action {
		case "pass", "fail":
			r.ended[m[1]] = e.Action
		case "output":
			if v := versionLine.FindStringSubmatch(e.Output); v != nil {
				r.version = v[1]
			}
		}
	}
	return all, lines.Err()
}

// table has a row for each kind that was tested, and reports whether all passed.
func (r results) table() (text string, passed bool) {
	var b strings.Builder
	b.WriteString("| token | keys | what was switched off | birth certificate | records | tests |\n| --- | --- | --- | --- | --- | --- |\n")
	passed = len(r) > 0
	var remarks []string
	for _, kind := range tokens.All() {
		tested, ok := r[kind]
		if !ok {
			continue
		}
		p := kind.Profile()
		verdict := tested.verdict()
		passed = passed && verdict == "passed"
		title := strings.TrimSpace(p.Title + " " + tested.version)
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", title, keys(p), map[keyring.Enforcement]string{
			keyring.EnforcedByHSM: "is refused", keyring.EnforcedAdvisory: "is done all the same (`advisory`)",
		}[p.Enforcement], either(p.Attests, "true", "not proven"), either(p.KeepsRecords, "yes", "no"), verdict)
		remarks = append(remarks, fmt.Sprintf("* %s: %s\n", p.Title, p.Remark))
	}
	return b.String() + "\n" + strings.Join(remarks, ""), passed
}

func (r *result) verdict() string {
	var failed []string
	for _, test := range tests {
		if r.ended[test] != "pass" {
			failed = append(failed, test)
		}
	}
	if len(failed) == 0 {
		return "passed"
	}
	return "FAILED: " + strings.Join(failed, ", ")
}

func either(which bool, yes, no string) string {
	if which {
		return yes
	}
	return no
}

// keys lists the algorithms of a profile, families with all their sizes by their name.
func keys(p tokens.Profile) string {
	var parts []string
	for _, f := range []struct {
		name       string
		algorithms []keyring.Algorithm
		sizes      []string
	}{
		{"AES", []keyring.Algorithm{keyring.AES128, keyring.AES192, keyring.AES256}, []string{"128", "192", "256"}},
		{"HMAC", []keyring.Algorithm{keyring.HMACSHA256, keyring.HMACSHA384, keyring.HMACSHA512}, []string{"256", "384", "512"}},
		{"RSA", []keyring.Algorithm{keyring.RSA2048, keyring.RSA3072, keyring.RSA4096}, []string{"2048", "3072", "4096"}},
		{"P", []keyring.Algorithm{keyring.ECP256, keyring.ECP384, keyring.ECP521}, []string{"256", "384", "521"}},
		{"secp256k1", []keyring.Algorithm{keyring.ECSecp256k1}, nil},
		{"Ed25519", []keyring.Algorithm{keyring.Ed25519}, nil},
		{"Ed448", []keyring.Algorithm{keyring.Ed448}, nil},
	} {
		var sizes []string
		count := 0
		for i, a := range f.algorithms {
			if p.Algorithms[a] != keyring.None {
				count++
				if f.sizes != nil {
					sizes = append(sizes, f.sizes[i])
				}
			}
		}
		switch {
		case count == 0:
		case f.name == "P":
			parts = append(parts, "P-"+strings.Join(sizes, "/"))
		case count == len(f.algorithms):
			parts = append(parts, f.name)
		default:
			parts = append(parts, f.name+" "+strings.Join(sizes, "/"))
		}
	}
	return strings.Join(parts, ", ")
}

// The lines that the table goes between.
const (
	begin = "<!-- tokens: written by `make test-tokens` -->\n"
	end   = "<!-- /tokens -->\n"
)

func insert(file, table string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(content), begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return fmt.Errorf("%s has no place for the table: it wants the lines %q and %q", file, begin, end)
	}
	return os.WriteFile(file, []byte(before+begin+"\n"+table+"\n"+end+after), 0o644) //nolint:gosec // a README is for everybody
}
