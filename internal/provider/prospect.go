package provider

import (
	"context"
	"fmt"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/policy"
)

// prospect is what is needed to tell, in a plan, what access it will give: the
// environment as it was before this run changed anything, and what the run is going to
// change, as far as that is planned.
//
// Terraform plans resources in any order, except that whatever a resource refers to comes
// before it; and it plans each change twice, again just before it applies it. What was
// planned as known has to come out the same then. So a known value is made from the
// beginning of the run, and of what the run adds only from that which is named, as that is
// sure to come before. What everything together comes to is told by warnings: each step of
// the plan tells what it changes on top of the steps before, whichever these are.
type prospect struct {
	mu     sync.Mutex
	start  *policy.Outlook // as it was before this run
	coming *policy.Outlook // and with what is planned so far

	// What this run is going to add: nil for something of which not everything is known yet.
	callers  map[string]*policy.Principal
	keys     map[string]*keyring.Key
	isUnsure bool // not everything is known about something that changes

	managed map[thing]bool // what is in this run's state

	standing *policy.Outlook // as it is now
	isStale  bool            // and was before a change
}

// thing is something with a name: what people call it, and the name.
type thing struct{ noun, name string }

func (t thing) String() string { return fmt.Sprintf("%s %q", t.noun, t.name) }

func aCredential(name string) thing { return thing{"API credential", name} }
func aKey(name string) thing        { return thing{"key", name} }
func aPolicy(name string) thing     { return thing{"access policy", name} }

// outlooks returns the environment as it was before this run, and as it is going to be
// with what is planned so far; nil after an error. Every operation that changes something
// asks for them first, so that it is not too late.
func (c *client) outlooks(ctx context.Context, services *Services, diags *diag.Diagnostics) (start, coming *policy.Outlook) {
	c.prospect.mu.Lock()
	defer c.prospect.mu.Unlock()
	if c.prospect.start == nil {
		world, policies, err := services.Policies.World(ctx)
		if err != nil {
			report(diags, err)
			return nil, nil
		}
		c.prospect.start = policy.NewOutlook(world, policies)
		c.prospect.coming = c.prospect.start.Fork()
	}
	return c.prospect.start, c.prospect.coming
}

// change is begin for an operation that changes something. It ends with changed.
func (c *client) change(ctx context.Context, diags *diag.Diagnostics) (context.Context, *Services) {
	ctx, services := c.begin(ctx, diags)
	if services != nil {
		c.outlooks(ctx, services, diags)
	}
	return ctx, services
}

// changed is finish for an operation that changes something.
func (c *client) changed(diags *diag.Diagnostics) {
	c.prospect.mu.Lock()
	c.prospect.isStale = true
	c.prospect.mu.Unlock()
	c.finish(diags)
}

// now returns the environment as it is. It is put together once for all that is asked
// between two changes.
func (c *client) now(ctx context.Context, services *Services) (*policy.Outlook, error) {
	c.prospect.mu.Lock()
	defer c.prospect.mu.Unlock()
	if c.prospect.standing == nil || c.prospect.isStale {
		world, policies, err := services.Policies.World(ctx)
		if err != nil {
			return nil, err
		}
		before := c.prospect.standing
		if before == nil {
			before = c.prospect.start
		}
		if before == nil {
			c.prospect.standing = policy.NewOutlook(world, policies)
		} else {
			c.prospect.standing = before.Renew(world, policies)
		}
		c.prospect.isStale = false
	}
	return c.prospect.standing, c.prospect.standing.Err()
}

// expectKey notes a key that this run is going to make; key is nil if not everything
// about it is known yet.
func (c *client) expectKey(name string, key *keyring.Key) {
	c.prospect.mu.Lock()
	defer c.prospect.mu.Unlock()
	if c.prospect.keys == nil {
		c.prospect.keys = map[string]*keyring.Key{}
	}
	c.prospect.keys[name] = key
	c.prospect.isUnsure = c.prospect.isUnsure || key == nil
}

// planned returns a key as it is going to be with what is planned so far, if this run makes
// or changes it; nil if not everything about it is known yet.
func (c *client) planned(name string) (key *keyring.Key, isPlanned bool) {
	c.prospect.mu.Lock()
	defer c.prospect.mu.Unlock()
	if key, isPlanned = c.prospect.keys[name]; isPlanned || c.prospect.coming == nil {
		return key, isPlanned
	}
	was, is := c.prospect.start.Key(name), c.prospect.coming.Key(name)
	return is, is != nil && is != was
}

// expectCaller notes a credential that this run is going to issue; caller is nil if not
// everything about it is known yet.
func (c *client) expectCaller(name string, caller *policy.Principal) {
	c.prospect.mu.Lock()
	defer c.prospect.mu.Unlock()
	if c.prospect.callers == nil {
		c.prospect.callers = map[string]*policy.Principal{}
	}
	c.prospect.callers[name] = caller
	c.prospect.isUnsure = c.prospect.isUnsure || caller == nil
}

// unsure notes that not everything is known about something that changes.
func (c *client) unsure() {
	c.prospect.mu.Lock()
	defer c.prospect.mu.Unlock()
	c.prospect.isUnsure = true
}

// isUnsure reports whether there is something of which not everything is known yet.
func (c *client) isUnsure() bool {
	c.prospect.mu.Lock()
	defer c.prospect.mu.Unlock()
	return c.prospect.isUnsure
}

// added returns those of the named callers and keys that this run is going to make.
// isWhole is false if not everything about them is known yet: they have their names alone.
func (c *client) added(callers, keys []string) (principals []policy.Principal, more []*keyring.Key, isWhole bool) {
	c.prospect.mu.Lock()
	defer c.prospect.mu.Unlock()
	isWhole = true
	for _, name := range callers {
		expected, ok := c.prospect.callers[name]
		if !ok {
			continue
		}
		if expected == nil {
			expected, isWhole = &policy.Principal{Name: name}, false
		}
		principals = append(principals, *expected)
	}
	for _, name := range keys {
		expected, ok := c.prospect.keys[name]
		if !ok {
			continue
		}
		if expected == nil {
			expected, isWhole = &keyring.Key{Spec: keyring.Spec{Name: name}}, false
		}
		more = append(more, expected)
	}
	return principals, more, isWhole
}

// manage notes that something is in this run's state: if it is to be made, that is to
// replace it.
func (c *client) manage(t thing) {
	c.prospect.mu.Lock()
	defer c.prospect.mu.Unlock()
	if c.prospect.managed == nil {
		c.prospect.managed = map[thing]bool{}
	}
	c.prospect.managed[t] = true
}

// warnTaken tells of something that is to be made although it is there, and reports
// whether it is so. A plan cannot be sure of it: somebody may be removing it.
func (c *client) warnTaken(diags *diag.Diagnostics, t thing, resource string, isThere bool) bool {
	c.prospect.mu.Lock()
	isManaged := c.prospect.managed[t]
	c.prospect.mu.Unlock()
	if !isThere || isManaged {
		return false
	}
	c.warnOnce(diags, capital(t.noun)+fmt.Sprintf(" %q exists already", t.name),
		fmt.Sprintf("The environment has %s, and it is not in this state: as long as it is there, the apply refuses to make another one of its name.\n\n"+
			"Choose another name, or manage the existing one by importing it:\n\n  import {\n    to = %s.NAME_OF_THE_RESOURCE\n    id = %q\n  }\n", t, resource, t.name))
	return true
}
