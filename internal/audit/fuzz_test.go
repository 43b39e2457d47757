package audit_test

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/keystead/terraform-provider-hsm/internal/audit"
)

// filled is a log with something of everything in it.
func filled(f *testing.F) *desk {
	f.Helper()
	d := newDesk(f)
	d.token = map[string]audit.Event{}
	d.fill(3)
	l := d.log()
	if err := l.Note(f.Context(), audit.Event{
		Operation: "reveal", Subject: "credential/a/b", Version: 3, Algorithm: "ES256", Reason: "why", Gained: []string{"a"}, Lost: []string{"b"},
		Digests: map[string]string{"before": "ab"}, Failure: &audit.Failure{Kind: "access denied", Problem: "No."},
	}); err != nil {
		f.Fatal(err)
	}
	d.close(l)
	return d
}

// FuzzLine reads anything as a record. What can be read says the same when it is written again.
func FuzzLine(f *testing.F) {
	for _, line := range filled(f).lines() {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		e, err := audit.Decode(line)
		if err != nil {
			return
		}
		again, err := audit.Encode(e)
		if err != nil {
			return // of a year that JSON has no time for
		}
		if bytes.ContainsRune(again, '\n') {
			t.Errorf("%q is written as several lines", line)
		}
		if back, err := audit.Decode(again); err != nil || !reflect.DeepEqual(back, e) {
			t.Errorf("%q is read as %+v, and that as %+v, %v", line, e, back, err)
		}
	})
}

// FuzzCheckpoint reads anything as a checkpoint: it is one that was signed, or refused.
func FuzzCheckpoint(f *testing.F) {
	d := filled(f)
	keys, err := d.pen.all()
	if err != nil {
		f.Fatal(err)
	}
	signed := map[string]bool{}
	view, err := audit.OpenView(d.dir)
	if err != nil {
		f.Fatal(err)
	}
	notes, err := view.Checkpoints()
	if err != nil || len(notes.All) == 0 {
		f.Fatal(notes, err)
	}
	text := func(note []byte) string { before, _, _ := strings.Cut(string(note), "\n\n"); return before }
	for _, note := range notes.All {
		f.Add(note)
		signed[text(note)] = true
	}
	f.Fuzz(func(t *testing.T, note []byte) {
		if c, err := audit.ReadCheckpoint("prod", note, keys); err == nil && !signed[text(note)] {
			t.Errorf("%q is taken for %+v, and nobody signed it", note, c)
		}
	})
}

// FuzzVerifierKey reads anything as a key to verify by.
func FuzzVerifierKey(f *testing.F) {
	for _, key := range []*pen{{keys: []crypto.Signer{newEd25519(f)}}, {keys: []crypto.Signer{newP256(f)}}} {
		all, err := key.all()
		if err != nil {
			f.Fatal(err)
		}
		text, err := audit.VerifierKey("prod", all[0])
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		environment, key, err := audit.ParseVerifierKey(text)
		if err != nil {
			return
		}
		again, err := audit.VerifierKey(environment, key)
		if err != nil {
			t.Fatalf("%q is a key that cannot be written: %v", text, err)
		}
		if e, k, err := audit.ParseVerifierKey(again); err != nil || e != environment || k.Fingerprint() != key.Fingerprint() {
			t.Errorf("%q is read as %s, and that as %q, %v", text, again, e, err)
		}
	})
}

// FuzzProof reads anything as the files of a log. It is verified without falling over, and
// what is proved of it holds in the tree over its lines.
func FuzzProof(f *testing.F) {
	d := filled(f)
	read := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join(d.dir, name))
		if err != nil {
			f.Fatal(err)
		}
		return text
	}
	for index := range int64(9) {
		f.Add(read("records-000000000000.jsonl"), read("checkpoints"), read("tree"), index)
	}
	keys, err := d.pen.all()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, records, checkpoints, tree []byte, index int64) {
		dir := t.TempDir()
		for name, text := range map[string][]byte{"records-000000000000.jsonl": records, "checkpoints": checkpoints, "tree": tree} {
			if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		view, err := audit.OpenView(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := audit.Verify(view, audit.Expectation{Environment: "prod", Keys: keys}); err != nil {
			t.Fatal(err)
		}
		line, proof, err := audit.Prove(view, index)
		if err != nil {
			return
		}
		lines := strings.SplitAfter(string(records), "\n")
		if strings.TrimSuffix(lines[index], "\n") != string(line) {
			t.Fatalf("record %d is %q", index, line)
		}
		notes, err := view.Checkpoints()
		if err != nil {
			t.Fatal(err)
		}
		size, err := strconv.ParseInt(strings.Split(string(notes.Newest()), "\n")[1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckRecord(path(t, proof), size, root(t, lines[:size]), index, tlog.RecordHash(line)); err != nil {
			t.Errorf("the proof of record %d of %d: %v", index, size, err)
		}
	})
}

// path reads the hashes of a proof.
func path(t *testing.T, proof string) (hashes tlog.RecordProof) {
	t.Helper()
	body, _, _ := strings.Cut(proof, "\n\n")
	for _, line := range strings.Split(body, "\n")[2:] {
		raw, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(raw) != tlog.HashSize {
			t.Fatalf("%q is no hash", line)
		}
		hashes = append(hashes, tlog.Hash(raw))
	}
	return hashes
}

// root is that of the tree over lines, by RFC 6962, section 2.1.
func root(tb testing.TB, lines []string) tlog.Hash {
	tb.Helper()
	if len(lines) == 1 {
		return tlog.RecordHash([]byte(strings.TrimSuffix(lines[0], "\n")))
	}
	half := 1
	for 2*half < len(lines) {
		half *= 2
	}
	return tlog.NodeHash(root(tb, lines[:half]), root(tb, lines[half:]))
}
