package performance_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The lines that the table goes between.
const (
	begin = "<!-- figures: written by `make bench` -->\n"
	end   = "<!-- /figures -->\n"
)

// publish puts the figures into the guide's table. The rows that were not measured stay, as
// each says when it was; but figures of two machines do not go into one table: a run on
// another machine has to be of all rows.
func (r *report) publish(t *testing.T, path string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(content), begin)
	table, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no place for the table: it wants the lines %q and %q", path, begin, end)
	}
	rows := map[string]string{}
	if strings.Contains(table, list(r.machine)) {
		rows = rowsOf(table)
	}
	for l := range strings.Lines(r.lines()) {
		rows[nameOf(l)] = l
	}
	var lines strings.Builder
	for _, row := range full() {
		l, ok := rows[row.name()]
		if !ok {
			fmt.Printf("bench: %s keeps its table: it has no %s of this machine\n", path, row.name())
			return
		}
		lines.WriteString(l)
	}
	text := before + begin + "\n" + list(r.machine) + "\n" + tableHead + lines.String() + "\n" + end + after
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// rowsOf are the lines of a table, by the names of its rows.
func rowsOf(table string) map[string]string {
	rows := map[string]string{}
	for l := range strings.Lines(table) {
		if strings.HasPrefix(l, "| ") {
			rows[nameOf(l)] = l
		}
	}
	return rows
}

func nameOf(line string) string {
	cells := strings.SplitN(line, "|", 4)
	return strings.TrimSpace(cells[1]) + "/" + strings.TrimSpace(cells[2])
}

// TestPublish: what was not measured stays, and figures of two machines are not mixed.
func TestPublish(t *testing.T) {
	path := t.TempDir() + "/guide.md"
	content := func(machine, last string) string {
		var b strings.Builder
		for _, row := range full()[1:] {
			fmt.Fprintf(&b, "| %s | %s | 1 | %s |\n", row.figure, row.size, last)
		}
		return "text\n" + begin + "\n" + list([]string{machine}) + "\n" + tableHead + fmt.Sprintf("| %s | %s | 1 | old |\n", full()[0].figure, full()[0].size) + b.String() + "\n" + end + "more\n"
	}
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := report{machine: []string{"this one"}, commit: "abc", figures: []figure{{row: full()[0], ours: 2}}}
	write(content("this one", "old"))
	r.publish(t, path)
	text, _ := os.ReadFile(path)
	rows := rowsOf(string(text))
	if len(rows) != len(full())+2 || strings.Contains(rows[full()[0].name()], "old") || !strings.Contains(rows[full()[1].name()], "old") || !strings.HasSuffix(string(text), end+"more\n") {
		t.Errorf("%s", text)
	}
	write(content("another", "old"))
	r.publish(t, path)
	if text, _ := os.ReadFile(path); string(text) != content("another", "old") {
		t.Errorf("%s", text)
	}
}
