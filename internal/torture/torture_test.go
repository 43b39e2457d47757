package torture_test

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// long reports whether this is the long form.
func long() bool { return os.Getenv("TORTURE") != "" }

// seeded returns the source of every choice that a test makes.
func seeded(tb testing.TB) *rand.Rand {
	tb.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("TORTURE_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			tb.Fatalf("TORTURE_SEED: %v", err)
		}
	}
	tb.Logf("TORTURE_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // G404: to be repeated, not to be secret
}

// shard returns the part of the cases that this process works on: TORTURE_SHARD is "2/4"
// for the second of four. Each process has drawn the same cases, by the same seed.
func shard[T any](all []T) []T {
	which, of, ok := strings.Cut(os.Getenv("TORTURE_SHARD"), "/")
	if !ok {
		return all
	}
	n, errN := strconv.Atoi(which)
	total, errTotal := strconv.Atoi(of)
	if errN != nil || errTotal != nil || n < 1 || n > total {
		panic("TORTURE_SHARD is not like 2/4")
	}
	var mine []T
	for i := n - 1; i < len(all); i += total {
		mine = append(mine, all[i])
	}
	return mine
}

// summarise prints a line of the table that the long form ends with.
func summarise(tb testing.TB, class string, cases int, format string, args ...any) {
	tb.Helper()
	verdict := "0 violations"
	if tb.Failed() {
		verdict = "VIOLATIONS"
	}
	fmt.Printf("torture: %s: %d cases, %s, %s\n", class, cases, fmt.Sprintf(format, args...), verdict) // read by tools/torture.sh
}

// snapshot keeps the files of a store, to be put back as often as needed.
type snapshot struct {
	dir   string
	files map[string][]byte // by path below dir
}

func take(tb testing.TB, dir string) *snapshot {
	tb.Helper()
	s := &snapshot{dir: dir, files: map[string][]byte{}}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path) //nolint:gosec // G122: nobody else is in the test's own directory
		s.files[path] = content
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// restore brings the directory back to what it was. Directories stay.
func (s *snapshot) restore(tb testing.TB) {
	tb.Helper()
	check := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	check(filepath.WalkDir(s.dir, func(path string, entry fs.DirEntry, err error) error {
		if _, kept := s.files[path]; err == nil && entry.Type().IsRegular() && !kept {
			return os.Remove(path) //nolint:gosec // G122: as above
		}
		return err
	}))
	for path, content := range s.files {
		check(os.WriteFile(path, content, 0o600))
	}
}
