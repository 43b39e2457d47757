// Command fuzz runs every fuzz target of the module for a while. It finds the targets
// itself, so that a new one is never forgotten, prints a line for each with the number
// of executions, and fails if an input breaks one, if one ran nothing, or if there are
// none: a fuzz step that fuzzes nothing looks like one that finds nothing.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"time"
)

// atOnce is how many targets are fuzzed at a time, each by one worker. That is twice as
// quick as one after the other by two workers, with as much work for the machine.
const atOnce = 2

func main() {
	long := flag.Duration("time", 10*time.Second, "how long each target is fuzzed")
	only := flag.String("target", "", "fuzz only this target")
	fresh := flag.Bool("fresh", false, "begin with the inputs that are kept here, and not where earlier runs ended")
	flag.Parse()
	passed, err := run(*long, *only, *fresh)
	if err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
	}
	if err != nil || !passed {
		os.Exit(1)
	}
}

func run(long time.Duration, only string, fresh bool) (passed bool, err error) {
	targets, err := find(".")
	if err != nil {
		return false, err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var more []string
	if fresh { // what long runs came up with may be more than a short one gets through
		dir, err := os.MkdirTemp("", "fuzz")
		if err != nil {
			return false, err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		more = []string{"-args", "-test.fuzzcachedir=" + dir}
	}
	r := report{out: os.Stdout, fuzz: func(t target) (string, error) { return fuzz(ctx, t, long, more...) }}
	return r.run(named(targets, only)), nil
}

// named returns the targets of a name, all if it is empty.
func named(targets []target, name string) []target {
	var some []target
	for _, t := range targets {
		if name == "" || t.name == name {
			some = append(some, t)
		}
	}
	return some
}

// fuzz runs one target and returns what go said. Nothing of the time goes into making a
// failing input smaller: that is for whoever looks into it.
func fuzz(ctx context.Context, t target, long time.Duration, more ...string) (string, error) {
	args := []string{"test", "-vet=off", "-run=^$", "-fuzz=^" + t.name + "$", "-fuzztime=" + long.String(), "-fuzzminimizetime=0x", "-parallel=1", "./" + t.dir}
	cmd := exec.CommandContext(ctx, "go", append(args, more...)...) //nolint:gosec // with names from our own sources
	cmd.WaitDelay = 10 * time.Second
	output, err := cmd.CombinedOutput()
	return string(output), err
}

// report runs targets and says what came of it.
type report struct {
	out  io.Writer
	fuzz func(target) (output string, err error)

	mu         sync.Mutex
	executions int
	failed     []string
}

// run fuzzes the targets and reports whether all is well.
func (r *report) run(targets []target) bool {
	var group sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for _, t := range targets {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			r.one(t)
		})
	}
	group.Wait()
	switch {
	case len(targets) == 0:
		r.print("FAILED: there is no fuzz target, or none of this name\n")
		return false
	case len(r.failed) > 0:
		r.print("FAILED: %d of %d fuzz targets: %s\n", len(r.failed), len(targets), strings.Join(r.failed, ", "))
		return false
	}
	r.print("fuzzed: %d targets, %d executions, 0 failed\n", len(targets), r.executions)
	return true
}

// one fuzzes a target.
func (r *report) one(t target) {
	output, err := r.fuzz(t)
	said := read(output)
	if said.isLate {
		err = nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err != nil:
		r.print("%s: FAILED after %d executions (%v)\n%s", t, said.executions, err, said.rest)
		if said.input != "" {
			r.print("the input is %s/%s; to run it again: go test -run='^%s$' ./%s\n", t.dir, said.input, said.test, t.dir)
		}
	case said.executions == 0:
		r.print("%s: FAILED, as it ran nothing but what is kept; give it longer (-time)\n%s", t, said.rest)
	default:
		r.executions += said.executions
		r.print("%s: %d executions\n", t, said.executions)
		return
	}
	r.failed = append(r.failed, t.name)
}

func (r *report) print(format string, args ...any) { _, _ = fmt.Fprintf(r.out, format, args...) }
