package policy_test

import (
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/policy"
)

// noon is a Tuesday.
var noon = time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)

// caller is a credential with one version that never ends; tags are keys and values.
func caller(name, owner string, tags ...string) policy.Principal {
	return policy.Principal{Name: name, Owner: owner, Tags: tagged(tags), Versions: []policy.Standing{{Number: 1}}}
}

// key is a key that does whatever its algorithm does, with one active version.
func key(name string, algorithm keyring.Algorithm, tags ...string) *keyring.Key {
	k := keyring.Prospective(keyring.Spec{Name: name, Algorithm: algorithm, Operations: algorithm.Operations(), Tags: tagged(tags), Enabled: true})
	return k
}

func tagged(words []string) map[string]string {
	tags := map[string]string{}
	for i := 0; i+1 < len(words); i += 2 {
		tags[words[i]] = words[i+1]
	}
	return tags
}

// tradingDesk is an environment as most are: bots, people, and keys of several kinds.
func tradingDesk() policy.World {
	return policy.World{
		Environment: "prod",
		Principals: []policy.Principal{
			caller("bot", "trading", "desk", "spot"), caller("web", "trading", "desk", "web"), caller("alice", "alice", "desk", "spot"),
		},
		Keys: []*keyring.Key{
			key("orders", keyring.ECP256, "desk", "spot"), key("wallet", keyring.ECSecp256k1, "desk", "custody"),
			key("vault", keyring.AES256, "desk", "custody"), key("webhooks", keyring.HMACSHA256, "desk", "web"),
		},
	}
}

func permit(principals, actions, keys []string) policy.Statement {
	return policy.Statement{Effect: policy.Permit, Principals: principals, Actions: actions, Keys: keys}
}

func forbid(principals, actions, keys []string) policy.Statement {
	return policy.Statement{Effect: policy.Forbid, Principals: principals, Actions: actions, Keys: keys}
}

// under puts a statement under a condition.
func under(c policy.Condition, s policy.Statement) policy.Statement {
	s.Condition = &c
	return s
}

// enabled is a living policy of statements, written one of Cedar text.
func enabled(name string, statements ...policy.Statement) *policy.Policy {
	return &policy.Policy{Spec: policy.Spec{Name: name, Enabled: true, Statements: statements}}
}

func written(name, cedar string) *policy.Policy {
	return &policy.Policy{Spec: policy.Spec{Name: name, Enabled: true, Cedar: cedar}}
}

func engine(tb testing.TB, world policy.World, policies ...*policy.Policy) *policy.Engine {
	tb.Helper()
	e, err := policy.NewEngine(world, policies)
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// one is a list of one word.
func one(word string) []string { return []string{word} }
