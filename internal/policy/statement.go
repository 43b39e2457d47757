package policy

import (
	"fmt"
	"slices"
	"strings"
)

// reader reads a spec and gathers what is wrong with it.
type reader struct {
	at       Place  // the statement being read
	effect   Effect // its effect
	findings []Finding
}

// wrong notes a mistake in a field, or in one element of it.
func (r *reader) wrong(field, element, problem, hint string) {
	at := r.at
	at.Field, at.Element = field, element
	r.findings = append(r.findings, Finding{Severity: Mistake, At: at, Problem: problem, Hint: hint})
}

// statement reads the statement with the given index. What it returns is whole only if
// nothing was found to be wrong.
func (r *reader) statement(policy string, index int, s Statement) *rule {
	r.at, r.effect = Place{Statement: index}, s.Effect
	if s.Effect != Permit && s.Effect != Forbid {
		r.wrong("effect", "", fmt.Sprintf("There is no effect %q.", s.Effect), `Use "permit" or "forbid".`)
	}
	out := &rule{
		policy: policy, at: r.at, effect: s.Effect, condition: s.Condition, actions: r.actions(s.Actions),
	}
	out.call(fmt.Sprintf("statement %d", index+1))
	out.principals = r.selectors("principals", s.Principals, r.principal)
	out.keys = r.selectors("keys", s.Keys, r.key)
	conditions := r.condition(s.Condition)
	if len(r.findings) == 0 {
		r.express(out, fmt.Sprintf("%s/%d", policy, index+1), conditions)
	}
	return out
}

// express puts a statement in Cedar. What is one thing goes into the scope of the
// policy, several go into conditions.
func (r *reader) express(s *rule, id string, conditions []doc) {
	actions := make([]string, 0, len(actionNames))
	for _, a := range s.actions.list() {
		actions = append(actions, entity{actionType, string(a)}.String())
	}
	action := within("action", actions)
	if len(actions) == 1 {
		action = text("action == " + actions[0])
	}
	principal, who := scopeOf("principal", s.principals)
	resource, which := scopeOf("resource", s.keys)
	s.text = layOut(id, s.effect, [3]doc{principal, action, resource}, slices.Concat(who, which, conditions))
	clauses, err := parse(s.text, len(who)+len(which))
	if err != nil || len(clauses) != 1 {
		r.wrong("", "", fmt.Sprintf("The statement comes out as something that Cedar does not understand (%v). This is a bug.", err), "Please report it, with the statement.")
		return
	}
	s.clause = clauses[0]
}

func (r *reader) actions(names []string) actionSet {
	if !r.members("actions", names, "action") {
		return 0
	}
	if slices.Contains(names, Any) {
		if slices.Contains(names, string(SignDigest)) {
			r.wrong("actions", string(SignDigest), `"any" does not stand for sign_digest, and stands alone.`,
				"Give sign_digest a statement of its own, if it has to be.")
		}
		return anyAction
	}
	var set actionSet
	for _, name := range names {
		one := setOf(Action(name))
		if one == 0 {
			r.wrong("actions", name, fmt.Sprintf("There is no action %q.", name), suggestion(name, append(ActionNames(), Any),
				"Use one of "+strings.Join(ActionNames(), ", ")+", or \"any\" for all but sign_digest."))
		}
		set |= one
	}
	return set
}

// selectors reads a list of principals or keys; nil is everything.
func (r *reader) selectors(field string, words []string, one func(string) (entity, bool)) []entity {
	if !r.members(field, words, strings.TrimSuffix(field, "s")) || slices.Contains(words, Any) {
		return nil
	}
	all := make([]entity, 0, len(words))
	for _, word := range words {
		if e, ok := one(word); ok {
			all = append(all, e)
		}
	}
	return all
}

// members refuses a list that is empty, has something twice, or has "any" and more.
func (r *reader) members(field string, words []string, noun string) bool {
	if len(words) == 0 {
		r.wrong(field, "", fmt.Sprintf("The statement names no %s: it would apply to nothing.", noun),
			fmt.Sprintf("Name at least one %s, or %q for every one.", noun, Any))
		return false
	}
	r.unique(field, words)
	if len(words) > 1 && slices.Contains(words, Any) && (field != "actions" || !slices.Contains(words, string(SignDigest))) {
		r.wrong(field, Any, fmt.Sprintf("%q stands for every %s, whatever else is listed.", Any, noun), fmt.Sprintf("Leave out the others, or %q.", Any))
	}
	return true
}

// unique refuses a list that has something twice.
func (r *reader) unique(field string, words []string) {
	for i, word := range words {
		if slices.Index(words, word) < i && slices.Index(words[i+1:], word) < 0 {
			r.wrong(field, word, fmt.Sprintf("%q is listed more than once.", word), "Leave out the repetition.")
		}
	}
}

func (r *reader) principal(word string) (entity, bool) {
	if owner, ok := strings.CutPrefix(word, "owner:"); ok {
		if owner == "" {
			r.wrong("principals", word, "\"owner:\" is not followed by the name of an owner.", `Write it as "owner:alice".`)
		}
		return entity{ownerType, owner}, owner != ""
	}
	return r.named("principals", word, credentialType, `"owner:NAME" or "tag:KEY=VALUE"`)
}

func (r *reader) key(word string) (entity, bool) {
	return r.named("keys", word, keyType, `"tag:KEY=VALUE"`)
}

// named reads what principals and keys have in common: a tag, or a name.
func (r *reader) named(field, word string, of entityType, forms string) (entity, bool) {
	if tag, ok := strings.CutPrefix(word, "tag:"); ok {
		key, _, isPair := strings.Cut(tag, "=")
		if !isPair || key == "" {
			r.wrong(field, word, fmt.Sprintf("%q is not a tag.", word), `Write it as "tag:KEY=VALUE".`)
		}
		return entity{tagType, tag}, isPair && key != ""
	}
	switch prefix, _, hasPrefix := strings.Cut(word, ":"); {
	case word == "":
		r.wrong(field, word, "An empty text is not a name.", fmt.Sprintf("Use names, %s, or %q.", forms, Any))
		return entity{}, false
	case hasPrefix:
		r.wrong(field, word, fmt.Sprintf("%q does not begin with a known prefix.", word), suggestion(prefix+":", []string{"owner:", "tag:"},
			fmt.Sprintf("Use names, %s, or %q.", forms, Any)))
		return entity{}, false
	}
	return entity{of, word}, true
}

// scopeOf says in the scope of a policy that a variable is one of some entities, or else
// in a condition.
func scopeOf(variable string, of []entity) (scope doc, condition []doc) {
	if of == nil {
		return text(variable), nil
	}
	var alternatives []doc
	for _, t := range []entityType{credentialType, keyType, ownerType, tagType} {
		var ids []string
		for _, e := range of {
			if e.Type == t {
				ids = append(ids, e.String())
			}
		}
		switch {
		case len(ids) == 1 && (t == credentialType || t == keyType):
			alternatives = append(alternatives, text(variable+" == "+ids[0]))
		case len(ids) > 0:
			alternatives = append(alternatives, within(variable, ids))
		}
	}
	if len(of) == 1 {
		return alternatives[0], nil
	}
	return text(variable), []doc{either(alternatives, false)}
}
