package policy

import (
	"fmt"
	"regexp"
	"strings"
)

// attributes lists what can be read of each thing; of the context too, which has no type.
var attributes = map[string][]string{
	"Credential": {"name", "owner"},
	"Key":        {"name", "algorithm", "extractable"},
	"context":    {"now", "local", "source_ip", "payload_bytes", "mechanism"},
}

// A diagnosis puts a message of the validator in words for somebody who does not know it.
type diagnosis struct {
	pattern string // a regular expression, compiled when a policy is wrong and not at each start
	explain func(parts []string) (problem, hint string)
}

// inapplicable is what the validator says of a scope that no request is in.
const inapplicable = "unable to find an applicable action given the policy scope constraints"

// diagnoses lists the messages that people meet. One that is missing here, or put
// differently by another version of the validator, is passed on as it is.
var diagnoses = []diagnosis{
	{"^attribute `(.*)` on entity type `(.*)` not found$", func(parts []string) (string, string) {
		return fmt.Sprintf("A %s has no attribute %q.", parts[2], parts[1]), suggestion(parts[1], attributes[parts[2]], known(parts[2]))
	}},
	{"^attribute `(.*)` in context for .* not found$", func(parts []string) (string, string) {
		return fmt.Sprintf("The context has no attribute %q.", parts[1]), suggestion(parts[1], attributes["context"], known("context"))
	}},
	{"^unable to guarantee safety of access to optional attribute `(.*)` in context for .*$", func(parts []string) (string, string) {
		return fmt.Sprintf("context.%s is not known of every request, and is read without asking whether it is.", parts[1]),
			fmt.Sprintf("Ask first: `context has %s && …`.", parts[1])
	}},
	{"^unable to guarantee safety of access to tag `(.*?)`(?: on entity type `.*`)?$", func(parts []string) (string, string) {
		return fmt.Sprintf("The tag %s may be missing, and is read without asking whether it is there.", parts[1]),
			fmt.Sprintf("Ask first: `….hasTag(%s) && …`.", parts[1])
	}},
	{"^unrecognized action `Action::\"(.*)\"`$", func(parts []string) (string, string) {
		return fmt.Sprintf("There is no action %q.", parts[1]), suggestion(parts[1], ActionNames(), "Actions are "+strings.Join(ActionNames(), ", ")+".")
	}},
	{"^unrecognized (?:entity type|action) `(.*)`$", func(parts []string) (string, string) {
		name, _, _ := strings.Cut(parts[1], "::")
		return fmt.Sprintf("There is no entity type %q.", name), suggestion(name, entityTypes[:], "Entity types are "+strings.Join(entityTypes[:], ", ")+".")
	}},
	{"^" + inapplicable + "$", func([]string) (string, string) {
		return "No request fits the scope of the policy.", "A principal is a Credential, in an Owner or Tag; a resource is a Key, in a Tag."
	}},
}

var entityTypes = [...]string{string(credentialType), string(keyType), string(ownerType), string(tagType), string(actionType)}

// known is the hint to look at what there is.
func known(of string) string {
	return fmt.Sprintf("Attributes of %s are %s.", of, strings.Join(attributes[of], ", "))
}

// explain puts a message of the validator as a sentence and what to do about it.
func explain(message string) (problem, hint string) {
	for _, d := range diagnoses {
		if parts := regexp.MustCompile(d.pattern).FindStringSubmatch(message); parts != nil {
			return d.explain(parts)
		}
	}
	return strings.ToUpper(message[:1]) + message[1:] + ".", ""
}
