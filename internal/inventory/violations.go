package inventory

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Violations lists what must not be whenever no run is under way: an object without a
// record, a half pair, two objects for one version, a version that may do what it must
// not, none or two active versions, work that nobody finished, a history that is torn or
// does not tell where a version came from. strangers are the ids of keys that the provider
// has not been told of.
func (i *Inventory) Violations(strangers ...string) []string {
	bad := slices.Clone(i.flaws)
	say := func(format string, args ...any) { bad = append(bad, fmt.Sprintf(format, args...)) }
	known := map[string]bool{}
	for _, id := range strangers {
		known[id] = true
	}
	for _, name := range slices.Sorted(maps.Keys(i.Keys)) {
		k := i.Keys[name]
		if k.Work != nil {
			say("key %s: a %s was begun and not finished", name, k.Work.What)
		}
		active := 0
		for n, v := range k.Versions {
			known[v.Ref.ID] = true
			if n != v.Number || n > k.Counter || n < 1 {
				say("key %s: version %d under the number %d, with the counter at %d", name, v.Number, n, k.Counter)
			}
			if v.Pending {
				say("key %s version %d: never finished", name, n)
			}
			if k.Protects(v) {
				active++
			}
			for _, problem := range i.version(k, v) {
				say("key %s version %d: %s", name, n, problem)
			}
		}
		for _, problem := range k.history() {
			say("key %s: its history %s", name, problem)
		}
		if k.Spec.Enabled && k.Tombstone == nil && active != 1 {
			say("key %s: %d active versions", name, active)
		}
	}
	for _, label := range slices.Sorted(maps.Keys(i.Others)) {
		for _, problem := range i.Others[label].history() {
			say("record %s: its history %s", label, problem)
		}
	}
	for _, o := range i.Objects {
		if !known[o.ID] {
			say("object %q of class %d with the id %s: no record", o.Label, o.Class, o.ID)
		}
	}
	return bad
}

// Keyless lists the versions that were finished, and not destroyed, and of which there is
// no private or secret key: that is a key lost.
func (i *Inventory) Keyless() (lost []string) {
	have := map[string]bool{}
	for _, o := range i.Objects {
		have[o.ID] = have[o.ID] || !o.IsPublic()
	}
	for _, name := range slices.Sorted(maps.Keys(i.Keys)) {
		for n, v := range i.Keys[name].Versions {
			if !v.Pending && v.DestroyedAt.IsZero() && !have[v.Ref.ID] {
				lost = append(lost, fmt.Sprintf("key %s version %d", name, n))
			}
		}
	}
	return lost
}

// version lists what is wrong with the objects of one version.
func (i *Inventory) version(k *Key, v *Version) (problems []string) {
	secrets, publics, protecting := 0, 0, false
	for _, o := range i.Objects {
		switch {
		case o.ID != v.Ref.ID:
		case o.IsPublic():
			publics++
		default:
			secrets++
			protecting = protecting || o.Protects
		}
	}
	wantSecrets, wantPublics := 1, 0
	if v.Ref.Pair {
		wantPublics = 1
	}
	if !v.DestroyedAt.IsZero() {
		wantSecrets = 0
		if v.RetiredBy != "destroy" || k.Tombstone != nil && k.Tombstone.Action == "destroy" {
			wantPublics = 0
		}
	}
	if secrets != wantSecrets || publics != wantPublics {
		problems = append(problems, fmt.Sprintf("%d private or secret and %d public objects, want %d and %d", secrets, publics, wantSecrets, wantPublics))
	}
	if protecting != k.Protects(v) {
		problems = append(problems, fmt.Sprintf("the token lets it protect: %v", protecting))
	}
	return problems
}

