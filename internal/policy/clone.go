package policy

import (
	"maps"
	"slices"
)

// RecordName is what the policy's record is found by.
func (p *Policy) RecordName() string { return p.Spec.Name }

// Flaw looks at the history alone: nobody relies on anything else in a policy but that it
// compiles, and one that does not is an error wherever it is used.
func (p *Policy) Flaw() string { return p.Chain.Flaw() }

// Clone returns a deep copy, so that a caller may change it and lose it.
func (p *Policy) Clone() *Policy {
	q := *p
	q.Spec.Tags = maps.Clone(p.Spec.Tags)
	q.Spec.Statements = slices.Clone(p.Spec.Statements)
	for i, s := range q.Spec.Statements {
		s.Principals, s.Actions, s.Keys = slices.Clone(s.Principals), slices.Clone(s.Actions), slices.Clone(s.Keys)
		s.Condition = s.Condition.clone()
		q.Spec.Statements[i] = s
	}
	if p.Tombstone != nil {
		q.Tombstone = new(*p.Tombstone)
	}
	q.Chain, q.Earlier = p.Chain.Clone(), slices.Clone(p.Earlier)
	return &q
}

func (c *Condition) clone() *Condition {
	if c == nil {
		return nil
	}
	d := *c
	d.SourceCIDRs, d.Mechanisms = slices.Clone(c.SourceCIDRs), slices.Clone(c.Mechanisms)
	if c.MaxPayloadBytes != nil {
		d.MaxPayloadBytes = new(*c.MaxPayloadBytes)
	}
	if c.Hours != nil {
		h := *c.Hours
		h.Weekdays = slices.Clone(h.Weekdays)
		d.Hours = &h
	}
	return &d
}
