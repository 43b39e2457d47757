package audit_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/audit"
)

// entries is the history on the token that goes with what fill wrote.
func (d *desk) entries(changes int) func(*audit.Expectation) {
	return func(want *audit.Expectation) {
		of := map[int]audit.Entry{}
		for n := 1; n <= changes; n++ {
			of[n] = audit.Entry{
				At: noon.Add(time.Duration(n) * time.Second), What: "generated", Version: n, Actor: "ada@build", Run: "r", Digest: "ab", Head: fmt.Sprint("key/orders", n),
			}
		}
		want.Entries = map[string]map[int]audit.Entry{"key/orders": of}
		want.Token = map[string]audit.Standing{"key/orders": {Seq: changes, Head: of[changes].Head}}
	}
}

// TestSecondWitness: of the records that no checkpoint covers, and could be written anew, the
// history on the token tells what they have to say.
func TestSecondWitness(t *testing.T) {
	for name, tc := range map[string]struct {
		before, after string
		want          string // "" for nothing
	}{
		"nothing":          {"x", "x", ""},
		"the actor":        {"ada@build", "eve@build", `8: it tells of key/orders, entry 5: done by "eve@build", and the history on the token has "ada@build"`},
		"the reason":       {`"version":5,`, `"version":5,"reason":"rotated",`, "8: it tells of key/orders, entry 5: generated version 5 (rotated), and the history on the token has generated version 5"},
		"the step":         {`"what":"generated"`, `"what":"activated"`, "8: it tells of key/orders, entry 5: activated version 5, and the history on the token has generated version 5"},
		"the version":      {`"version":5,`, `"version":4,`, "8: it tells of key/orders, entry 5: generated version 4"},
		"the fingerprint":  {`"digest":"ab"`, `"digest":"cd"`, "8: it tells of key/orders, entry 5: generated version 5, with another fingerprint"},
		"the time":         {"2027-01-01T12", "2027-01-02T12", "8: it tells of key/orders, entry 5: done on 2027-01-02T12:00:05Z, and the history on the token has 2027-01-01T12:00:05Z"},
		"the run":          {`"correlation_uid":"r"`, `"correlation_uid":"q"`, `8: it tells of key/orders, entry 5: done by the run "q"`},
		"the history":      {"key/orders5", "key/orders6", "8: it tells of key/orders, entry 5: another history"},
		"a little of time": {"12:00:05", "12:10:05", ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.fill(5)
			lines := d.lines()
			for _, n := range []int{8, 9} { // intent and outcome of the last change
				lines[n] = strings.ReplaceAll(lines[n], tc.before, tc.after)
			}
			d.setLines(lines)
			d.unsign()
			if err := os.Remove(filepath.Join(d.dir, "tree")); err != nil {
				t.Fatal(err)
			}
			_, problems := d.verify(d.entries(5))
			var told []string
			for _, p := range problems {
				if strings.Contains(p, ", entry ") {
					told = append(told, p)
				}
			}
			if (len(told) == 0) != (tc.want == "") || tc.want != "" && !strings.HasPrefix(told[0], tc.want) {
				t.Errorf("%q", problems)
			}
		})
	}
}
