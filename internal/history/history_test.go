package history_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/history"
)

var noon = time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC)

// lived is the chain of a key with so many versions, each of which was made, activated
// and switched off.
func lived(versions int) history.Chain {
	var c history.Chain
	at := noon
	for n := 1; n <= versions; n++ {
		for _, what := range []string{history.Begun, history.Generated, history.Activated, history.Deactivated} {
			at = at.Add(time.Second)
			c.Append(history.Entry{At: at, What: what, Version: n, Actor: "ada", Run: "r"})
		}
	}
	return c
}

// stored is a chain as it is after it was written and read.
func stored(t *testing.T, c history.Chain) history.Chain {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var read history.Chain
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	return read
}

func TestChain(t *testing.T) {
	var empty history.Chain
	if !empty.IsZero() || empty.Flaw() != "" || empty.Head() != "" || empty.Length() != 0 || len(empty.All()) != 0 {
		t.Errorf("%+v", empty)
	}
	heads := map[string]bool{}
	var c history.Chain
	for n := range 200 {
		c.Append(history.Entry{At: noon, What: history.Updated, Actor: "ada"}) // the same each time
		switch {
		case c.Flaw() != "":
			t.Fatalf("after %d: %s", n+1, c.Flaw())
		case c.Length() != n+1 || c.IsZero():
			t.Fatalf("after %d: length %d", n+1, c.Length())
		case heads[c.Head()]:
			t.Fatalf("after %d: the head was there before", n+1)
		case len(c.All()) > 40:
			t.Fatalf("after %d: %d entries", n+1, len(c.All()))
		}
		heads[c.Head()] = true
	}
	if k := c.Compacted; k == nil || !heads[k.Head] {
		t.Errorf("the compaction does not keep the chain's hash: %+v", k)
	}
}

// TestStored: what is hashed is what is stored, whatever it is made of.
func TestStored(t *testing.T) {
	zone := time.FixedZone("", 3600)
	var c history.Chain
	for n := range 50 {
		c.Append(history.Entry{
			At: time.Now().In(zone), What: "<&>\u2028" + string(rune(n)), Actor: "\xff", Reason: "\xed\xa0\x80 \\u0041 \ufffd", Version: n, Digest: "é",
		})
		read := stored(t, c)
		if flaw := read.Flaw(); flaw != "" || read.Head() != c.Head() || !reflect.DeepEqual(read, c) {
			t.Fatalf("after %d: %s\n%+v\n%+v", n+1, flaw, read, c)
		}
	}
}

// TestCompaction: what matters stays, however much goes.
func TestCompaction(t *testing.T) {
	const versions = 100
	c := lived(versions)
	var made, activated, begun []int
	for _, e := range c.All() {
		switch e.What {
		case history.Generated:
			made = append(made, e.Version)
		case history.Activated:
			activated = append(activated, e.Version)
		case history.Begun:
			begun = append(begun, e.Version)
		}
	}
	if len(made) != versions || len(activated) != versions || !slices.IsSorted(made) || !slices.IsSorted(activated) {
		t.Errorf("made %v, activated %v", made, activated)
	}
	if len(begun) == 0 || len(begun) > 10 || begun[len(begun)-1] != versions {
		t.Errorf("begun %v", begun)
	}
	// Of what can happen to a version over and over, the newest is kept.
	for range 500 {
		c.Append(history.Entry{At: noon, What: history.Activated, Version: 7, Reason: "pinned"})
		c.Append(history.Entry{At: noon, What: history.Deactivated, Version: 7, Reason: "pinned"})
	}
	if n := len(c.All()); n > 2*versions+50 {
		t.Errorf("%d entries", n)
	}
	if flaw := c.Flaw(); flaw != "" {
		t.Error(flaw)
	}
}

