package main_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// serveTests are packages of which no user reads what they say.
var serveTests = []string{
	"internal/acceptance", "internal/torture", "internal/softhsm", "internal/tokens", "internal/interposer", "internal/inventory",
	"internal/catalog/catalogtest", "internal/lifecycle/lifecycletest",
}

// withoutRemedy holds what says no remedy where it is worded, with the reason.
var withoutRemedy = map[string]string{
	"internal/config/selection.go unreadableURI":       "the remedy is that of the cause",
	"internal/provider/client.go finish":               "passes on warnings, which say in one text what is wrong and what to do",
	"internal/provider/client.go warnCautions":         "passes on warnings",
	"internal/provider/client.go noteImport":           "the remedy is that of the cause",
	"internal/provider/audit_data_source.go warnOfLog": "the remedy is that of the cause",
}

// TestDiagnostics keeps testdata/diagnostics.txt complete: every error and warning that the
// provider words itself, with its remedy, in one place where they can be read as a set. The
// framework's words are in TestRules. UPDATE=1 writes it.
func TestDiagnostics(t *testing.T) {
	const file = "testdata/diagnostics.txt"
	var b strings.Builder
	var place string
	excused := map[string]bool{}
	for _, m := range readMessages(t) {
		if m.where != place {
			place = m.where
			fmt.Fprintf(&b, "== %s\n\n", place)
		}
		fmt.Fprintf(&b, "[%s] %s\n  problem: %s\n  remedy:  %s\n\n", m.kind, m.summary, indent(m.problem), indent(m.remedy))
		if m.remedy != "" || m.hasCause || m.kind == "fault.Internal" || m.kind == "warning" { // of bugs the translation says what to do
			continue
		}
		name, _, _ := strings.Cut(m.where, " ")
		if _, ok := withoutRemedy[m.where]; ok {
			name = m.where
		}
		excused[name] = true
		if withoutRemedy[name] == "" {
			t.Errorf("%s: %q does not say what to do about it", m.where, m.problem)
		}
	}
	for name := range withoutRemedy {
		if !excused[name] {
			t.Errorf("%s needs no exception", name)
		}
	}
	text := endOfLine.ReplaceAllString(b.String(), "\n")
	golden(t, file, text)
}

var endOfLine = regexp.MustCompile(` +\n`)

func indent(text string) string {
	return strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n           ")
}
