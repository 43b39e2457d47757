package policy

import "slices"

// entityType is a type of entity in Cedar, see schemaText.
type entityType string

const (
	credentialType entityType = "Credential"
	keyType        entityType = "Key"
	ownerType      entityType = "Owner"
	tagType        entityType = "Tag"
	actionType     entityType = "Action"
)

// entity is the name of an entity in Cedar.
type entity struct {
	Type entityType
	ID   string
}

// String returns the entity as Cedar writes it.
func (e entity) String() string { return string(e.Type) + "::" + quoted(e.ID) }

// rule is one policy of Cedar: a statement, or a part of a text. The scope tells, without
// asking Cedar, which requests it cannot apply to.
type rule struct {
	policy string // the name of the access policy
	label  string // what it is called there: "statement 2", `cedar policy "desk"`
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

// title is the rule's name for a person.
func (r *rule) title() string { return "policy " + quoted(r.policy) + ", " + r.label }
