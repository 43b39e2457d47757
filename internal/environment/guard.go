// Package environment keeps environments apart: it says whether a token belongs to
// the environment that is being worked on, and marks a new token as its own.
//
// Every service asks it before it reads or writes anything.
package environment

import (
	"context"
	"fmt"
	"sync"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// Marker is the mark of an environment on a token. Every error is a *fault.Error.
type Marker interface {
	// Environment returns the name the token is stamped with as of the last scan,
	// empty if it bore no stamp and no records either. Records without a stamp, and
	// stamps that disagree, are fault.Inconsistent.
	Environment(ctx context.Context) (string, error)
	// Stamp marks the token as the environment's, on positive evidence only that it
	// bears no stamp yet. Durable on return. The same name twice is no error;
	// another name is fault.Environment.
	Stamp(ctx context.Context, environment, actor string) error
}

// Guard lets work go on only on the token of one environment. Its methods may be
// called from several goroutines.
type Guard struct {
	name, actor string
	marker      Marker
	stamping    sync.Mutex
}

// New returns the guard of the named environment. actor is who is recorded with the
// stamp. It does no I/O.
func New(name, actor string, m Marker) *Guard { return &Guard{name: name, actor: actor, marker: m} }

// Name returns the environment's name.
func (g *Guard) Name() string { return g.name }

// Check refuses a token that belongs to another environment (fault.Environment). A
// token without a stamp passes, and is reported as not stamped: the first write
// will stamp it.
func (g *Guard) Check(ctx context.Context) (stamped bool, err error) {
	name, err := g.marker.Environment(ctx)
	if err != nil || name == "" {
		return false, err
	}
	if name != g.name {
		return false, &fault.Error{
			Kind: fault.Environment, Op: "check environment", Subject: fmt.Sprintf("environment %q", g.name),
			Problem: fmt.Sprintf("The token belongs to environment %q, this provider is configured for %q.", name, g.name),
			Hint:    "Select the workspace or the token that was meant. Nothing was read or changed.",
		}
	}
	return true, nil
}

// Stamp makes sure that the token bears the environment's stamp before anything is
// written. Killed after it, the token belongs to the environment and holds nothing
// yet.
func (g *Guard) Stamp(ctx context.Context) error {
	g.stamping.Lock() // the first apply creates many things at once: they are no rivals
	defer g.stamping.Unlock()
	done, err := g.Check(ctx)
	if err != nil || done {
		return err
	}
	return g.marker.Stamp(ctx, g.name, g.actor)
}

// Require is Check, and refuses to draw conclusions from a token that bears no stamp
// (fault.Inconsistent): whatever is asked of it was made elsewhere, or the token was
// emptied.
func (g *Guard) Require(ctx context.Context, subject string) error {
	stamped, err := g.Check(ctx)
	if err != nil || stamped {
		return err
	}
	return &fault.Error{
		Kind: fault.Inconsistent, Op: "check environment", Subject: subject,
		Problem: "The token bears no environment's stamp and holds no records: it is another token than the one this was made on, or it was emptied.",
		Hint:    "Check which token the provider selects. If the token is lost, restore it from backup; the state still says what was on it.",
	}
}
