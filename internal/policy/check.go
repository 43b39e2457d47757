package policy

import (
	"cmp"
	"fmt"
	"slices"
)

// Check is Compile, and finds what is wrong in a World: names that are not there, and
// everything that the linter has to say. others are the environment's other policies.
func Check(spec Spec, world World, others []*Policy) []Finding {
	rules, findings := compile(spec)
	c := checker{people: world.people(), things: world.things(), world: world}
	for i, r := range rules {
		c.names(r)
		if r.at.Statement >= 0 {
			c.ambiguous(r, spec.Statements[i])
		}
	}
	findings = append(findings, c.findings...)
	if len(findings) == 0 { // or the linter would be talking about something else
		c.lint(rules, enabled(spec.Name, others))
		findings = c.findings
	}
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.At.Statement, b.At.Statement))
	})
	return findings
}

// enabled returns the rules of the living, enabled policies but the named one. What one
// that cannot be compiled would do is not known.
func enabled(but string, policies []*Policy) []*rule {
	var rules []*rule
	for _, p := range policies {
		if p.Spec.Name == but || p.Tombstone != nil || !p.Spec.Enabled {
			continue
		}
		if more, mistakes := compile(p.Spec); len(mistakes) == 0 {
			rules = append(rules, more...)
		}
	}
	return rules
}

// members is the credentials, or the keys, of a World by name, with what each belongs to.
type members map[string][]entity

func (w World) people() members {
	m := members{}
	for _, p := range w.Principals {
		m[p.Name] = groups(p.Owner, p.Tags)
	}
	return m
}

func (w World) things() members {
	m := members{}
	for _, k := range w.Keys {
		m[k.Spec.Name] = groups("", k.Spec.Tags)
	}
	return m
}

// names lists the members.
func (m members) names() []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	return names
}

// of lists the names of everything of a type that a member belongs to.
func (m members) of(t entityType) []string {
	var names []string
	for _, groups := range m {
		for _, g := range groups {
			if g.Type == t {
				names = append(names, g.ID)
			}
		}
	}
	return names
}

// checker gathers what is to be said of a policy in a World.
type checker struct {
	world          World
	people, things members
	findings       []Finding
}

func (c *checker) say(severity Severity, r *rule, field, element, problem, hint string) {
	at := r.at
	if at.Statement >= 0 {
		at.Field, at.Element = field, element
	} else {
		problem = fmt.Sprintf("In %s (line %d): %s", r.label, r.line, problem)
	}
	c.findings = append(c.findings, Finding{Severity: severity, At: at, Problem: problem, Hint: hint})
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
			c.name(r, "principals", "credential", "hsm_api_credential", e.ID, c.people)
		case keyType:
			c.name(r, "keys", "key", "hsm_key", e.ID, c.things)
		}
	}
}

func (c *checker) name(r *rule, field, noun, resource, name string, in members) {
	if _, ok := in[name]; ok {
		return
	}
	c.say(Mistake, r, field, name, fmt.Sprintf("There is no %s %q in this environment.", noun, name), suggestion(name, in.names(),
		fmt.Sprintf("If it is yet to be made, refer to its resource (%s.NAME.id), so that it is made first.", resource)))
}

// ambiguous finds the word "any" where it could be meant as a name.
func (c *checker) ambiguous(r *rule, s Statement) {
	if _, ok := c.people[Any]; ok && slices.Contains(s.Principals, Any) {
		c.say(Mistake, r, "principals", Any, `There is a credential that is called "any": it cannot be told whether it or every one is meant.`, "Give that credential another name.")
	}
	if _, ok := c.things[Any]; ok && slices.Contains(s.Keys, Any) {
		c.say(Mistake, r, "keys", Any, `There is a key that is called "any": it cannot be told whether it or every one is meant.`, "Give that key another name.")
	}
}
