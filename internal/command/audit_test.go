package command_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/audit"
)

func TestAuditArguments(t *testing.T) {
	t.Setenv("HSM_AUDIT_DIRECTORY", "")
	empty, log := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(log, "records-000000000000.jsonl"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		args []string
		code int
		has  string
	}{
		"nothing":              {[]string{"audit"}, 2, "audit COMMAND"},
		"help":                 {[]string{"audit", "-h"}, 0, "prove"},
		"unknown":              {[]string{"audit", "edit"}, 2, `There is no command "audit edit".`},
		"no log":               {[]string{"audit", "show"}, 1, "No audit log is named."},
		"no log there":         {[]string{"audit", "show", "-directory", empty}, 1, "There is no audit log in this directory."},
		"no record":            {[]string{"audit", "prove", "-directory", empty}, 2, "RECORD is a record's number"},
		"no keys":              {[]string{"audit", "keys"}, 1, "Nothing says by which keys the log is signed."},
		"a key that is none":   {[]string{"audit", "verify", "-directory", empty, "-key", "x"}, 1, "There is no audit log"},
		"a time that is none":  {[]string{"audit", "show", "-directory", empty, "-since", "now"}, 1, "There is no audit log"},
		"a negative number":    {[]string{"audit", "show", "-directory", log, "-last", "-1"}, 1, "-1 is no number of records."},
		"an unknown key":       {[]string{"audit", "show", "-directory", log, "-key", "nowhere"}, 0, "There are no records of key/nowhere that are asked for."},
		"rotate without token": {[]string{"audit", "rotate"}, 1, "No token is selected."},
		"settle, no reason":    {[]string{"audit", "settle", "-reason", " \t"}, 2, "it says nothing"},
		"rotate, no reason":    {[]string{"audit", "rotate", "-reason", ""}, 2, "it says nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out := hand(t, "", tc.args...)
			check(t, code, tc.code, out, []string{tc.has}, nil)
		})
	}
}

// TestAuditShowSkips: a line that is no record does not keep the others from being shown, and
// the exit code tells that there is one.
func TestAuditShowSkips(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	l := audit.New(audit.Config{
		Open: func(ctx context.Context, torn func(int64, string) ([]byte, error)) (audit.Store, error) {
			return audit.OpenDirectory(ctx, dir, torn, nil)
		},
		Serial: func(context.Context) (string, error) { return "4711", nil }, Environment: "prod", Actor: "ada@build",
		Now: func() time.Time { return time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC) },
	})
	for _, reason := range []string{"first", "second"} {
		if err := l.Note(t.Context(), audit.Event{Operation: "reveal", Subject: "credential/bot", Reason: reason}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "records-000000000000.jsonl")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(strings.Replace(string(text), "\n", "\ngarbage\n{}\n", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"show", "export"} {
		code, out := hand(t, "", "audit", what, "-directory", dir)
		check(t, code, 1, out, []string{"first", "second", "Record 1 cannot be read, and 1 more cannot."}, []string{"garbage"})
	}
}
