package policy

import (
	"fmt"
	"math/bits"
	"reflect"
	"slices"
)

// cover finds out whether a permit changes nothing because of another rule: of the same
// policy or of another one that is enabled.
func (c *checker) cover(r *rule, i int, own []*rule) {
	all := slices.Concat(own, c.rivals(r))
	if by := c.coveredBy(r, all, Forbid); by != nil {
		by := c.called(by, r)
		c.caution(r, "", "", "it is forbidden by "+by, fmt.Sprintf("This permits nothing: whatever it permits is forbidden by %s.", by), "Narrow what is forbidden, or leave this out.")
		return
	}
	// Of two that cover each other the first is to stay.
	rivals := slices.DeleteFunc(all, func(s *rule) bool {
		j := slices.Index(own, s)
		return j == i || j > i && c.covers(r, s)
	})
	if by := c.coveredBy(r, rivals, Permit); by != nil {
		by := c.called(by, r)
		c.caution(r, "", "", "it is permitted by "+by+" already", fmt.Sprintf("This changes nothing: whatever it permits is permitted by %s.", by),
			"Leave one of them out, or narrow the wider one.")
	}
}

// rivals returns the rules of other policies that may cover a rule: those that are about
// the first of the callers, the first of the keys, and the first action.
func (c *checker) rivals(r *rule) []*rule {
	x := c.engine.index
	people, things := x.anyPrincipal, x.anyKey
	if len(r.principals) > 0 {
		people = x.lookUp(x.principals, people, r.principals[0], c.groupsOf(r.principals[0]))
	}
	if len(r.keys) > 0 {
		things = x.lookUp(x.keys, things, r.keys[0], c.groupsOf(r.keys[0]))
	}
	var rivals []*rule
	if r.actions != 0 {
		for i := range common(people, things, x.actions[bits.TrailingZeros16(uint16(r.actions))]) {
			if s := c.engine.rules[i]; s.policy != c.spec.Name {
				rivals = append(rivals, s)
			}
		}
	}
	return rivals
}

// groupsOf returns what a credential or key belongs to, nothing for a group.
func (c *checker) groupsOf(e entity) []entity {
	switch e.Type {
	case credentialType:
		if m := c.engine.callerOf[e.ID]; m != nil {
			return m.groups
		}
	case keyType:
		if m := c.engine.targetOf[e.ID]; m != nil {
			return m.groups
		}
	}
	return nil
}

// called is how a rule is called where another one is talked about.
func (c *checker) called(by, where *rule) string {
	if by.policy == where.policy {
		return by.label
	}
	return by.title
}

func (c *checker) coveredBy(r *rule, by []*rule, effect Effect) *rule {
	i := slices.IndexFunc(by, func(s *rule) bool { return s.effect == effect && c.covers(s, r) })
	if i < 0 {
		return nil
	}
	return by[i]
}

// covers reports whether a rule applies whenever the other one does, by what they say
// and not by who happens to be in which group now. It may say no of one that does.
func (c *checker) covers(wide, narrow *rule) bool {
	return c.coversAll(wide.principals, narrow.principals) && c.coversAll(wide.keys, narrow.keys) &&
		wide.actions.has(narrow.actions) &&
		(len(wide.clause.parts) == 0 || wide.condition != nil && reflect.DeepEqual(wide.condition, narrow.condition))
}

// coversAll reports whether everything that is named is also named by the wider list,
// itself or by a group that it belongs to. nil is everything.
func (c *checker) coversAll(wide, narrow []entity) bool {
	if wide == nil {
		return true
	}
	return narrow != nil && !slices.ContainsFunc(narrow, func(e entity) bool { return !matches(wide, e, c.groupsOf(e)) })
}