// Lost lists what was there before and is no longer: records, versions and their keys,
// numbers. It has to be empty, whatever was done in between.
func (i *Inventory) Lost(before *Inventory) []string {
	var lost []string
	say := func(format string, args ...any) { lost = append(lost, fmt.Sprintf(format, args...)) }
	for name, was := range before.Keys {
		is := i.Keys[name]
		if is == nil {
			say("key %s: its record", name)
			continue
		}
		if is.Counter < was.Counter {
			say("key %s: the counter went from %d to %d", name, was.Counter, is.Counter)
		}
		for n, v := range was.Versions {
			switch now := is.Versions[n]; {
			case now == nil && v.Pending: // it was never anybody's, but its number stays used
			case now == nil:
				say("key %s version %d: its record", name, n)
			case now.Ref.ID != v.Ref.ID:
				say("key %s version %d: it was %s and is %s", name, n, v.Ref.ID, now.Ref.ID)
			}
		}
	}
	for label, was := range before.Others {
		is := i.Others[label]
		if is == nil {
			say("record %s", label)
			continue
		}
		if is.Generation < was.Generation {
			say("record %s: generation %d, now %d", label, was.Generation, is.Generation)
		}
		had, has := was.body(), is.body()
		if has.Counter < had.Counter {
			say("record %s: its counter went from %d to %d", label, had.Counter, has.Counter)
		}
		for n, v := range had.Versions {
			if has.Versions[n].Fingerprint != v.Fingerprint {
				say("record %s version %d: it is gone, or another one", label, n)
			}
		}
	}
	return lost
}

// Astray lists what a change that was disturbed has left otherwise than one that was not:
// a key that is gone although it would be there, whatever its record says of it; a version
// destroyed that was active, and would not be destroyed; another public key under an id; something that lives and
// should not, or the other way round. More versions than without the disturbance are
// none of that.
func (i *Inventory) Astray(before, undisturbed *Inventory) []string {
	var astray []string
	say := func(format string, args ...any) { astray = append(astray, fmt.Sprintf(format, args...)) }
	had, kept, have := before.Secrets(), undisturbed.Secrets(), i.Secrets()
	for _, id := range had {
		if slices.Contains(kept, id) && !slices.Contains(have, id) {
			say("the private or secret key with the id %s is gone", id)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(i.Keys)) {
		for n, v := range i.Keys[name].Versions {
			was := before.Keys[name]
			before := was != nil && was.Versions[n] != nil && !was.Versions[n].DestroyedAt.IsZero()
			meant := slices.Contains(had, v.Ref.ID) && !slices.Contains(kept, v.Ref.ID)
			if !v.DestroyedAt.IsZero() && !v.ActivatedAt.IsZero() && !before && !meant {
				say("key %s version %d: it was active, and is destroyed without being asked to", name, n)
			}
		}
	}
	public := i.publics()
	for id, was := range before.publics() {
		if now, ok := public[id]; ok && now != was {
			say("the public key with the id %s is another one", id)
		}
	}
	if got, want := i.living(), undisturbed.living(); !slices.Equal(got, want) {
		say("alive are %q, and should be %q", got, want)
	}
	return astray
}

// Shape tells in a line what is there and in which state, without ids and times: the same
// change leaves the same shape.
func (i *Inventory) Shape() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(i.Keys)) {
		k := i.Keys[name]
		action := ""
		if k.Tombstone != nil {
			action = k.Tombstone.Action
		}
		fmt.Fprintf(&b, "key %s, enabled %t, removed %q:", name, k.Spec.Enabled, action)
		for _, n := range slices.Sorted(maps.Keys(k.Versions)) {
			v := k.Versions[n]
			fmt.Fprintf(&b, " %d %t %t %t %t %t %t;", n, v.Pending, !v.ActivatedAt.IsZero(), !v.DeactivatedAt.IsZero(), !v.RevokedAt.IsZero(), !v.DestroyedAt.IsZero(), k.Protects(v))
		}
	}
	for _, label := range slices.Sorted(maps.Keys(i.Others)) {
		r := i.Others[label].body()
		fmt.Fprintf(&b, " %s: lives %t, counter %d, %d versions;", label, i.Lives(label), r.Counter, len(r.Versions))
	}
	fmt.Fprintf(&b, " %d objects", len(i.Objects))
	return b.String()
}
