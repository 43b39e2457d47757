package policy

import (
	"maps"
	"slices"
	"strings"
)

// Compile returns the Cedar text of a spec, formatted: what its statements mean, or its
// own text. Nothing but mistakes in the spec itself is found, without any World; with
// one the text is empty.
func Compile(spec Spec) (cedar string, mistakes []Finding) {
	rules, mistakes := compile(spec)
	if len(mistakes) > 0 {
		return "", mistakes
	}
	if spec.Cedar != "" {
		return spec.Cedar, nil
	}
	texts := make([]string, len(rules))
	for i, r := range rules {
		texts[i] = r.text
	}
	return strings.Join(texts, "\n"), nil
}

// Names lists the credentials and keys that a spec names one by one, sorted; nil of
// what cannot be compiled.
func Names(spec Spec) (principals, keys []string) {
	rules, mistakes := compile(spec)
	if len(mistakes) > 0 {
		return nil, nil
	}
	return slices.Sorted(maps.Keys(names(rules, credentialType))), slices.Sorted(maps.Keys(names(rules, keyType)))
}

// names is the names of the entities of a type that rules name anywhere.
func names(rules []*rule, t entityType) map[string]bool {
	set := map[string]bool{}
	for _, r := range rules {
		for _, e := range r.named() {
			if e.Type == t {
				set[e.ID] = true
			}
		}
	}
	return set
}

// compile reads a spec. If there are mistakes, the rules are what could be read.
func compile(spec Spec) ([]*rule, []Finding) {
	whole := reader{at: Place{Statement: -1}}
	switch {
	case len(spec.Statements) > 0 && spec.Cedar != "":
		whole.wrong("cedar", "", "The policy has statements and a Cedar text.", "Use one of the two.")
		return nil, whole.findings
	case spec.Cedar != "":
		return whole.written(spec.Name, spec.Cedar), whole.findings
	case len(spec.Statements) == 0:
		whole.wrong("", "", "The policy has neither statements nor a Cedar text.", "Write at least one statement.")
		return nil, whole.findings
	}
	var rules []*rule
	var findings []Finding
	for i, s := range spec.Statements {
		var r reader
		rules = append(rules, r.statement(spec.Name, i, s))
		findings = append(findings, r.findings...)
	}
	return rules, findings
}
