package policy

import (
	"net/netip"
	"time"
)

// Request asks whether something may be done now.
type Request struct {
	Environment string // of the caller's credential
	Principal   string // name of a credential
	// PrincipalVersion is which version the caller has proven itself with, KeyVersion
	// which version of the key is to be used; 0 is the newest, and the current one.
	PrincipalVersion int
	Action           Action
	Key              string // name
	KeyVersion       int
	Context          Context
}

// Context is what is known about a request. What is not known is left at its zero
// value, PayloadBytes at -1; a condition about it does not hold then.
type Context struct {
	Time         time.Time
	SourceIP     netip.Addr
	PayloadBytes int64
	Mechanism    string // "CKM_ECDSA"
}

// Decision is the answer to a Request, with what has decided it, in words for a person.
// Errors is not empty only if it is denied.
type Decision struct {
	Allowed bool
	Reasons []string // never empty: "permitted by policy …", "forbidden by …", "no policy permits it"
	Errors  []string
}

// Engine decides, and lists access, for a World and its policies as they were when it
// was made. Its methods may be called from several goroutines.
type Engine struct{}

// NewEngine compiles the living, enabled ones of the policies. One that cannot be
// compiled is fault.Inconsistent: it was checked before it was recorded.
func NewEngine(world World, policies []*Policy) (*Engine, error) { return nil, nil }

// Decide answers a request.
func (e *Engine) Decide(r Request) Decision { return Decision{} }

// Grant is one thing that a principal may do with a key, with some version of each.
type Grant struct {
	Principal   string
	Action      Action
	Key         string
	Conditional bool     // it depends on the request, or a forbidding condition may take it away
	Policies    []string // the names of those that permit it, sorted
}

// Grants lists everything that the policies together allow, sorted by principal, key
// and action. At the zero time no credential is taken to have expired.
func (e *Engine) Grants(now time.Time) []Grant { return nil }

// GrantsThrough lists the grants to which the named policy contributes a permit.
func (e *Engine) GrantsThrough(name string, now time.Time) []Grant { return nil }
