package policy

import (
	"fmt"
	"slices"
	"strings"
)

// The Cedar schema that policies are validated against, strictly.
//
// Whoever a credential belongs to and whatever it or a key is tagged with are its
// parents, so that the scope of a policy can speak of them: `principal in
// Owner::"alice"`, `resource in Tag::"desk=spot"`. A tag whose name contains an equals
// sign is no parent: it could be taken for another one.
//
// What is not known of every request is optional, and has to be asked for with `has`
// before it is read. The time is known of every request.
const schemaText = `// A person or a team.
entity Owner;

// A tag of a credential or a key, named "KEY=VALUE".
entity Tag;

// An API credential: the caller.
entity Credential in [Owner, Tag] = {
  name: String,
  owner: String,
} tags String;

// A key, as it was declared last.
entity Key in [Tag] = {
  name: String,
  algorithm: String,
  extractable: Bool,
} tags String;

// The time of day in some place: how far the hands of its clocks have moved since they
// showed midnight, and the day of the week, "monday".
type Clock = {
  time: duration,
  weekday: String,
};

type Request = {
  now: datetime,
  // By the name of a time zone: context.local["Europe/Zurich"].time
  local: {%s},
  source_ip?: ipaddr,
  payload_bytes?: Long,
  mechanism?: String,
};

action %s appliesTo {
  principal: [Credential],
  resource: [Key],
  context: Request,
};
`

// Schema returns the Cedar schema that policies are validated against. In
// context.local it has a clock for each of the named time zones.
func Schema(zones ...string) string {
	clocks := make([]string, len(zones))
	for i, zone := range zones {
		clocks[i] = quoted(zone) + ": Clock"
	}
	names := make([]string, len(actionNames))
	for i, name := range actionNames {
		names[i] = quoted(string(name))
	}
	return fmt.Sprintf(schemaText, strings.Join(clocks, ", "), strings.Join(names, ", "))
}

// actionNames lists every action; an actionSet has a bit for each.
var actionNames = [...]Action{Sign, Verify, Encrypt, Decrypt, Wrap, Unwrap, MAC, Derive, GetPublicKey, SignDigest}

// ActionNames lists every action by name, SignDigest last.
func ActionNames() []string {
	names := make([]string, len(actionNames))
	for i, a := range actionNames {
		names[i] = string(a)
	}
	return names
}

// actionSet is a set of actions. The zero value is the empty set.
type actionSet uint16

// Every action, and those that Any stands for.
const (
	everyAction actionSet = 1<<len(actionNames) - 1
	anyAction             = everyAction &^ (1 << (len(actionNames) - 1))
)

// setOf returns the set of one action, the empty set for an unknown one.
func setOf(a Action) actionSet {
	if i := slices.Index(actionNames[:], a); i >= 0 {
		return 1 << i
	}
	return 0
}

// has reports whether every action of the other set is in the set.
func (s actionSet) has(other actionSet) bool { return s&other == other }

// list returns the members in a fixed order.
func (s actionSet) list() []Action {
	var members []Action
	for i, a := range actionNames {
		if s&(1<<i) != 0 {
			members = append(members, a)
		}
	}
	return members
}
