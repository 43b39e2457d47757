package policy

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Check is Compile, and finds what is wrong in a World: names that are not there, and
// everything that the linter has to say. others are the environment's other policies.
func Check(spec Spec, world World, others []*Policy, now time.Time) []Finding {
	return NewOutlook(world, others).Check(spec, now)
}

// Check finds what is wrong, or strange, about a policy in the environment, see the
// function Check. A policy that cannot be compiled is not taken into account: what it would
// do is not known.
func (o *Outlook) Check(spec Spec, now time.Time) []Finding {
	findings := o.mistakes(spec)
	if len(findings) == 0 { // or the linter would be talking about something else
		o.mu.Lock()
		defer o.mu.Unlock()
		c := checker{Outlook: o, spec: spec, now: now}
		c.lint(o.memory.prepare(spec).rules)
		findings = c.findings
	}
	slices.SortStableFunc(findings, byPlace)
	return findings
}

// byPlace sorts mistakes first, and then by statement.
func byPlace(a, b Finding) int {
	return cmp.Or(cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.At.Statement, b.At.Statement))
}

// mistakes finds what is wrong with a policy by itself, and names that are not there.
func (o *Outlook) mistakes(spec Spec) []Finding {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := o.memory.prepare(spec)
	c := checker{Outlook: o, spec: spec, findings: slices.Clone(p.mistakes)}
	for i, r := range p.rules {
		c.names(r)
		if r.at.Statement >= 0 {
			c.ambiguous(r, spec.Statements[i])
		}
	}
	return c.findings
}

// known lists the entities of a type that there are.
func (e *Engine) known(t entityType) []string {
	var names []string
	switch t {
	case credentialType:
		names = slices.AppendSeq(names, maps.Keys(e.callerOf))
	case keyType:
		names = slices.AppendSeq(names, maps.Keys(e.targetOf))
	}
	return names
}

// knownGroups lists the owners or tags that the credentials, or the keys, have.
func (e *Engine) knownGroups(of, t entityType) []string {
	var names []string
	add := func(g entity) {
		if g.Type == t {
			names = append(names, g.ID)
		}
	}
	if of == credentialType {
		for g := range e.callersIn {
			add(g)
		}
	} else {
		for g := range e.targetsIn {
			add(g)
		}
	}
	return names
}

// has reports whether an entity is there, or something that belongs to it.
func (e *Engine) has(of entityType, x entity) bool {
	switch {
	case x.Type == credentialType:
		return e.callerOf[x.ID] != nil
	case x.Type == keyType:
		return e.targetOf[x.ID] != nil
	case of == credentialType:
		return len(e.callersIn[x]) > 0
	default:
		return len(e.targetsIn[x]) > 0
	}
}

// checker gathers what is to be said of a policy in an environment.
type checker struct {
	*Outlook
	spec     Spec
	now      time.Time
	findings []Finding
}

// caution says something of a rule that somebody should have a second look at. The title
// says it in short.
func (c *checker) caution(r *rule, field, element, title, problem, hint string) {
	c.say(Finding{Severity: Caution, Title: title, Problem: problem, Hint: hint}, r, field, element)
}

func (c *checker) say(f Finding, r *rule, field, element string) {
	f.At, f.About = r.at, r.label
	if f.At.Statement >= 0 {
		f.At.Field, f.At.Element = field, element
	} else {
		f.Problem = fmt.Sprintf("In %s (line %d): %s", r.label, r.clause.line, f.Problem)
	}
	c.findings = append(c.findings, f)
}

// names finds credentials and keys that are not there.
func (c *checker) names(r *rule) {
	seen := map[entity]bool{}
	for _, e := range r.named() {
		if seen[e] {
			continue
		}
		seen[e] = true
		switch e.Type {
		case credentialType:
			c.name(r, "principals", "credential", "hsm_api_credential", e)
		case keyType:
			c.name(r, "keys", "key", "hsm_key", e)
		}
	}
}

func (c *checker) name(r *rule, field, noun, resource string, e entity) {
	if c.engine.has(e.Type, e) {
		return
	}
	c.say(Finding{
		Severity: Mistake, Problem: fmt.Sprintf("There is no %s %q in this environment.", noun, e.ID),
		Hint: suggestion(e.ID, c.engine.known(e.Type), fmt.Sprintf("If it is yet to be made, refer to its resource (%s.NAME.id), so that it is made first.", resource)),
	}, r, field, e.ID)
}

// ambiguous finds the word "any" where it could be meant as a name.
func (c *checker) ambiguous(r *rule, s Statement) {
	if c.engine.callerOf[Any] != nil && slices.Contains(s.Principals, Any) {
		c.say(Finding{
			Severity: Mistake, Problem: `There is a credential that is called "any": it cannot be told whether it or every one is meant.`, Hint: "Give that credential another name.",
		}, r, "principals", Any)
	}
	if c.engine.targetOf[Any] != nil && slices.Contains(s.Keys, Any) {
		c.say(Finding{
			Severity: Mistake, Problem: `There is a key that is called "any": it cannot be told whether it or every one is meant.`, Hint: "Give that key another name.",
		}, r, "keys", Any)
	}
}
