package audit_test

import (
	"crypto"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/audit"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// TestWhole: a log that nobody touched is whole, whatever signed it, and after its key was
// rotated.
func TestWhole(t *testing.T) {
	for name, keys := range map[string][]crypto.Signer{
		"Ed25519": {newEd25519(t)}, "P-256": {newP256(t)},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.pen.keys = keys
			d.fill(12)
			d.pen.keys = append(d.pen.keys, newEd25519(t))
			l := d.log()
			d.write(l, "key/other", 1, nil)
			if err := l.Refused(t.Context(), &fault.Error{Kind: fault.Protected, Op: "destroy key", Subject: `key "orders"`, Problem: "No."}); err != nil {
				t.Error(err)
			}
			d.close(l)
			summary, problems := d.verify(func(e *audit.Expectation) {
				e.Token = map[string]audit.Standing{"key/orders": {Seq: 12, Head: "key/orders12"}, "key/other": {Seq: 1, Head: "key/other1"}}
			})
			if problems != nil || summary.Records != 27 || summary.Signed != 27 || summary.Checkpoints != 4 {
				t.Errorf("%+v, %q", summary, problems)
			}
		})
	}
}

// TestTampering does to each record what can be done to it. With the tree's file as it was
// the record itself is found; with one that was made to go with the change, the first that
// the checkpoint before does not cover.
func TestTampering(t *testing.T) {
	const changes = 12 // in three runs, with checkpoints of 10, 20 and 24 records
	whole := newDesk(t)
	whole.fill(changes)
	original := whole.lines()
	if len(original) != 2*changes {
		t.Fatalf("%d records", len(original))
	}
	since := func(record int) int { return record / 10 * 10 } // what the checkpoint before covers
	for name, tamper := range map[string]func(lines []string, i int) ([]string, int){
		"flip": func(lines []string, i int) ([]string, int) {
			lines[i] = strings.Replace(lines[i], "ada@build", "eve@build", 1)
			return lines, i
		},
		"flip white space": func(lines []string, i int) ([]string, int) {
			lines[i] = strings.Replace(lines[i], `{"time"`, `{ "time"`, 1)
			return lines, i
		},
		"drop":   func(lines []string, i int) ([]string, int) { return slices.Delete(lines, i, i+1), i },
		"repeat": func(lines []string, i int) ([]string, int) { return slices.Insert(lines, i+1, lines[i]), i + 1 },
		"reorder": func(lines []string, i int) ([]string, int) {
			if i+1 == len(lines) {
				return lines, -1
			}
			lines[i], lines[i+1] = lines[i+1], lines[i]
			return lines, i
		},
		"truncate": func(lines []string, i int) ([]string, int) { return lines[:i], i },
		"not JSON": func(lines []string, i int) ([]string, int) { lines[i] = "x"; return lines, i },
	} {
		for i := range original {
			lines, first := tamper(slices.Clone(original), i)
			if first < 0 {
				continue
			}
			d := *whole
			d.tb = t
			d.setLines(lines)
			_, problems := d.verify()
			if len(problems) == 0 || !strings.HasPrefix(problems[0], fmt.Sprintf("%d: ", first)) {
				t.Errorf("%s record %d: %q", name, i, problems)
			}
			// Whoever can write the records can write the tree's hashes as well.
			tree := filepath.Join(d.dir, "tree")
			kept, err := os.ReadFile(tree)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(tree); err != nil {
				t.Fatal(err)
			}
			_, problems = d.verify()
			var record int
			if len(problems) == 0 {
				t.Errorf("%s record %d, and the tree: not noticed", name, i)
			} else if _, err := fmt.Sscanf(problems[0], "%d:", &record); err != nil || record < since(first) || record > first+1 && !strings.Contains(problems[0], "it is missing") {
				t.Errorf("%s record %d, and the tree: %q", name, i, problems)
			}
			if err := os.WriteFile(tree, kept, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	whole.setLines(original)
	if _, problems := whole.verify(); problems != nil {
		t.Errorf("%q", problems)
	}
}

// TestUnsigned: what is wrong with records that no checkpoint covers yet, and of which the
// tree's hashes were made to go with it, shows by what they say.
func TestUnsigned(t *testing.T) {
	for name, tc := range map[string]struct {
		more func(lines []string) []string
		want string
	}{
		"an intent repeated":  {func(lines []string) []string { return append(lines, lines[2]) }, "6: it repeats the intent of record 2"},
		"an outcome repeated": {func(lines []string) []string { return append(lines, lines[3]) }, "6: it repeats the outcome of record 3"},
		"an outcome without intent": {func(lines []string) []string {
			return append(lines, strings.ReplaceAll(lines[3], `"uid":"`, `"uid":"0`))
		}, "6: there is no intent before it"},
		"of another environment": {func(lines []string) []string { return append(lines, strings.ReplaceAll(lines[2], "prod", "test")) }, `6: it is of the environment "test"`},
		"nothing":                {func(lines []string) []string { return lines }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.fill(3)
			d.setLines(tc.more(d.lines()))
			if err := os.Remove(filepath.Join(d.dir, "tree")); err != nil {
				t.Fatal(err)
			}
			if _, problems := d.verify(); (len(problems) == 0) != (tc.want == "") || tc.want != "" && !strings.HasPrefix(problems[0], tc.want) {
				t.Errorf("%q", problems)
			}
		})
	}
}

// TestOlderLog: a log that was put back as it was some time ago goes with itself. What tells
// is the token, and a checkpoint that was kept elsewhere.
func TestOlderLog(t *testing.T) {
	d := newDesk(t)
	d.fill(10)
	older := filepath.Join(t.TempDir(), "older")
	if err := os.CopyFS(older, os.DirFS(d.dir)); err != nil {
		t.Fatal(err)
	}
	l := d.log()
	for n := 11; n <= 15; n++ {
		d.write(l, "key/orders", n, nil)
	}
	d.close(l)
	kept, err := os.ReadFile(filepath.Join(d.dir, "checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	token := func(e *audit.Expectation) {
		e.Token = map[string]audit.Standing{"key/orders": {Seq: 15, Head: "key/orders15"}}
	}
	elsewhere := func(e *audit.Expectation) { e.Kept = [][]byte{kept} }
	if _, problems := d.verify(token, elsewhere); problems != nil {
		t.Errorf("%q", problems)
	}
	d.dir = older
	if _, problems := d.verify(); problems != nil {
		t.Errorf("by itself: %q", problems)
	}
	if _, problems := d.verify(token); len(problems) != 1 || !strings.Contains(problems[0], "key/orders was changed on the token 5 times since the last record of it") {
		t.Errorf("with the token: %q", problems)
	}
	if _, problems := d.verify(elsewhere); len(problems) != 1 || !strings.HasPrefix(problems[0], "20: it is missing, and all after it: there are 20 records, and a checkpoint of 30") {
		t.Errorf("with the checkpoint: %q", problems)
	}
}

// TestHeldToTheToken: what is on the token and what the log says of it.
func TestHeldToTheToken(t *testing.T) {
	d := newDesk(t)
	d.fill(3)
	for name, tc := range map[string]struct {
		token map[string]audit.Standing
		want  string // of the first problem, empty for none
	}{
		"the same":           {map[string]audit.Standing{"key/orders": {3, "key/orders3"}}, ""},
		"something unknown":  {map[string]audit.Standing{"key/orders": {3, "key/orders3"}, "key/smuggled": {1, "x"}}, "key/smuggled is on the token, and no record tells of it"},
		"changed since":      {map[string]audit.Standing{"key/orders": {4, "key/orders4"}}, "was changed on the token 1 times"},
		"an older record":    {map[string]audit.Standing{"key/orders": {2, "key/orders2"}}, "5: it tells of key/orders what the token does not have"},
		"another history":    {map[string]audit.Standing{"key/orders": {3, "other"}}, "5: it tells of key/orders another history"},
		"gone":               {map[string]audit.Standing{}, "5: it tells of key/orders, of which the token has no record"},
		"the token is empty": {nil, ""}, // it was not asked
	} {
		t.Run(name, func(t *testing.T) {
			_, problems := d.verify(func(e *audit.Expectation) { e.Token = tc.token })
			if got := strings.Join(problems, "\n"); (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
				t.Errorf("%q", problems)
			}
		})
	}
}

// TestForgedCheckpoints: what others sign says nothing.
func TestForgedCheckpoints(t *testing.T) {
	for name, forge := range map[string]func(t *testing.T, d *desk){
		"by another key": func(t *testing.T, d *desk) { d.pen.keys = []crypto.Signer{newEd25519(t)} },
		"a changed size": func(t *testing.T, d *desk) { rewrite(t, d, "\n6\n", "\n4\n") },
		"of another environment": func(t *testing.T, d *desk) {
			rewrite(t, d, "terraform-provider-hsm/prod", "terraform-provider-hsm/test")
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.fill(3)
			forge(t, d)
			if _, problems := d.verify(); len(problems) == 0 || !strings.Contains(problems[0], "-1: checkpoint 1 of 1") {
				t.Errorf("%q", problems)
			}
			l := d.log()
			if _, err := l.Begin(t.Context(), audit.Event{Operation: "rotate", Subject: "key/orders"}); !fault.Is(err, fault.Inconsistent) {
				t.Errorf("the next change: %v", err)
			}
			_ = l.Close(t.Context())
		})
	}
}

// TestCheckpointsCutOff: who takes the last checkpoints out of their file, and rewrites or cuts
// off what they covered, has forgotten the one that was published.
func TestCheckpointsCutOff(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(lines []string) []string
		want   string
	}{
		"rewritten": {func(lines []string) []string {
			lines[22] = strings.Replace(lines[22], "ada@build", "eve@build", 1)
			return lines
		}, "20: it or one after it, before record 24, is not the one"},
		"cut off":   {func(lines []string) []string { return lines[:20] }, "20: it is missing, and all after it"},
		"untouched": {func(lines []string) []string { return lines }, "-1: the checkpoint of 24 records that was published is not among the others"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.fill(12)
			d.setLines(tc.change(d.lines()))
			d.cutCheckpoints("terraform-provider-hsm/prod\n24\n")
			if err := os.Remove(filepath.Join(d.dir, "tree")); err != nil {
				t.Fatal(err)
			}
			if _, problems := d.verify(); len(problems) == 0 || !strings.HasPrefix(problems[0], tc.want) {
				t.Errorf("%q", problems)
			}
			d.refused("")
			d.discloses(false)
		})
	}
}

