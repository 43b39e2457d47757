// Package history is what a record tells of its own past: a chain of entries, each with the
// hash of the one before, so that none can be changed, taken out or put in between without
// changing all that follow.
//
// It is no protection by itself against somebody who has the token's PIN and means it: who
// can write a record can write a whole new chain. But whoever has seen a chain's head, and
// kept it where that person does not reach, can tell.
//
// The package is values, and knows neither keys nor policies. It has no clock.
package history

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// What happened. A record that an older version of the provider began may hold others.
const (
	Begun       = "begun"       // the intent to touch the HSM was recorded; Reason says what for
	Abandoned   = "abandoned"   // what was begun was never finished, and what it left was destroyed
	Settled     = "settled"     // what was begun is done
	Generated   = "generated"   // a version's key was made in the HSM
	Imported    = "imported"    // a version's key was made elsewhere, and unwrapped in the HSM
	Adopted     = "adopted"     // a version's key was found there
	Activated   = "activated"   // a version may protect
	Deactivated = "deactivated" // a version may no longer protect
	Suspended   = "suspended"
	Resumed     = "resumed"
	Retired     = "retired" // a version's overlap ended
	Revoked     = "revoked"
	Disabled    = "disabled"  // a version was switched off, as its key was removed
	Destroyed   = "destroyed" // a version's key was destroyed
	Claimed     = "claimed"   // a rotation took the key over
	Released    = "released"  // a rotation let it go
	Created     = "created"
	Issued      = "issued" // a credential's version
	Updated     = "updated"
	Removed     = "removed"
)

// passing are the things of which the last few are enough: what they led to is said by
// other entries, or by the record itself. Everything else matters.
var passing = map[string]bool{
	Begun: true, Abandoned: true, Settled: true, Deactivated: true, Suspended: true, Resumed: true, Claimed: true, Released: true, Updated: true,
}

// Entry is one thing that happened. Seq and Prev belong to the chain.
type Entry struct {
	Seq int       `json:"seq"` // from 1, without gaps
	At  time.Time `json:"at"`  // UTC
	// What is one of the constants; Version the number of the version that it happened to,
	// 0 for the whole.
	What    string `json:"what"`
	Version int    `json:"version,omitempty"`
	Actor   string `json:"actor"`
	Reason  string `json:"reason,omitempty"`
	Run     string `json:"run,omitempty"` // the process that did it
	// Digest is a SHA-256 in hexadecimal of what came of it: of a public key, of a policy.
	Digest string `json:"digest,omitempty"`
	// Prev is the SHA-256, in hexadecimal, of the JSON text of the entry before, as it is
	// stored; empty in the first of all.
	Prev string `json:"prev,omitempty"`
	// After is the same of the compaction that the entry was the first to follow.
	After string `json:"after,omitempty"`
}

// Chain is a record's history. The zero value is an empty one.
type Chain struct {
	Compacted *Compaction `json:"compacted,omitempty"` // nil as long as there are few
	Entries   []Entry     `json:"entries,omitempty"`
}

// Compaction stands for the older part of a chain.
type Compaction struct {
	Seq  int    `json:"seq"`  // of the last entry that it stands for
	Head string `json:"head"` // the hash of that entry, which was the chain's
	// Kept are, as they were, the last few of its entries and of the others those that
	// matter. What was between them is gone; but the entry that comes next depends on all
	// that is said here, by its After.
	Kept []Entry `json:"kept"`
}

// A chain that has grown to so many entries is compacted; the last few are kept whatever
// they are about.
const (
	most  = 32
	fresh = 8
)

// IsZero reports whether there is no entry, and never was.
func (c Chain) IsZero() bool { return c.Compacted == nil && len(c.Entries) == 0 }

// Append adds an entry, and makes room for it if need be.
func (c *Chain) Append(e Entry) {
	if len(c.Entries) >= most {
		c.compact()
	}
	e.Seq, e.Prev = c.Length()+1, c.Head()
	if len(c.Entries) == 0 && c.Compacted != nil {
		e.After = hash(c.Compacted)
	}
	// As they will be when they have been stored and read, or the hash would not be theirs.
	e.At = e.At.UTC().Round(0)
	for _, text := range []*string{&e.What, &e.Actor, &e.Reason, &e.Run, &e.Digest} {
		*text = strings.ToValidUTF8(*text, "\uFFFD")
	}
	c.Entries = append(c.Entries, e)
}

