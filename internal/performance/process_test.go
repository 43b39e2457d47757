package performance_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// peak is the largest resident size of the provider, and of a program that does nothing but
// list the token, in MiB.
type peak struct{ provider, module float64 }

// memory is the peak of a provider that plans so many keys, measured once, and beside it what
// SoftHSM takes of that, which keeps all objects in the memory of whoever loads it. With a
// smaller number to compare with it tells how it grows.
func memory(keys, fewer int) func(*testing.T, *lab) race {
	return func(t *testing.T, l *lab) race {
		look := func(keys int) float64 {
			if l.peaks[keys] == (peak{}) {
				token, w := l.environment(t, shape{keys: keys}).open(t, l)
				l.peaks[keys] = peak{w.memory(0, "plan", "-detailed-exitcode", "-input=false"), l.inC(t, token, "memory")}
			}
			return l.peaks[keys].provider
		}
		r := race{
			ours: func() float64 { return look(keys) },
			remark: func() string {
				return fmt.Sprintf("a program in C that lists the same objects: %.0f MiB", l.peaks[keys].module)
			},
		}
		if fewer > 0 {
			r.baseline = func() float64 { return look(fewer) }
		}
		return r
	}
}

// starts is how often a process is started for one measurement.
const starts = 10

// serve compares how long the provider takes until it serves with a provider that has
// nothing.
func serve(t *testing.T, l *lab) race {
	ready := func(name string) func() float64 {
		return func() float64 {
			var total time.Duration
			for range starts {
				total += l.start(t, name)
			}
			return float64(total.Milliseconds()) / starts
		}
	}
	return race{ours: ready("hsm"), baseline: ready("null")}
}

// start starts a provider as a CLI does, waits until it says where it serves, and ends it.
func (l *lab) start(t *testing.T, name string) time.Duration {
	t.Helper()
	cmd := exec.Command(l.binary(name))
	cmd.Env = append(os.Environ(), "TF_PLUGIN_MAGIC_COOKIE=d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2", "PLUGIN_PROTOCOL_VERSIONS=6")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said, err := bufio.NewReader(out).ReadString('\n')
	took := time.Since(begin)
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // killed
	if err != nil || !strings.HasPrefix(said, "1|6|") {
		t.Fatalf("%s said %q, %v", name, said, err)
	}
	return took
}

// validate compares what a CLI takes that needs the provider for its schema only.
func validate(t *testing.T, l *lab) race {
	of := func(name string) func() float64 {
		w := l.newWorkdir(t, strings.ReplaceAll("terraform {\n  required_providers {\n    NAME = {\n      source = \"keystead/NAME\"\n    }\n  }\n}\n\nprovider \"NAME\" {}\n", "NAME", name), "")
		return func() float64 { return w.run(0, "validate") }
	}
	return race{ours: of("hsm"), baseline: of("null")}
}

// stateSize is how many bytes each more key takes in the state, after an apply. The CLI
// indents them, by as much as a quarter, which is told beside.
func stateSize(t *testing.T, l *lab) race {
	size := func(keys int) (bare, indented int) {
		token := softhsm.New(t, label)
		w := l.newWorkdir(t, shape{keys: keys}.configuration(token.Module, 0), "")
		w.apply()
		var b bytes.Buffer
		if err := json.Compact(&b, []byte(w.state())); err != nil {
			t.Fatal(err)
		}
		return b.Len(), len(w.state())
	}
	var indentation int
	return race{
		ours: func() float64 {
			few, fewIndented := size(5)
			many, manyIndented := size(15)
			indentation = (manyIndented - fewIndented - many + few) / 10
			return float64(many-few) / 10
		},
		remark: func() string { return fmt.Sprintf("and %d of indentation", indentation) },
	}
}
