package command

import (
	"fmt"
	"io"
	"strings"
)

// report is what an examination found, as it is printed: facts, and findings of which the
// worst decides the exit code.
type report struct {
	out              io.Writer
	findings         []string
	warned, failures int
	refused          []error // what failed
}

// width is where lines are broken, the lines of a finding indented.
const (
	width  = 100
	indent = 11
)

// fact prints something that is neither good nor bad. Without a name it goes on with the
// fact before.
func (r *report) fact(name, text string) {
	if text != "" {
		_, _ = fmt.Fprintln(r.out, hanging(name, text))
	}
}

func (r *report) ok(text string) { r.findings = append(r.findings, hanging("ok", text)) }

// warn is about what does not keep the provider from working.
func (r *report) warn(problem, hint string) {
	r.warned++
	r.find("WARNING", problem, hint)
}

// fail is about what does.
func (r *report) fail(err error) {
	r.failures++
	r.refused = append(r.refused, err)
	w := explain(err)
	r.find("FAILED", strings.Join(w.problems, " "), strings.Join(w.hints, " "), bracketed(w.codes))
}

func bracketed(codes []string) string {
	if len(codes) == 0 {
		return ""
	}
	return "[" + strings.Join(codes, "; ") + "]"
}

func (r *report) find(name string, paragraphs ...string) {
	for _, text := range paragraphs {
		if text != "" {
			r.findings = append(r.findings, hanging(name, text))
			name = ""
		}
	}
}

// close prints the findings and the verdict, and returns the exit code.
func (r *report) close() int {
	_, _ = fmt.Fprintf(r.out, "\n%s\n\n", strings.Join(r.findings, "\n"))
	warnings := ""
	switch r.warned {
	case 0:
	case 1:
		warnings = " There is 1 warning."
	default:
		warnings = fmt.Sprintf(" There are %d warnings.", r.warned)
	}
	if r.failures > 0 {
		_, _ = fmt.Fprintln(r.out, "The provider could not work."+warnings)
		return exitFailed
	}
	_, _ = fmt.Fprintln(r.out, "The provider can work with this token."+warnings)
	return exitFine
}

// hanging sets a text in lines behind a name.
func hanging(name, text string) string {
	var b strings.Builder
	column := indent
	fmt.Fprintf(&b, "%-*s", indent, name)
	for n, word := range strings.Fields(text) {
		switch {
		case n == 0:
		case column+1+len(word) > width:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			column = indent
		default:
			b.WriteString(" ")
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return strings.TrimRight(b.String(), " ")
}
