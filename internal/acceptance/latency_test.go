package acceptance_test

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/interposer"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// manyKeys configures so many keys.
func manyKeys(n int) string {
	return fmt.Sprintf("\nresource \"hsm_key\" \"many\" {\n  count     = %d\n  name      = \"key-${count.index}\"\n  algorithm = \"EC_P256\"\n}\n", n)
}

// TestLatency applies and plans many keys against a module that answers like that of an
// HSM in the network: each call takes a while, in all sessions at the same time. Every
// call but those that only load the module is taken to go to the HSM, which is the worst
// case: some client libraries answer C_GetSessionInfo or C_FindObjects themselves, and
// none C_Initialize, C_GetInfo or C_GetFunctionList from elsewhere.
//
// It is a benchmark: `make bench-latency` has it write HSM_BENCH_FILE, for
// HSM_BENCH_KEYS keys. Otherwise it takes a few keys, and fails if it does not measure
// what it should.
func TestLatency(t *testing.T) {
	type remote struct {
		keys     int
		latency  time.Duration
		sessions int // that calls are made in at a time
	}
	cases := []remote{{1, 0, 1}, {4, 0, 1}, {4, time.Millisecond, 1}, {4, time.Millisecond, 4}}
	file := os.Getenv("HSM_BENCH_FILE")
	if file == "" {
		file = filepath.Join(t.TempDir(), "latency.csv")
	} else {
		// One key tells what a run calls that is not for the keys.
		keys := number(t, "HSM_BENCH_KEYS")
		cases = []remote{{1, 0, 1}, {keys, 0, 1}}
		for _, latency := range []time.Duration{time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond} {
			cases = append(cases, remote{keys, latency, 1}, remote{keys, latency, 8}, remote{keys, latency, 32})
		}
	}
	mirror := buildMirror(t, "1")
	table := newTable(t, file, "command", "keys", "latency_ms", "sessions", "calls", "seconds")
	for _, c := range cases {
		remote, m := newRemoteCLI(t, mirror, c.keys, c.sessions)
		for _, command := range [][]string{{"apply", "-auto-approve"}, {"plan", "-detailed-exitcode"}} {
			m.Count()
			m.Delay(c.latency)
			begin := time.Now()
			remote.mustRun(append(command, "-parallelism=32")...)
			took := time.Since(begin)
			table.add(command[0], c.keys, c.latency.Milliseconds(), c.sessions, m.Counted(), took.Seconds())
			if m.Counted() < c.keys || took < c.latency*time.Duration(m.Counted())/time.Duration(c.sessions) {
				t.Errorf("%s of %d keys: %d calls of %v took %v in %d sessions", command[0], c.keys, m.Counted(), c.latency, took, c.sessions)
			}
			if overlapped := m.Overlapped(); c.latency > 0 && (overlapped > c.sessions || c.sessions > 1 && overlapped < 2) {
				t.Errorf("%s of %d keys: %d calls overlapped in %d sessions", command[0], c.keys, overlapped, c.sessions)
			}
			if testing.Verbose() {
				for f := range interposer.Functions() {
					if n := m.Calls(f); n > 0 {
						t.Logf("%s: %s %d", command[0], f, n)
					}
				}
			}
		}
	}
}

// newRemoteCLI has the built provider work on a token that is far away, in so many sessions
// besides the one that it holds.
func newRemoteCLI(t *testing.T, mirror string, keys, sessions int) (*cli, *interposer.Module) {
	t.Helper()
	token := softhsm.New(t, "acceptance")
	m := interposer.New(t, token.Module)
	m.Remote()
	token.Module = m.Path
	c := attach(t, nil)
	c.useMirror(mirror)
	block := strings.Replace(providerBlock(token, "test"), "environment",
		fmt.Sprintf("max_sessions = %d\n  concurrent_calls = %t\n  environment", sessions+1, sessions > 1), 1)
	c.configure(block + manyKeys(keys))
	c.mustRun("init")
	return c, m
}

// table is a CSV file that is complete after each line: a long run may be cut short.
type table struct {
	t *testing.T
	w *csv.Writer
}

func newTable(t *testing.T, path string, columns ...any) *table {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	table := &table{t, csv.NewWriter(file)}
	table.add(columns...)
	return table
}

func (table *table) add(values ...any) {
	table.t.Helper()
	row := make([]string, len(values))
	for i, value := range values {
		if row[i] = fmt.Sprint(value); fmt.Sprintf("%T", value) == "float64" {
			row[i] = fmt.Sprintf("%.4g", value)
		}
	}
	_ = table.w.Write(row) // Error tells
	table.w.Flush()
	if err := table.w.Error(); err != nil {
		table.t.Fatal(err)
	}
	table.t.Log(row)
}

// number is that of an environment variable.
func number(t *testing.T, variable string) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv(variable))
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}
