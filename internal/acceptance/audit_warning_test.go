package acceptance_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// TestAuditWarning: whoever is about to publish a checkpoint is told if the log is not the one
// that was left.
func TestAuditWarning(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	a := newAudited(t, token, orders(token, "", schedule))
	a.apply()
	older := a.dir + ".older"
	if err := os.CopyFS(older, os.DirFS(a.dir)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		a.pass(time.Hour)
		a.apply("-replace=hsm_key_rotation.orders")
	}
	a.configure(orders(token, "", schedule) + "data \"hsm_audit\" \"this\" {}\n")
	const summary = "The audit log is not as it was left"
	if out := a.mustRun("plan"); strings.Contains(out, summary) {
		t.Error(out)
	}
	newer := a.dir + ".newer"
	if err := os.CopyFS(newer, os.DirFS(a.dir)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func() error
		says   string
	}{
		{"no records", func() error { return os.Truncate(filepath.Join(a.dir, "records-000000000000.jsonl"), 0) }, "Records are missing"},
		{"older checkpoints", func() error {
			var errs []error
			for _, name := range []string{"checkpoints", "checkpoint"} {
				text, err := os.ReadFile(filepath.Join(older, name))
				errs = append(errs, err, os.WriteFile(filepath.Join(a.dir, name), text, 0o600))
			}
			return errors.Join(errs...)
		}, "should have signed others"},
		{"no log", func() error { return os.RemoveAll(a.dir) }, "The token has had an audit log"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := errors.Join(os.RemoveAll(a.dir), os.CopyFS(a.dir, os.DirFS(newer)), c.change()); err != nil {
				t.Fatal(err)
			}
			expect(t, strings.Join(strings.Fields(a.mustRun("plan")), " "), summary, c.says)
		})
	}
}