// TestPublishedLost: what is left of a published checkpoint after a power failure is as good as
// none, and the next run publishes again.
func TestPublishedLost(t *testing.T) {
	for name, spoil := range map[string]func(text []byte) []byte{
		"empty":            func([]byte) []byte { return nil },
		"zeros":            func(text []byte) []byte { return make([]byte, len(text)) },
		"without its size": func(text []byte) []byte { return text[:10] },
		"cut off":          func(text []byte) []byte { return text[:60] },
		"without its end":  func(text []byte) []byte { return text[:len(text)-1] },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.fill(7)
			published := filepath.Join(d.dir, "checkpoint")
			text, err := os.ReadFile(published)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(published, spoil(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, problems := d.verify(); problems != nil {
				t.Errorf("%q", problems)
			}
			l := d.log()
			d.write(l, "key/orders", 8, nil)
			d.close(l)
			if again, err := os.ReadFile(published); err != nil || !strings.HasPrefix(string(again), "terraform-provider-hsm/prod\n16\n") {
				t.Errorf("%v, published is\n%s", err, again)
			}
			if _, problems := d.verify(); problems != nil {
				t.Errorf("%q", problems)
			}
		})
	}
}

// cutCheckpoints takes out of the file of all checkpoints the one that begins like this, and
// those after it.
func (d *desk) cutCheckpoints(from string) {
	d.tb.Helper()
	name := filepath.Join(d.dir, "checkpoints")
	text, err := os.ReadFile(name)
	if err != nil {
		d.tb.Fatal(err)
	}
	before, _, found := strings.Cut(string(text), from)
	if !found {
		d.tb.Fatalf("%s", text)
	}
	if err := os.WriteFile(name, []byte(before), 0o600); err != nil {
		d.tb.Fatal(err)
	}
}

