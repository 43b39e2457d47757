package policy

import (
	"fmt"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// The built-in rules forbid whatever policies say, and no policy can take them away.
// Their names are part of the reasons of a decision.
const (
	ruleEnvironment = "environment" // nothing across environments
	ruleAction      = "action"      // nothing that is no action
	ruleCredential  = "credential"  // nothing with a credential that is unknown or barred
	ruleExpiry      = "expiry"      // nothing with a credential that has ended
	ruleKey         = "key"         // nothing with a key version that is unknown, or does not do the action in its state
)

// builtIn is a built-in rule that forbids something, and why.
type builtIn struct{ rule, because string }

func (b *builtIn) String() string {
	return fmt.Sprintf("forbidden by the built-in rule %q: %s", b.rule, b.because)
}

// forbids tells why a version of a credential is not accepted at a time, nil if it is. If
// the time is not known, whatever ends at some time has ended.
func (s Standing) forbids(name string, at time.Time) *builtIn {
	because := func(rule, format string, args ...any) *builtIn {
		return &builtIn{rule, fmt.Sprintf("version %d of credential %q ", s.Number, name) + fmt.Sprintf(format, args...)}
	}
	switch {
	case s.Barred != "":
		return because(ruleCredential, "is %s", s.Barred)
	case s.Until.IsZero():
		return nil
	case at.IsZero():
		return because(ruleExpiry, "ends at %s, and the time of the request is not known", stamp(s.Until))
	case !at.Before(s.Until):
		return because(ruleExpiry, "is %s since %s", s.Ending, stamp(s.Until))
	default:
		return nil
	}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// isAcceptedAt is forbids for lists of access: at the zero time nothing has ended.
func (s Standing) isAcceptedAt(now time.Time) bool {
	return s.Barred == "" && (s.Until.IsZero() || now.Before(s.Until))
}

// standing returns a version of a credential, the newest for 0; nil if there is none.
func (p *Principal) standing(number int) *Standing {
	if number == 0 && len(p.Versions) > 0 {
		return &p.Versions[len(p.Versions)-1]
	}
	for i := range p.Versions {
		if p.Versions[i].Number == number {
			return &p.Versions[i]
		}
	}
	return nil
}

// finished returns a version of a key that is there for use; nil if there is none.
func finished(k *keyring.Key, number int) *keyring.Version {
	if v := k.Versions[number]; v != nil && !v.Pending {
		return v
	}
	return nil
}

// needs lists the operation that each action takes. Sign covers two things that are not
// the same: a signature, which takes a pair, and a MAC, which takes a secret key.
var needs = [...]struct {
	action    Action
	operation keyring.Operations
	pair      bool // a pair only
	secret    bool // a secret key only
}{
	{action: Sign, operation: keyring.Sign, pair: true},
	{action: SignDigest, operation: keyring.Sign, pair: true},
	{action: MAC, operation: keyring.Sign, secret: true},
	{action: Verify, operation: keyring.Verify},
	{action: Encrypt, operation: keyring.Encrypt},
	{action: Decrypt, operation: keyring.Decrypt},
	{action: Wrap, operation: keyring.Wrap},
	{action: Unwrap, operation: keyring.Unwrap},
	{action: Derive, operation: keyring.Derive},
}

// possible returns the actions that an algorithm's operations make up.
func possible(a keyring.Algorithm, operations keyring.Operations) actionSet {
	var set actionSet
	for _, n := range needs {
		if operations.Has(n.operation) && (!n.pair || a.IsPair()) && (!n.secret || !a.IsPair()) {
			set |= setOf(n.action)
		}
	}
	return set
}

// processing are the actions that end with a version's overlap.
var processing = setOf(Verify) | setOf(Decrypt) | setOf(Unwrap) | setOf(Derive)

// does returns the actions that a version of a key does in its state at a time. Anybody
// may have a public key that policies let him have, until it is destroyed.
func does(k *keyring.Key, v *keyring.Version, at time.Time) actionSet {
	set := possible(v.Algorithm, k.Permitted(v))
	if !k.MayProcess(v, at) {
		set &^= processing
	}
	if v.Algorithm.IsPair() && k.State(v) != keyring.Destroyed {
		set |= setOf(GetPublicKey)
	}
	return set
}
