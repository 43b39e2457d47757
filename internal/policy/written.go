package policy

import (
	"cmp"
	"fmt"
	"slices"
)

// written reads a policy that is given as Cedar text: it parses it and validates it
// strictly.
func (r *reader) written(policy, text string) []*rule {
	clauses, err := parse(text, 0)
	if err != nil {
		r.wrong("cedar", "", fmt.Sprintf("The text is not Cedar: %v.", err), "Correct it there; the positions are those of the word after the mistake.")
		return nil
	}
	if len(clauses) == 0 {
		r.wrong("cedar", "", "There is no policy in the text.", "Write at least one permit or forbid.")
		return nil
	}
	check, err := newValidator(r.zones(clauses)...)
	if err != nil {
		if len(r.findings) == 0 { // or a zone has a name that is none at all
			r.wrong("cedar", "", fmt.Sprintf("The text cannot be validated (%v). This is a bug.", err), "Please report it, with the text.")
		}
		return nil
	}
	rules := make([]*rule, len(clauses))
	for i, c := range clauses {
		rules[i] = writtenRule(policy, i, c)
		seen := map[string]bool{}
		messages := check.check(c)
		if len(messages) > 1 { // it follows from the others
			messages = slices.DeleteFunc(messages, func(m string) bool { return m == inapplicable })
		}
		for _, message := range messages {
			problem, hint := explain(message)
			if problem = fmt.Sprintf("In %s (line %d): %s", rules[i].label, c.line, problem); !seen[problem] {
				r.wrong("cedar", "", problem, hint)
			}
			seen[problem] = true
		}
	}
	slices.SortStableFunc(r.findings, func(a, b Finding) int { return cmp.Compare(a.Problem, b.Problem) }) // the validator has no order
	return rules
}

// zones returns the time zones whose clocks are read. One that there is not is a mistake,
// and not another one of an attribute that the context does not have.
func (r *reader) zones(clauses []*clause) []string {
	var zones []string
	for _, c := range clauses {
		for _, zone := range c.zones {
			if slices.Contains(zones, zone) {
				continue
			}
			if _, err := loadZone(zone); err != nil {
				r.wrong("cedar", "", fmt.Sprintf("There is no time zone %q.", zone), `Use a name of the IANA database, "Europe/Zurich" or "UTC".`)
			}
			zones = append(zones, zone)
		}
	}
	return zones
}

// writtenRule is one policy of a text as a rule. Unless it permits, it covers sign_digest
// like any action; to permit that it has to name it.
func writtenRule(policy string, index int, c *clause) *rule {
	effect, principals, keys, actions, isAny := c.scope()
	label := fmt.Sprintf("Cedar policy %d", index+1)
	if c.id != "" {
		label = fmt.Sprintf("Cedar policy %q", c.id)
	}
	r := &rule{
		policy: policy, at: Place{Statement: -1, Field: "cedar"},
		effect: effect, principals: principals, keys: keys, isAnyAction: isAny, clause: c,
	}
	for _, name := range actions {
		r.actions |= setOf(Action(name))
	}
	if isAny {
		r.actions = everyAction
		if effect == Permit {
			r.actions = anyAction
		}
	}
	return r.call(label)
}
