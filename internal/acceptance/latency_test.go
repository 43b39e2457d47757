package acceptance_test

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
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
// It is a benchmark: `make bench-latency` has it write HSM_BENCH_LATENCY, for
// HSM_BENCH_KEYS keys. Otherwise it takes a few keys, and fails if it does not measure
// what it should.
func TestLatency(t *testing.T) {
	keys, latencies := 4, []time.Duration{0, time.Millisecond}
	file := os.Getenv("HSM_BENCH_LATENCY")
	if file == "" {
		file = filepath.Join(t.TempDir(), "latency.csv")
	} else {
		keys, latencies = number(t, "HSM_BENCH_KEYS"), []time.Duration{0, time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond}
	}
	mirror := buildMirror(t, "1")
	table := newTable(t, file, "command", "keys", "latency_ms", "calls", "overlapped", "seconds")
	for _, latency := range latencies {
		c, m := newRemoteCLI(t, mirror, keys)
		for _, command := range [][]string{{"apply", "-auto-approve"}, {"plan", "-detailed-exitcode"}} {
			m.Count()
			m.Delay(latency)
			begin := time.Now()
			c.mustRun(command...)
			took := time.Since(begin)
			table.add(command[0], keys, latency.Milliseconds(), m.Counted(), m.Overlapped(), took.Seconds())
			if m.Counted() < keys || took < latency*time.Duration(m.Counted())/time.Duration(max(m.Overlapped(), 1)) {
				t.Errorf("%s of %d keys: %d calls, %d at a time, of %v took %v", command[0], keys, m.Counted(), m.Overlapped(), latency, took)
			}
			if testing.Verbose() {
				for f := range interposer.Functions() {
					if n := m.Calls(f); n > 0 {
						t.Logf("%s %v: %s %d", command[0], latency, f, n)
					}
				}
			}
		}
	}
}

// newRemoteCLI has the built provider work on a token that is far away.
func newRemoteCLI(t *testing.T, mirror string, keys int) (*cli, *interposer.Module) {
	t.Helper()
	token := softhsm.New(t, "acceptance")
	m := interposer.New(t, token.Module)
	m.Remote()
	token.Module = m.Path
	c := attach(t, nil)
	c.useMirror(mirror)
	c.configure(providerBlock(token, "test") + manyKeys(keys))
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
			row[i] = fmt.Sprintf("%.2f", value)
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
