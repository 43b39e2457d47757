package command_test

import (
	"os"
	"path/filepath"
	"testing"
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
