package environment_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/environment"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// mark is a token's stamp.
type mark struct {
	mu      sync.Mutex
	name    string
	actor   string
	stamped int
	trouble error
}

func (m *mark) Environment(context.Context) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.name, m.trouble
}

func (m *mark) Stamp(_ context.Context, name, actor string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.name, m.actor, m.stamped = name, actor, m.stamped+1
	return nil
}

func TestGuard(t *testing.T) {
	trouble := &fault.Error{Kind: fault.Unavailable, Op: "scan"}
	for name, tc := range map[string]struct {
		mark    *mark
		check   fault.Kind // of all verbs' errors; Internal is none
		stamped bool
		require fault.Kind
	}{
		"new token":     {&mark{}, fault.Internal, false, fault.Inconsistent},
		"ours":          {&mark{name: "test"}, fault.Internal, true, fault.Internal},
		"another one's": {&mark{name: "prod"}, fault.Environment, false, fault.Environment},
		"unreadable":    {&mark{trouble: trouble}, fault.Unavailable, false, fault.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			g := environment.New("test", "ada", tc.mark)
			stamped, err := g.Check(t.Context())
			want(t, "Check", err, tc.check)
			if stamped != tc.stamped {
				t.Errorf("stamped is %v", stamped)
			}
			want(t, "Require", g.Require(t.Context(), `key "k"`), tc.require)
			if tc.mark.stamped != 0 {
				t.Error("looking stamped the token")
			}
			want(t, "Stamp", g.Stamp(t.Context()), tc.check)
			if tc.check == fault.Internal {
				want(t, "Require, stamped", g.Require(t.Context(), `key "k"`), fault.Internal)
			}
			if writes := tc.mark.stamped; (writes == 1) != (name == "new token") {
				t.Errorf("stamped %d times", writes)
			}
		})
	}
}

// want checks the kind of an error; Internal is no error.
func want(t *testing.T, what string, err error, kind fault.Kind) {
	t.Helper()
	if err == nil && kind == fault.Internal {
		return
	}
	if f, ok := errors.AsType[*fault.Error](err); !ok || f.Kind != kind {
		t.Errorf("%s: %v, want a fault of kind %q", what, err, kind)
	}
}

// TestNamesBoth: whoever is refused learns which environments are mixed up.
func TestNamesBoth(t *testing.T) {
	_, err := environment.New("test", "ada", &mark{name: "prod"}).Check(t.Context())
	if err == nil || !strings.Contains(err.Error(), `"prod"`) || !strings.Contains(err.Error(), `"test"`) {
		t.Errorf("%v does not name both", err)
	}
}

// TestStampsOnce: whatever is first made in an environment, all at once, is no rival of
// its own.
func TestStampsOnce(t *testing.T) {
	m := &mark{}
	g := environment.New("test", "ada", m)
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			if err := g.Stamp(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if m.stamped != 1 || m.name != "test" || m.actor != "ada" || g.Name() != "test" {
		t.Errorf("stamped %d times, %q by %q", m.stamped, m.name, m.actor)
	}
}
