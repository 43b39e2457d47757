package inventory

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// chain is a record's history, its entries as they are stored: hashes are of that text.
type chain struct {
	Compacted json.RawMessage   `json:"compacted"`
	Entries   []json.RawMessage `json:"entries"`
}

// link is what ties an entry to the one before.
type link struct {
	Seq     int    `json:"seq"`
	What    string `json:"what"`
	Version int    `json:"version"`
	Prev    string `json:"prev"`
	After   string `json:"after"`
}

func sum(text []byte) string {
	if text == nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// check returns the entries that are still there, and lists where the chain is torn.
func (c chain) check() (links []link, torn []string) {
	var k struct {
		Seq  int               `json:"seq"`
		Head string            `json:"head"`
		Kept []json.RawMessage `json:"kept"`
	}
	if c.Compacted != nil {
		if err := json.Unmarshal(c.Compacted, &k); err != nil {
			return nil, []string{"cannot be read: " + err.Error()}
		}
	}
	var before link
	var text []byte
	for n, entry := range append(k.Kept, c.Entries...) {
		var l link
		if err := json.Unmarshal(entry, &l); err != nil {
			return links, append(torn, "cannot be read: "+err.Error())
		}
		first := n == len(k.Kept) // after the compaction, or of all
		switch {
		case n >= len(k.Kept) && l.Seq != before.Seq+1, l.Seq <= before.Seq:
			torn = append(torn, fmt.Sprintf("is torn: entry %d follows entry %d", l.Seq, before.Seq))
		case l.Seq == before.Seq+1 && l.Prev != sum(text):
			torn = append(torn, fmt.Sprintf("is torn: entry %d does not go with the one before", l.Seq))
		case first && l.After != sum(c.Compacted):
			torn = append(torn, fmt.Sprintf("is torn: entry %d does not go with the compaction before", l.Seq))
		case first && c.Compacted != nil && (before.Seq != k.Seq || sum(text) != k.Head):
			torn = append(torn, "is torn: the compaction does not go with its last entry")
		}
		before, text = l, entry
		links = append(links, l)
	}
	return links, torn
}

// has reports whether a thing is told of a version.
func has(links []link, version int, whats ...string) bool {
	for _, l := range links {
		for _, what := range whats {
			if l.What == what && l.Version == version {
				return true
			}
		}
	}
	return false
}

// history lists what is wrong with a key's history.
func (k *Key) history() (problems []string) {
	links, problems := k.Chain.check()
	for n, v := range k.Versions {
		for _, each := range []struct {
			happened bool
			whats    []string
		}{
			{!v.Pending, []string{"generated", "imported", "adopted"}},
			{!v.ActivatedAt.IsZero(), []string{"activated"}},
			{!v.RevokedAt.IsZero(), []string{"revoked"}},
		} {
			if each.happened && !has(links, n, each.whats...) {
				problems = append(problems, fmt.Sprintf("does not tell when version %d was %v", n, each.whats))
			}
		}
	}
	return problems
}

// history lists what is wrong with that of another record.
func (r *Record) history() []string {
	if r.Kind == "environment" {
		return nil
	}
	b := r.body()
	links, problems := b.Chain.check()
	if len(links) == 0 {
		problems = append(problems, "is empty")
	}
	for n := range b.Versions {
		if !has(links, n, "issued") {
			problems = append(problems, fmt.Sprintf("does not tell when version %d was issued", n))
		}
	}
	return problems
}
