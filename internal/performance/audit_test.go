package performance_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/audit"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// audited compares making keys under an audit log with the same without one. The token is
// in memory, as in all rows, but the log on disk.
func audited(keys int) func(*testing.T, *lab) race {
	return func(t *testing.T, l *lab) race {
		token := softhsm.New(t, label)
		empty, log := t.TempDir(), filepath.Join(t.TempDir(), "log")
		replace(t, token.Store.TokenDir(), empty)
		plain := shape{keys: keys}.configuration(token.Module, 0)
		without := l.newWorkdir(t, plain, "")
		with := l.newWorkdir(t, strings.Replace(plain, "  environment", fmt.Sprintf("  audit {\n    directory = %q\n  }\n  environment", log), 1), "")
		apply := func(w *workdir) func() float64 {
			return func() float64 {
				replace(t, empty, token.Store.TokenDir())
				if err := os.RemoveAll(log); err != nil {
					t.Fatal(err)
				}
				w.setState("")
				return w.apply()
			}
		}
		return race{ours: apply(with), baseline: apply(without)}
	}
}

// records is how many records a second the audit log makes durable for so many writers.
func records(writers int) func(*testing.T, *lab) race {
	const each = 500
	line := bytes.Repeat([]byte("x"), 900)
	return func(t *testing.T, _ *lab) race {
		var disk float64
		return race{
			ours: func() float64 {
				dir := t.TempDir()
				disk = fsyncs(t, dir, line)
				store, err := audit.OpenDirectory(t.Context(), dir, func(int64, string) ([]byte, error) { return nil, nil }, nil) // nothing is torn
				if err != nil {
					t.Fatal(err)
				}
				var group sync.WaitGroup
				begin := time.Now()
				for range writers {
					group.Go(func() {
						for range each {
							if _, err := store.Append(t.Context(), line); err != nil {
								t.Error(err)
								return
							}
						}
					})
				}
				group.Wait()
				took := time.Since(begin).Seconds()
				if err := store.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				return float64(writers*each) / took
			},
			remark: func() string { return fmt.Sprintf("the disk by itself: %.0f fsyncs/s", disk) },
		}
	}
}

// fsyncs is how often a second the disk makes one line durable.
func fsyncs(t *testing.T, dir string, line []byte) float64 {
	t.Helper()
	file, err := os.Create(filepath.Join(dir, "fsyncs"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	const times = 200
	begin := time.Now()
	for range times {
		if _, err := file.Write(line); err != nil {
			t.Fatal(err)
		}
		if err := file.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	return times / time.Since(begin).Seconds()
}
