package policy

import (
	"fmt"
	"slices"
)

// rule is one policy of Cedar: a statement, or a part of a text. The scope tells, without
// asking Cedar, which requests it cannot apply to.
type rule struct {
	policy string   // the name of the access policy
	label  string   // what it is called there: "statement 2", `Cedar policy "desk"`
	title  string   // what it is called elsewhere: `policy "trading", statement 2`
	reason string   // what a decision says of it if it holds: "permitted by …"
	alone  []string // the policy, as a list
	at     Place
	effect Effect

	principals, keys []entity // itself, or what it belongs to, is one of them; nil is everything
	actions          actionSet
	isAnyAction      bool // of a text: its scope says nothing about actions

	// condition is a statement's, so that it can be compared.
	condition *Condition
	text      string // a statement in Cedar
	*clause          // what Cedar has made of the text; nil in a rule with mistakes
}

// named returns the entities that a rule names, wherever that is.
func (r *rule) named() []entity {
	all := slices.Concat(r.principals, r.keys)
	if r.clause != nil {
		all = append(all, r.mentions...)
	}
	return all
}

// call gives the rule its names.
func (r *rule) call(label string) *rule {
	r.label, r.title = label, fmt.Sprintf("policy %q, %s", r.policy, label)
	r.reason, r.alone = "permitted by "+r.title, []string{r.policy}
	if r.effect == Forbid {
		r.reason = "forbidden by " + r.title
	}
	return r
}
