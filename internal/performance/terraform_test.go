package performance_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// plan compares plans that find nothing to do.
func plan(s shape, f floor) func(*testing.T, *lab) race {
	return func(t *testing.T, l *lab) race {
		_, ours := l.environment(t, s).open(t, l)
		trivial := l.newWorkdir(t, f.configuration(s), f.state(s))
		return race{ours: ours.plan, baseline: trivial.plan}
	}
}

// planSchema compares a plan that finds nothing to do with one of resources that have the
// same attributes with the same values, and do nothing.
func planSchema(keys int) func(*testing.T, *lab) race {
	return func(t *testing.T, l *lab) race {
		e := l.environment(t, shape{keys: keys})
		_, ours := e.open(t, l)
		hollow := strings.NewReplacer("keystead/hsm", "keystead/trivial", "hsm_key", "trivial_key", "hsm = {", "trivial = {")
		_, resources, _ := strings.Cut(e.configuration("", 0), `resource "hsm_key"`)
		configuration := "terraform {\n  required_providers {\n    hsm = {\n      source = \"keystead/hsm\"\n    }\n  }\n}\n\nresource \"hsm_key\"" + resources
		theirs := l.newWorkdir(t, hollow.Replace(configuration), hollow.Replace(e.state))
		return race{ours: ours.plan, baseline: theirs.plan}
	}
}

// growth compares plans of one size with those of another.
func growth(small, large int) func(*testing.T, *lab) race {
	return func(t *testing.T, l *lab) race {
		_, less := l.environment(t, shape{keys: small}).open(t, l)
		_, more := l.environment(t, shape{keys: large}).open(t, l)
		return race{ours: more.plan, baseline: less.plan}
	}
}

// apply compares making keys with an apply of resources that do nothing and the
// generation of as many pairs, one at a time, as the provider calls SoftHSM.
func apply(keys int) func(*testing.T, *lab) race {
	return func(t *testing.T, l *lab) race {
		s := shape{keys: keys}
		token := softhsm.New(t, label)
		empty := t.TempDir()
		replace(t, token.Store.TokenDir(), empty)
		ours := l.newWorkdir(t, s.configuration(token.Module, 0), "")
		trivial := l.newWorkdir(t, builtIn.configuration(s), "")
		return race{
			ours: func() float64 {
				replace(t, empty, token.Store.TokenDir())
				ours.setState("")
				return ours.apply()
			},
			baseline: func() float64 {
				replace(t, empty, token.Store.TokenDir())
				trivial.setState("")
				return trivial.apply() + l.inC(t, token, "generate", strconv.Itoa(keys), "1")
			},
		}
	}
}

// destroy compares destroying keys with a destroy of resources that do nothing and that of
// as many pairs.
func destroy(keys int) func(*testing.T, *lab) race {
	return func(t *testing.T, l *lab) race {
		e := l.environment(t, shape{keys: keys})
		token, ours := e.open(t, l)
		trivial := l.newWorkdir(t, builtIn.configuration(e.shape), "")
		return race{
			ours: func() float64 {
				e.restore(t, token)
				ours.setState(e.state)
				return ours.destroy()
			},
			baseline: func() float64 {
				e.restore(t, token)
				trivial.setState(builtIn.state(e.shape))
				return trivial.destroy() + l.inC(t, token, "destroy")
			},
		}
	}
}

// due compares a command that finds, or carries out, so many rotations with a plan that
// finds none.
func due(keys, rotations int, command func(*workdir) float64) func(*testing.T, *lab) race {
	return func(t *testing.T, l *lab) race {
		e := l.environment(t, shape{keys: keys, rotated: true})
		token, w := e.open(t, l)
		begin := func(rotations int) {
			e.restore(t, token)
			w.setState(e.state)
			w.configure(e.configuration(token.Module, rotations))
		}
		return race{
			ours:     func() float64 { begin(rotations); return command(w) },
			baseline: func() float64 { begin(0); return w.plan() },
		}
	}
}

// planDue plans what is due.
func planDue(w *workdir) float64 {
	return w.run(2, "plan", "-detailed-exitcode", "-input=false")
}
