package performance_test

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"
)

// TestFigures measures the rows that BENCH names, prints a table, and writes it where
// `make bench` says. Limits are enforced but for the full table, which tells what is
// reached and is not a test. Without BENCH it is about calls and sizes, which are the same
// however busy the machine is.
func TestFigures(t *testing.T) {
	table := os.Getenv("BENCH")
	rows := map[string]func() []row{"full": full, "quick": quick, "": counted}[table]()
	r := report{machine: machine(), commit: line("git", "describe", "--always", "--dirty")}
	l := newLab(t)
	for _, row := range rows {
		t.Run(row.name(), func(t *testing.T) {
			begin := time.Now()
			f := row.measure(t, l)
			if r.add(f, time.Since(begin)); table != "full" && !f.isMet() {
				t.Errorf("%s: %s, where %s is the limit: something got slower by its class", row.name(), f.verdict(), row.limit)
			}
		})
	}
	r.write(t)
}

// row is one line of the table.
type row struct {
	figure, size string
	against      string // the baseline, in words
	unit         string // of what is measured
	rounds       int
	limit        limit
	prepare      func(t *testing.T, l *lab) race
}

// race is what a row compares. Each call measures once, and says what came of it in the
// unit of the row; what has to be put back before is not part of that.
type race struct {
	ours     func() float64
	baseline func() float64 // nil: the figure stands for itself
	remark   func() string  // said beside the figure; may be nil
}

// limit is what is aimed at: of the ratio, or of the figure that has no baseline.
type limit struct {
	value     float64
	isMinimum bool
}

func atMost(v float64) limit  { return limit{v, false} }
func atLeast(v float64) limit { return limit{v, true} }

// String is empty for a figure that is only written down.
func (l limit) String() string {
	switch {
	case l.value == 0:
		return ""
	case l.isMinimum:
		return fmt.Sprintf("≥ %g", l.value)
	}
	return fmt.Sprintf("≤ %g", l.value)
}

func (r row) name() string { return r.figure + "/" + r.size }

// measure takes turns, so that both sides have the same share of what else the machine
// does meanwhile, and compares the medians.
func (r row) measure(t *testing.T, l *lab) figure {
	t.Helper()
	race := r.prepare(t, l)
	f := figure{row: r, begun: time.Now(), load: load()}
	var ours, baseline []float64
	for range r.rounds {
		if race.baseline != nil {
			baseline = append(baseline, race.baseline())
		}
		ours = append(ours, race.ours())
	}
	f.ours = median(ours)
	if race.baseline != nil {
		f.baseline = median(baseline)
	}
	if race.remark != nil {
		f.remark = race.remark()
	}
	return f
}

func median(list []float64) float64 {
	slices.Sort(list)
	n := len(list)
	return (list[(n-1)/2] + list[n/2]) / 2
}

// figure is what came of a row.
type figure struct {
	row
	begun          time.Time
	load           string // when it began
	ours, baseline float64
	remark         string
}

// judged is what the limit is for.
func (f figure) judged() float64 {
	if f.baseline != 0 {
		return f.ours / f.baseline
	}
	return f.ours
}

func (f figure) isMet() bool {
	switch {
	case f.limit.value == 0:
		return true
	case f.limit.isMinimum:
		return f.judged() >= f.limit.value
	}
	return f.judged() <= f.limit.value
}

func (f figure) verdict() string {
	text := quantity(f.ours, f.unit)
	if f.baseline != 0 {
		text = fmt.Sprintf("%s against %s, ratio %.2f", text, quantity(f.baseline, f.unit), f.judged())
	}
	return text
}
