package performance_test

import (
	"encoding/csv"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// report is the table, and the facts that it has to be read with.
type report struct {
	machine []string // what it was measured on
	commit  string
	figures []figure
}

// add takes a figure, and says so: the table comes when all are there.
func (r *report) add(f figure, took time.Duration) {
	r.figures = append(r.figures, f)
	fmt.Printf("bench: %s: %s (after %.0f s)\n", f.name(), f.verdict(), took.Seconds())
}

// write prints the table, and puts it into the guide and the CSV file that the
// environment names.
func (r *report) write(t *testing.T) {
	t.Helper()
	fmt.Println("\n" + list(r.machine) + "\n" + tableHead + r.lines())
	if path := os.Getenv("BENCH_CSV"); path != "" {
		r.writeCSV(t, path)
	}
	if path := os.Getenv("BENCH_GUIDE"); path != "" {
		r.publish(t, path)
	}
}

// list is the facts as they stand above a table.
func list(facts []string) string {
	var b strings.Builder
	for _, fact := range facts {
		fmt.Fprintf(&b, "* %s\n", fact)
	}
	return b.String()
}

const tableHead = "| figure | size | measured | baseline | ratio | target | met | rounds | when |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"

func (r *report) lines() string {
	var b strings.Builder
	for _, f := range r.figures {
		baseline, ratio, met := "–", "–", "–"
		if f.baseline != 0 {
			baseline, ratio = fmt.Sprintf("%s: %s", f.against, quantity(f.baseline, f.unit)), fmt.Sprintf("%.2f", f.judged())
		}
		if f.limit.value != 0 {
			met = yesNo(f.isMet())
		}
		measured := quantity(f.ours, f.unit)
		if f.remark != "" {
			measured += " (" + f.remark + ")"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %d | %s, commit %s, load %s |\n",
			f.figure, f.size, measured, baseline, ratio, f.limit, met, f.rounds, f.begun.UTC().Format(time.DateOnly), r.commit, f.load)
	}
	return b.String()
}

// writeCSV writes one line for each figure, numbers without their units.
func (r *report) writeCSV(t *testing.T, path string) {
	t.Helper()
	lines := [][]string{{"figure", "size", "unit", "ours", "baseline", "ratio", "target", "met", "rounds", "against"}}
	for _, f := range r.figures {
		line := []string{f.figure, f.size, f.unit, number(f.ours), "", "", f.limit.String(), "", strconv.Itoa(f.rounds), f.against}
		if f.baseline != 0 {
			line[4], line[5] = number(f.baseline), number(f.judged())
		}
		if f.limit.value != 0 {
			line[7] = yesNo(f.isMet())
		}
		lines = append(lines, line)
	}
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := csv.NewWriter(file).WriteAll(lines); err != nil {
		t.Error(err)
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }

// quantity is a number as people read it.
func quantity(v float64, unit string) string {
	decimals := 0
	switch {
	case v < 10:
		decimals = 2
	case v < 100:
		decimals = 1
	}
	return strings.TrimSpace(strconv.FormatFloat(v, 'f', decimals, 64) + " " + unit)
}

// machine describes what is measured on.
func machine() []string {
	return []string{
		fmt.Sprintf("%d × %s, %s", runtime.NumCPU(), field("/proc/cpuinfo", "model name"), field("/proc/meminfo", "MemTotal")),
		"Linux " + line("uname", "-r"),
		fmt.Sprintf("%s, SoftHSM %s with its tokens in memory, %s", line(os.Getenv("TF_ACC_TERRAFORM_PATH"), "version"),
			line("softhsm2-util", "--version"), runtime.Version()),
	}
}

// load is how many processes were at work in the last minute.
func load() string {
	first, _, _ := strings.Cut(content("/proc/loadavg"), " ")
	return first
}

// field is the value of a line "name: value".
func field(path, name string) string {
	for l := range strings.Lines(content(path)) {
		if key, value, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// content is empty where there is no such file.
func content(path string) string {
	text, _ := os.ReadFile(path)
	return string(text)
}

// line is the first line that a command prints, empty if it cannot be run.
func line(name string, args ...string) string {
	out, _ := exec.Command(name, args...).Output() //nolint:gosec // G702: the CLI is chosen by whoever runs this
	first, _, _ := strings.Cut(string(out), "\n")
	return first
}
