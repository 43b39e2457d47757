package policy

import (
	"fmt"
	"reflect"
	"slices"
)

// cover finds out whether a permit changes nothing because of another rule: of the same
// policy or of another one that is enabled.
func (c *checker) cover(r *rule, i int, own, others []*rule) {
	all := slices.Concat(own, others)
	if by := c.coveredBy(r, all, Forbid); by != nil {
		c.say(Caution, r, "", "", fmt.Sprintf("This permits nothing: whatever it permits is forbidden by %s.", c.called(by, r)), "Narrow what is forbidden, or leave this out.")
		return
	}
	// Of two that cover each other the first is to stay.
	rivals := slices.DeleteFunc(slices.Clone(all), func(s *rule) bool {
		j := slices.Index(own, s)
		return j == i || j > i && c.covers(r, s)
	})
	if by := c.coveredBy(r, rivals, Permit); by != nil {
		c.say(Caution, r, "", "", fmt.Sprintf("This changes nothing: whatever it permits is permitted by %s.", c.called(by, r)), "Leave one of them out, or narrow the wider one.")
	}
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
	return coversAll(wide.principals, narrow.principals, c.people) && coversAll(wide.keys, narrow.keys, c.things) &&
		wide.actions.has(narrow.actions) &&
		(len(wide.parts) == 0 || wide.condition != nil && reflect.DeepEqual(wide.condition, narrow.condition))
}

// coversAll reports whether everything that is named is also named by the wider list,
// itself or by a group that it belongs to. nil is everything.
func coversAll(wide, narrow []entity, in members) bool {
	if wide == nil {
		return true
	}
	return narrow != nil && !slices.ContainsFunc(narrow, func(e entity) bool {
		var groups []entity
		if e.Type == credentialType || e.Type == keyType {
			groups = in[e.ID]
		}
		return !matches(wide, e, groups)
	})
}
