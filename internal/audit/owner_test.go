package audit_test

import (
	"context"
	"os"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/audit"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// TestSharedDirectory: the log of another environment, or of another token, is not written to;
// an operator can say that the environment was moved.
func TestSharedDirectory(t *testing.T) {
	for name, tc := range map[string]struct {
		environment, serial string
		refused, settles    bool
	}{
		"the same":                            {"prod", "4711", false, true},
		"another environment":                 {"test", "4712", true, false},
		"another environment, no token there": {"test", "", true, false},
		"another token":                       {"prod", "4712", true, true},
		"no token there":                      {"prod", "", false, true},
	} {
		t.Run(name, func(t *testing.T) {
			d := newTokenDesk(t)
			d.fill(2)
			before := d.files()
			as := func() *audit.Log {
				c := d.log().Config
				c.Environment, c.Run = tc.environment, "other"
				c.Serial = func(context.Context) (string, error) { return tc.serial, nil }
				return audit.New(c)
			}
			l := as()
			_, err := l.Begin(t.Context(), audit.Event{Operation: "rotate", Subject: "key/orders"})
			if fault.Is(err, fault.Environment) != tc.refused {
				t.Errorf("a change: %v", err)
			}
			err = l.Refused(t.Context(), &fault.Error{Kind: fault.Denied, Op: "log in", Problem: "No."})
			if fault.Is(err, fault.Environment) != tc.refused {
				t.Errorf("a refusal: %v", err)
			}
			_ = l.Close(t.Context())
			if after := d.files(); (after == before) != tc.refused {
				t.Errorf("it was\n%s\nand is\n%s", before, after)
			}
			l = as()
			if s, err := l.Settle(t.Context(), "moved"); (err == nil) != tc.settles || s.Moved != (tc.refused && tc.settles) {
				t.Errorf("settle: %+v, %v", s, err)
			}
			_ = l.Close(t.Context())
			if l = as(); tc.settles {
				d.write(l, "key/orders", 3, nil)
			}
			_ = l.Close(t.Context())
		})
	}
}

// files is what is in the directory.
func (d *desk) files() (text string) {
	d.tb.Helper()
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		d.tb.Fatal(err)
	}
	for _, entry := range entries {
		content, err := os.ReadFile(d.dir + "/" + entry.Name())
		if err != nil {
			d.tb.Fatal(err)
		}
		text += entry.Name() + "\n" + string(content) + "\n"
	}
	return text
}

// TestVerifyAnotherEnvironments: it is named as what it is.
func TestVerifyAnotherEnvironments(t *testing.T) {
	d := newDesk(t)
	d.fill(2)
	if _, problems := d.verify(func(e *audit.Expectation) { e.Environment = "test" }); len(problems) != 1 || problems[0] != `-1: it is the log of environment "prod", not of "test"` {
		t.Errorf("%q", problems)
	}
}

// TestLostKey: an operator who says why has a log go on whose key is lost, in the same
// directory and in another one.
func TestLostKey(t *testing.T) {
	for name, other := range map[string]bool{"in the same directory": false, "in another one": true} {
		t.Run(name, func(t *testing.T) {
			d := newTokenDesk(t)
			d.put(audit.Event{Subject: "key/.audit", Steps: []audit.Step{{Seq: 1, What: "generated", Version: 1}}, Head: "k"})
			d.fill(2)
			d.pen.next = newEd25519(t)
			d.pen.fails = &fault.Error{Kind: fault.Inconsistent, Op: "sign audit log", Problem: "It is lost."}
			d.refused("It is lost")
			if other {
				d.dir += "2"
				d.refused("there is none in this directory")
			}
			d.settle("", fault.Inconsistent)
			if s := d.settle("the HSM was reset", fault.Internal); !s.Renewed || s.Begun != other {
				t.Errorf("%+v", s)
			}
			accepted := 1
			if other {
				accepted = 4
			}
			d.goesOn(3, accepted)
		})
	}
}