// TestTampering: whatever is done to one entry shows, and the sentence names the entry or
// the one after it.
func TestTampering(t *testing.T) {
	for _, length := range []int{1, 2, 20, 32, 33, 34, 60, 200} {
		var whole history.Chain
		for n := range length {
			whole.Append(history.Entry{At: noon.Add(time.Duration(n)), What: []string{history.Generated, history.Updated, history.Activated}[n%3], Version: n / 3, Actor: "ada"})
		}
		if flaw := whole.Flaw(); flaw != "" {
			t.Fatal(flaw)
		}
		for n := range whole.All() {
			if n == len(whole.All())-1 && whole.Compacted == nil && length == 1 {
				continue // nothing follows it
			}
			for name, tamper := range map[string]func(list []history.Entry, i int) []history.Entry{
				"change": func(list []history.Entry, i int) []history.Entry { list[i].Actor = "eve"; return list },
				"drop":   func(list []history.Entry, i int) []history.Entry { return slices.Delete(list, i, i+1) },
				"repeat": func(list []history.Entry, i int) []history.Entry { return slices.Insert(list, i, list[i]) },
				"swap": func(list []history.Entry, i int) []history.Entry {
					if i+1 < len(list) {
						list[i], list[i+1] = list[i+1], list[i]
					} else if i > 0 {
						list[i], list[i-1] = list[i-1], list[i]
					}
					return list
				},
			} {
				c := whole.Clone()
				kept := 0
				if c.Compacted != nil {
					kept = len(c.Compacted.Kept)
				}
				last := n == len(c.All())-1
				if n < kept {
					c.Compacted.Kept = tamper(c.Compacted.Kept, n)
				} else {
					c.Entries = tamper(c.Entries, n-kept)
				}
				if reflect.DeepEqual(c, whole) {
					continue
				}
				// What was done to the very last entry, nothing that follows can tell: that is
				// what the head is for.
				if c.Flaw() == "" && (!last || c.Head() == whole.Head()) {
					t.Errorf("%s entry %d of %d: not noticed", name, n, length)
				}
			}
		}
	}
}

// TestTamperedCompaction: what a compaction says of what is gone is covered too.
func TestTamperedCompaction(t *testing.T) {
	for name, tamper := range map[string]func(c *history.Chain){
		"another head":      func(c *history.Chain) { c.Compacted.Head = strings.Repeat("0", 64) },
		"another length":    func(c *history.Chain) { c.Compacted.Seq-- },
		"nothing kept":      func(c *history.Chain) { c.Compacted.Kept = nil },
		"no compaction":     func(c *history.Chain) { c.Compacted = nil },
		"another, in order": func(c *history.Chain) { *c.Compacted = *lived(12).Compacted },
		"a kept one less": func(c *history.Chain) {
			c.Compacted.Kept = slices.Delete(c.Compacted.Kept, 0, 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := lived(30)
			tamper(&c)
			if c.Flaw() == "" {
				t.Error("not noticed")
			}
		})
	}
}

// TestClone: what is done to a copy is not done to the original.
func TestClone(t *testing.T) {
	c := lived(30)
	before := fmt.Sprint(c.Head(), c.All())
	d := c.Clone()
	d.Entries[0].Actor, d.Compacted.Kept[0].Actor, d.Compacted.Head = "eve", "eve", "eve"
	d = c.Clone()
	for range 100 {
		d.Append(history.Entry{What: history.Updated})
	}
	if fmt.Sprint(c.Head(), c.All()) != before || c.Flaw() != "" {
		t.Error("the original changed")
	}
}

// TestAbsorb: what was noted before there were chains comes first, in the order of time.
func TestAbsorb(t *testing.T) {
	var c history.Chain
	c.Absorb([]history.Entry{{At: noon.Add(2), What: "b"}, {At: noon, What: "a"}, {At: noon.Add(2), What: "c"}})
	c.Append(history.Entry{At: noon.Add(3), What: "d"})
	c.Absorb([]history.Entry{{At: noon, What: "never"}})
	var order strings.Builder
	for _, e := range c.All() {
		order.WriteString(e.What)
	}
	if order.String() != "abcd" || c.Flaw() != "" || c.Length() != 4 {
		t.Errorf("%s, %s", order.String(), c.Flaw())
	}
}

// FuzzChain: a text that is read as a chain has a flaw, or can be gone on with.
func FuzzChain(f *testing.F) {
	for _, n := range []int{0, 1, 9, 30} {
		text, err := json.Marshal(lived(n))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`{"compacted":{},"entries":[]}`))
	f.Add([]byte(`{"compacted":{"kept":[{}]}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var c history.Chain
		if json.Unmarshal(text, &c) != nil || c.Flaw() != "" {
			return
		}
		before := c.Length()
		for range 70 {
			c.Append(history.Entry{At: noon, What: history.Updated})
		}
		if flaw := c.Flaw(); flaw != "" || c.Length() != before+70 {
			t.Fatalf("%s, length %d and then %d", flaw, before, c.Length())
		}
	})
}

func BenchmarkFlaw(b *testing.B) {
	c := lived(1)
	for b.Loop() {
		if c.Flaw() != "" {
			b.Fatal(c.Flaw())
		}
	}
}
