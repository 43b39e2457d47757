package policy

import (
	"iter"
	"math/bits"
	"slices"
)

// bitset is a set of small numbers: of rules, by their index.
type bitset []uint64

func (b *bitset) add(i int) {
	for len(*b) <= i/64 {
		*b = append(*b, 0)
	}
	(*b)[i/64] |= 1 << (i % 64)
}

func (b bitset) remove(i int) {
	if i/64 < len(b) {
		b[i/64] &^= 1 << (i % 64)
	}
}

func (b *bitset) union(other bitset) {
	for len(*b) < len(other) {
		*b = append(*b, 0)
	}
	for i, word := range other {
		(*b)[i] |= word
	}
}

// common iterates over what is in all of the sets, ascending.
func common(a, b, c bitset) iter.Seq[int] {
	n := min(len(a), len(b), len(c))
	a, b, c = a[:n], b[:n], c[:n]
	return func(yield func(int) bool) {
		for i := range a {
			for word := a[i] & b[i] & c[i]; word != 0; word &= word - 1 {
				if !yield(i*64 + bits.TrailingZeros64(word)) {
					return
				}
			}
		}
	}
}

// meet reports whether something is in all of the sets.
func meet(a, b, c bitset) bool {
	for i := range min(len(a), len(b), len(c)) {
		if a[i]&b[i]&c[i] != 0 {
			return true
		}
	}
	return false
}

// index finds the rules whose scope a request may be in. It never leaves out one whose
// scope the request is in: what is left out is neither decided by nor asked for errors,
// and by Cedar's semantics a policy out of scope comes to no error.
type index struct {
	principals   map[entity]bitset // by what a rule names
	keys         map[entity]bitset
	anyPrincipal bitset
	anyKey       bitset
	actions      [len(actionNames)]bitset
	permits      [len(actionNames)]bitset // those of actions that permit
}

func newIndex() *index {
	return &index{principals: map[entity]bitset{}, keys: map[entity]bitset{}}
}

func (x *index) add(i int, r *rule) {
	put(i, x.principals, &x.anyPrincipal, r.principals)
	put(i, x.keys, &x.anyKey, r.keys)
	for a := range x.actions {
		if r.actions&(1<<a) == 0 {
			continue
		}
		x.actions[a].add(i)
		if r.effect == Permit {
			x.permits[a].add(i)
		}
	}
}

func (x *index) remove(i int, r *rule) {
	take(i, x.principals, x.anyPrincipal, r.principals)
	take(i, x.keys, x.anyKey, r.keys)
	for a := range x.actions {
		x.actions[a].remove(i)
		x.permits[a].remove(i)
	}
}

// put enters a rule under whatever it names; nil is everything.
func put(i int, under map[entity]bitset, everything *bitset, named []entity) {
	if named == nil {
		everything.add(i)
	}
	for _, e := range named {
		set := under[e]
		set.add(i)
		under[e] = set
	}
}

func take(i int, under map[entity]bitset, everything bitset, named []entity) {
	everything.remove(i)
	for _, e := range named {
		under[e].remove(i)
	}
}

// lookUp returns the rules that name something, one of the groups that it belongs to, or
// everything.
func (x *index) lookUp(in map[entity]bitset, everything bitset, itself entity, groups []entity) bitset {
	found := slices.Clone(everything)
	found.union(in[itself])
	for _, g := range groups {
		found.union(in[g])
	}
	return found
}