// TestCheckpointsInDisorder: checkpoints are good, and not where they were.
func TestCheckpointsInDisorder(t *testing.T) {
	d := newDesk(t)
	d.fill(10)
	name := filepath.Join(d.dir, "checkpoints")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	second := strings.LastIndex(string(text), "terraform-provider-hsm/prod\n20\n")
	if second < 0 {
		t.Fatalf("%s", text)
	}
	if err := os.WriteFile(name, append(text[second:len(text):len(text)], text[:second]...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, problems := d.verify(); len(problems) != 1 || !strings.HasPrefix(problems[0], "-1: checkpoint 2 of 2, of 10 records, comes after one of 20") {
		t.Errorf("%q", problems)
	}
}

func rewrite(t *testing.T, d *desk, before, after string) {
	t.Helper()
	name := filepath.Join(d.dir, "checkpoints")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(strings.ReplaceAll(string(text), before, after)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestInterrupted: an intent whose run ended is a problem until the next run closes it, and
// tells an operator.
func TestInterrupted(t *testing.T) {
	d := newDesk(t)
	d.fill(2)
	l := d.log()
	if _, err := l.Begin(t.Context(), audit.Event{Operation: "rotate", Subject: "key/orders", Steps: []audit.Step{{Seq: 3, What: "generated"}}, Head: "key/orders3"}); err != nil {
		t.Fatal(err)
	}
	_ = l.Close(t.Context())
	token := func(seq int) func(e *audit.Expectation) {
		return func(e *audit.Expectation) {
			e.Token = map[string]audit.Standing{"key/orders": {seq, fmt.Sprint("key/orders", seq)}}
		}
	}
	for _, came := range []int{2, 3} { // to nothing, or to something: nobody said
		if _, problems := d.verify(token(came)); len(problems) != 1 || !strings.HasPrefix(problems[0], "4: it is an intent (key/orders: generated) without an outcome") {
			t.Errorf("%q", problems)
		}
	}
	config := d.log().Config
	config.Run = "another"
	next := audit.New(config)
	d.write(next, "key/other", 1, nil)
	if w := next.Warnings(); len(w) != 1 || !strings.Contains(w[0], "An operation on key/orders, begun by ada@build") {
		t.Errorf("%q", w)
	}
	d.close(next)
	summary, problems := d.verify(func(e *audit.Expectation) {
		token(3)(e)
		e.Token["key/other"] = audit.Standing{Seq: 1, Head: "key/other1"}
	})
	if problems != nil || !slices.Equal(summary.Interrupted, []int64{5}) {
		t.Errorf("%+v, %q", summary, problems)
	}
	if line := d.lines()[5]; strings.Count(line, "ada@build") != 1 { // who did it is in one place, where personal data is looked for
		t.Error(line)
	}
}

// TestProve: a proof holds, and goes with no other record. That it holds in the eyes of
// others is shown by the test of the guide.
func TestProve(t *testing.T) {
	d := newDesk(t)
	d.fill(7)
	view, err := audit.OpenView(d.dir)
	if err != nil {
		t.Fatal(err)
	}
	line, proof, err := audit.Prove(view, 5)
	if err != nil || string(line) != d.lines()[5] || !strings.HasPrefix(proof, "c2sp.org/tlog-proof@v1\nindex 5\n") {
		t.Errorf("%s\n%s\n%v", line, proof, err)
	}
	if _, _, err := audit.Prove(view, 14); !fault.Is(err, fault.NotFound) {
		t.Errorf("%v", err)
	}
	lines := d.lines()
	lines[3] = strings.Replace(lines[3], "ada@build", "eve@build", 1)
	d.setLines(lines)
	for _, index := range []int64{3, 5} { // the changed one, and one beside it
		if _, _, err := audit.Prove(view, index); !fault.Is(err, fault.Inconsistent) {
			t.Errorf("record %d: %v", index, err)
		}
	}
}

func TestVerifierKeys(t *testing.T) {
	for _, key := range []crypto.Signer{newEd25519(t), newP256(t)} {
		p := &pen{keys: []crypto.Signer{key}}
		keys, err := p.all()
		if err != nil {
			t.Fatal(err)
		}
		text, err := audit.VerifierKey("prod", keys[0])
		if err != nil || !strings.HasPrefix(text, "terraform-provider-hsm/prod+") {
			t.Errorf("%s, %v", text, err)
		}
		environment, again, err := audit.ParseVerifierKey(text)
		if err != nil || environment != "prod" || again.Fingerprint() != keys[0].Fingerprint() {
			t.Errorf("%+v, %v", again, err)
		}
		for _, bad := range []string{"", "x", text[1:], text[:len(text)-8], strings.Replace(text, "+", "+0", 1)} {
			if _, _, err := audit.ParseVerifierKey(bad); !fault.Is(err, fault.Invalid) {
				t.Errorf("%q: %v", bad, err)
			}
		}
	}
}
