package performance_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/interposer"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// counts are calls by function. They may be fractions of a call for each key.
type counts map[interposer.Function]float64

// countsOf is how often a module was called since counting began, loading it left out.
func countsOf(m *interposer.Module) counts {
	c := counts{}
	for f := interposer.Function(4); f.String() != "no function"; f++ {
		c[f] = float64(m.Calls(f))
	}
	return c
}

// perKey is what each of some more keys took.
func perKey(less, more counts, keys int) counts {
	c := counts{}
	for f := range more {
		c[f] = (more[f] - less[f]) / float64(keys)
	}
	return c
}

func (c counts) sum() (total float64) {
	for _, n := range c {
		total += n
	}
	return total
}

// String names the functions that are called most.
func (c counts) String() string {
	var parts []string
	for f, n := range c {
		if n >= 0.05 {
			parts = append(parts, fmt.Sprintf("%s %.3g", f, n))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// command carries something out for so many keys, and counts its calls.
type command func(t *testing.T, l *lab, keys int) counts

// calls counts the calls of a command for two numbers of keys, of which the difference is
// told: what a command does once is not part of it.
func calls(small, large int, do command) func(*testing.T, *lab) race {
	return func(t *testing.T, l *lab) race {
		var each counts
		return race{
			ours: func() float64 {
				each = perKey(do(t, l, small), do(t, l, large), large-small)
				return each.sum()
			},
			remark: func() string { return each.String() },
		}
	}
}

// searches is calls, of which only searches count: a token looks at all its objects in
// each of them, so that one for every key takes a time that grows with its square.
func searches(small, large int, do command) func(*testing.T, *lab) race {
	return func(t *testing.T, l *lab) race {
		return race{ours: func() float64 {
			return perKey(do(t, l, small), do(t, l, large), large-small)[interposer.FindInit]
		}}
	}
}

// interposed opens an environment with a module that counts, which begins now.
func (e *environment) interposed(t *testing.T, l *lab, due int) (*workdir, *interposer.Module) {
	token, w := e.open(t, l)
	m := interposer.New(t, token.Module)
	w.configure(e.configuration(m.Path, due))
	m.Count()
	return w, m
}

func refreshCalls(t *testing.T, l *lab, keys int) counts {
	w, m := l.environment(t, shape{keys: keys}).interposed(t, l, 0)
	w.plan()
	return countsOf(m)
}

func createCalls(t *testing.T, l *lab, keys int) counts {
	token := softhsm.New(t, label)
	m := interposer.New(t, token.Module)
	w := l.newWorkdir(t, shape{keys: keys}.configuration(m.Path, 0), "")
	m.Count()
	w.apply()
	return countsOf(m)
}

func destroyCalls(t *testing.T, l *lab, keys int) counts {
	w, m := l.environment(t, shape{keys: keys}).interposed(t, l, 0)
	w.destroy()
	return countsOf(m)
}

// rotateCalls rotates so many of 50 keys.
func rotateCalls(t *testing.T, l *lab, rotations int) counts {
	w, m := l.environment(t, shape{keys: 50, rotated: true}).interposed(t, l, rotations)
	w.apply()
	return countsOf(m)
}
