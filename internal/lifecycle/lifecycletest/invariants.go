package lifecycletest

import (
	"fmt"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// Violations lists what is not as it must be of a key whenever no verb is under way.
func (m *Memory) Violations(name string) []string {
	k := m.Key(name)
	if k == nil {
		return []string{"no record"}
	}
	var bad []string
	say := func(format string, args ...any) { bad = append(bad, fmt.Sprintf(format, args...)) }
	for _, number := range m.twice {
		say("%s was given twice", number)
	}
	if flaw := k.Flaw(); flaw != "" {
		say("%s", flaw)
	}
	known := map[string]bool{}
	activeOnes := 0
	for _, n := range k.Numbers() {
		v := k.Versions[n]
		known[v.Ref.ID] = true
		if n > k.Counter {
			say("version %d is above the counter %d", n, k.Counter)
		}
		if v.Pending {
			say("version %d is still pending", n)
		}
		if k.State(v) == keyring.Active {
			activeOnes++
		}
		o := m.Objects[v.Ref.ID]
		switch {
		case !v.DestroyedAt.IsZero():
			if o != nil && o.Secrets > 0 {
				say("version %d is destroyed and its key is there", n)
			}
		case o == nil || o.Secrets != 1 || (v.Ref.Pair && o.Publics != 1):
			say("version %d: objects are %+v", n, o)
		case o.Allowed != k.Permitted(v):
			say("version %d may %s, the HSM allows %s", n, k.Permitted(v), o.Allowed)
		}
	}
	if k.Tombstone == nil && k.Spec.Enabled && activeOnes != 1 {
		say("%d active versions", activeOnes)
	}
	if k.Tombstone != nil && k.Tombstone.Action == keyring.DestroyDestroys && len(m.Objects) > 0 {
		say("the key is destroyed and %d objects are there", len(m.Objects))
	}
	if k.Work != nil {
		say("work is open: %+v", k.Work)
	}
	for other, rec := range m.Records {
		for _, v := range rec.Body.Versions {
			known[v.Ref.ID] = known[v.Ref.ID] || other != name
		}
	}
	for id := range m.Objects {
		if !known[id] {
			say("object %s belongs to no version", id)
		}
	}
	return bad
}

// Signs reports whether some version of a key that was handed out can sign, in the
// HSM.
func (m *Memory) Signs(name string) bool {
	for _, v := range m.Key(name).Versions {
		if o := m.Objects[v.Ref.ID]; !v.Pending && o != nil && o.Secrets > 0 && o.Allowed.Has(keyring.Sign) {
			return true
		}
	}
	return false
}
