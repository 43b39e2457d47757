package command_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/assembly"
	"github.com/keystead/terraform-provider-hsm/internal/config"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/inventory"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/secret"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// site is a token, and the directory that the log of it is kept in.
type site struct {
	t     *testing.T
	token *softhsm.Token
	dir   string
	made  int
}

// change makes a key under the log, as a run does.
func (s *site) change() error {
	services, shut := assembly.Services(config.Settings{
		ModulePath: s.token.Module, TokenLabel: s.token.Label, Environment: "prod", Actor: "ada", Audit: config.Audit{Directory: s.dir},
		PIN: func() (secret.Value, error) { return secret.New(softhsm.PIN), nil },
	}, time.Now)
	s.made++
	_, err := services.Keys.Create(s.t.Context(), keyring.Spec{
		Name: fmt.Sprint("k", s.made), Algorithm: keyring.ECP256, Operations: keyring.Sign, Enabled: true, OnDestroy: keyring.DestroyDisables,
	})
	return errors.Join(err, shut())
}

func (s *site) doctor() (int, string) {
	s.t.Helper()
	return hand(s.t, softhsm.PIN, "doctor", "-module-path", s.token.Module, "-token-label", s.token.Label)
}

func (s *site) file(name string) string { return filepath.Join(s.dir, name) }

func (s *site) do(err ...error) {
	s.t.Helper()
	if err := errors.Join(err...); err != nil {
		s.t.Fatal(err)
	}
}

// contents is every file of a directory, and what is in it.
func contents(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
		t.Fatal(err)
	}
	for _, entry := range entries {
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil && !entry.IsDir() {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %d %x\n", entry, len(text), text)
	}
	return b.String()
}

const records = "records-000000000000.jsonl"

// TestDoctorLog: whatever became of the log, the doctor and the next change come to the same
// verdict, and the doctor leaves everything as it is.
func TestDoctorLog(t *testing.T) {
	s := &site{t: t, token: softhsm.New(t, "doctor"), dir: filepath.Join(t.TempDir(), "of", "prod")}
	t.Setenv("HSM_AUDIT_DIRECTORY", s.dir)
	whole := "The audit log can be written, is whole, and goes with the token."
	older := filepath.Join(t.TempDir(), "older")

	for _, step := range []struct {
		name    string
		before  func()
		has     string // of the doctor
		refused string // of both; empty if the next change is made
	}{
		{"no log yet", func() {}, "There is no audit log in its directory yet: the first change begins one.", ""},
		{"after the first change", func() {}, whole, ""},
		{"a line torn by a kill", func() {
			text, err := os.ReadFile(s.file(records))
			s.do(err, os.WriteFile(s.file(records), append(text, `{"time":17`...), 0o600))
		}, "The audit log can be written", ""},
		{"hashes torn by a kill", func() {
			text, err := os.ReadFile(s.file("tree"))
			s.do(err, os.WriteFile(s.file("tree"), append(text, "half a hash"...), 0o600))
		}, "The audit log can be written", ""},
		{"no hashes", func() { s.do(os.Remove(s.file("tree"))) }, whole, ""},
		{"no lock", func() { s.do(os.Remove(s.file("lock"))) }, whole, ""},
		{"open to everybody", func() { s.do(os.CopyFS(older, os.DirFS(s.dir)), os.Chmod(s.dir, 0o777)) }, "WARNING Others than its owner may write to the directory of the audit log (mode 0777).", ""},
		{"hashes that cannot be written", func() { s.do(os.Remove(s.file("tree")), os.Mkdir(s.file("tree"), 0o700)) }, "", "The tree cannot be opened"},
		{"records cut off", func() {
			text, err := os.ReadFile(s.file(records))
			s.do(err, os.WriteFile(s.file(records), text[:bytes.LastIndexByte(text[:len(text)-1], '\n')+1], 0o600))
		}, "", "Records are missing"},
		{"records gone", func() { s.do(os.Remove(s.file(records))) }, "", "The records are gone"},
		{"checkpoints cut off", func() { s.do(os.Truncate(s.file("checkpoints"), 0)) }, "", "is not among the others"},
		{"an older log", func() { s.do(os.RemoveAll(s.dir), os.CopyFS(s.dir, os.DirFS(older))) }, "", "It does not tell of what was done last on"},
		{"an empty directory", func() { s.do(os.RemoveAll(s.dir), os.Mkdir(s.dir, 0o700)) }, "", "The token has had an audit log"},
		{"no directory", func() { s.do(os.RemoveAll(s.dir)) }, "", "The token has had an audit log"},
		{"no place for one", func() {
			s.do(os.RemoveAll(filepath.Dir(s.dir)), os.WriteFile(filepath.Dir(s.dir), nil, 0o600))
		}, "", "not a directory"},
		{"its key removed", func() {
			is := inventory.Read(t, softhsm.Module(t), s.token.Serial, softhsm.PIN)
			s.token.Tool(t, "--delete-object", "--type", "privkey", "--id", is.Keys[".audit"].Versions[1].Ref.ID)
		}, "", "no longer on the token"},
	} {
		t.Run(step.name, func(t *testing.T) {
			kept := t.TempDir()
			if _, err := os.Stat(s.dir); err == nil {
				s.do(os.CopyFS(kept, os.DirFS(s.dir)))
			}
			step.before()
			before := contents(t, s.dir)
			code, out := s.doctor()
			if after := contents(t, s.dir); after != before {
				t.Errorf("the doctor has changed the log:\n%s\n%s", before, after)
			}
			err := s.change()
			if step.refused == "" {
				check(t, code, 0, out, []string{step.has}, []string{"FAILED"})
				if err != nil {
					t.Errorf("the next change: %v", err)
				}
				return
			}
			check(t, code, 1, out, []string{"FAILED", step.refused, "The provider could not work."}, []string{whole})
			f, ok := errors.AsType[*fault.Error](err)
			if !ok || !strings.Contains(f.Error(), step.refused) {
				t.Errorf("the next change: %v", err)
			}
			s.do(os.RemoveAll(filepath.Dir(s.dir)), os.MkdirAll(filepath.Dir(s.dir), 0o700), os.CopyFS(s.dir, os.DirFS(kept)))
		})
	}
}

// TestRefusedBeforeTheLog: a login that fails by hand begins no log.
func TestRefusedBeforeTheLog(t *testing.T) {
	token, dir := softhsm.New(t, "doctor"), filepath.Join(t.TempDir(), "log")
	t.Setenv("HSM_AUDIT_DIRECTORY", dir)
	for _, args := range [][]string{{"doctor"}, {"history"}, {"audit", "settle", "-environment", "prod"}, {"audit", "rotate", "-environment", "prod"}} {
		code, out := hand(t, "0000-wrong", append(args, "-module-path", token.Module, "-token-label", token.Label)...)
		check(t, code, 1, out, []string{"FAILED", "CKR_PIN_INCORRECT"}, nil)
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q has begun a log: %v", args, err)
		}
	}
}