// Absorb begins a chain with what was noted before there were chains. Of a chain that has
// begun it changes nothing.
func (c *Chain) Absorb(earlier []Entry) {
	if !c.IsZero() {
		return
	}
	earlier = slices.Clone(earlier)
	slices.SortStableFunc(earlier, func(a, b Entry) int { return a.At.Compare(b.At) })
	for _, e := range earlier {
		c.Append(e)
	}
}

// compact puts a compaction in the place of all entries.
func (c *Chain) compact() {
	all := c.All()
	last := all[len(all)-1]
	type subject struct {
		what    string
		version int
	}
	seen := map[subject]bool{}
	var kept []Entry
	for n, e := range slices.Backward(all) {
		about := subject{e.What, e.Version}
		if n >= len(all)-fresh || !passing[e.What] && !seen[about] {
			kept = append(kept, e)
		}
		seen[about] = true
	}
	slices.Reverse(kept)
	c.Compacted, c.Entries = &Compaction{Seq: last.Seq, Head: hash(last), Kept: kept}, nil
}

// All lists the entries that there still are, the oldest first.
func (c Chain) All() []Entry {
	if c.Compacted == nil {
		return slices.Clone(c.Entries)
	}
	return append(slices.Clone(c.Compacted.Kept), c.Entries...)
}

// Length counts the entries that there have ever been.
func (c Chain) Length() int {
	switch {
	case len(c.Entries) > 0:
		return c.Entries[len(c.Entries)-1].Seq
	case c.Compacted != nil:
		return c.Compacted.Seq
	}
	return 0
}

// Hash is the chain's head as it was when the entry was the last.
func (e Entry) Hash() string { return hash(e) }

// Head is the hash that stands for the whole chain, empty for an empty one.
func (c Chain) Head() string {
	switch {
	case len(c.Entries) > 0:
		return hash(c.Entries[len(c.Entries)-1])
	case c.Compacted != nil:
		return c.Compacted.Head
	}
	return ""
}

// Flaw says what is wrong with the chain, in a sentence; empty for nothing. An entry that
// does not go with the one after it is the first that was changed, or the last before some
// that were.
func (c Chain) Flaw() string {
	prev, after, seq := "", "", 0
	if k := c.Compacted; k != nil {
		if flaw := k.flaw(); flaw != "" {
			return flaw
		}
		prev, after, seq = k.Head, hash(k), k.Seq
	}
	for _, e := range c.Entries {
		if e.Seq != seq+1 {
			return fmt.Sprintf("In its history entry %d is missing.", seq+1)
		}
		if e.Prev != prev || e.After != after {
			return fmt.Sprintf("Its history was changed at entry %d, or before it.", max(seq, 1))
		}
		prev, after, seq = hash(e), "", e.Seq
	}
	return ""
}

// flaw checks what a compaction says of itself: its entries where they are next to each
// other, and the last one.
func (k *Compaction) flaw() string {
	if len(k.Kept) == 0 {
		return "Its history begins with nothing."
	}
	for n, e := range k.Kept {
		switch {
		case e.Seq < 1, n > 0 && e.Seq <= k.Kept[n-1].Seq:
			return fmt.Sprintf("In its history entry %d is in the wrong place.", e.Seq)
		case n > 0 && e.Seq == k.Kept[n-1].Seq+1 && e.Prev != hash(k.Kept[n-1]), e.Seq == 1 && e.Prev != "":
			return fmt.Sprintf("Its history was changed at entry %d, or before it.", e.Seq-1)
		}
	}
	if last := k.Kept[len(k.Kept)-1]; last.Seq != k.Seq || hash(last) != k.Head {
		return fmt.Sprintf("Its history was changed at entry %d.", last.Seq)
	}
	return ""
}

// Clone returns a deep copy.
func (c Chain) Clone() Chain {
	c.Entries = slices.Clone(c.Entries)
	if c.Compacted != nil {
		k := *c.Compacted
		k.Kept = slices.Clone(k.Kept)
		c.Compacted = &k
	}
	return c
}

// hash is the SHA-256 of the JSON text of an entry or a compaction.
func hash(of any) string {
	text, err := json.Marshal(of)
	if err != nil { // a time after the year 9999, which no record can hold
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
