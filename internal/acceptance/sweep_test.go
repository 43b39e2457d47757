package acceptance_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// TestSweep measures how the time of each command grows with the number of keys, beside
// the same number of terraform_data, which is what Terraform itself takes; and how long one
// search of the token takes. It is a benchmark: `make bench-scale` has it write
// HSM_BENCH_FILE, for the numbers of keys in HSM_BENCH_SIZES. Otherwise it takes two keys,
// and fails if a command does.
func TestSweep(t *testing.T) {
	file, sizes := os.Getenv("HSM_BENCH_FILE"), []string{"2"}
	if file == "" {
		file = filepath.Join(t.TempDir(), "sweep.csv")
	} else {
		sizes = strings.Fields(os.Getenv("HSM_BENCH_SIZES"))
	}
	mirror := buildMirror(t, "1")
	table := newTable(t, file, "keys", "command", "seconds", "terraform_seconds")
	for _, size := range sizes {
		n, err := strconv.Atoi(size)
		if err != nil {
			t.Fatal(err)
		}
		token := softhsm.New(t, "acceptance")
		ours, floor := attach(t, nil), attach(t, nil)
		ours.useMirror(mirror)
		ours.configure(providerBlock(token, "test") + manyKeys(n))
		ours.mustRun("init")
		floor.configure(fmt.Sprintf("resource \"terraform_data\" \"many\" {\n  count = %d\n  input = \"key-${count.index}\"\n}\n", n))
		for _, command := range []struct {
			name string
			args []string
		}{
			{"apply", []string{"apply", "-auto-approve"}},
			{"plan", []string{"plan"}},
			{"refresh", []string{"plan", "-refresh-only"}},
		} {
			// In turn, so that what else the machine is doing falls on both.
			terraform := median(command.name, func() time.Duration { return timed(floor, command.args) })
			provider := median(command.name, func() time.Duration { return timed(ours, command.args) })
			table.add(n, command.name, provider.Seconds(), terraform.Seconds())
		}
		table.add(n, "search", searching(t, token).Seconds(), "")
	}
}

func timed(c *cli, args []string) time.Duration {
	begin := time.Now()
	c.mustRun(args...)
	return time.Since(begin)
}

// median is that of three; an apply is done once, as it can only be done once.
func median(command string, measure func() time.Duration) time.Duration {
	if command == "apply" {
		return measure()
	}
	all := []time.Duration{measure(), measure(), measure()}
	slices.Sort(all)
	return all[1]
}

// searching is how long the token takes to find nothing.
func searching(t *testing.T, at *softhsm.Token) time.Duration {
	t.Helper()
	token := cryptoki.New(cryptoki.Config{
		ModulePath: at.Module, Select: cryptoki.Selector{Serial: at.Serial},
		PIN: func() ([]byte, error) { return []byte(softhsm.PIN), nil },
	})
	search := func() time.Duration {
		begin := time.Now()
		found, err := token.Search(t.Context(), []cryptoki.Attribute{cryptoki.Bytes(cryptoki.CKA_ID, []byte("nobody's"))})
		if err != nil || len(found) > 0 {
			t.Errorf("%d objects, %v", len(found), err)
		}
		return time.Since(begin)
	}
	search() // opens the token
	took := median("search", search)
	if err := token.Close(); err != nil {
		t.Error(err)
	}
	return took
}
