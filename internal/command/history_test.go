package command_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/assembly"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

func TestHistory(t *testing.T) {
	token := softhsm.New(t, "history")
	chosen := []string{"history", "-module-path", token.Module, "-token-label", token.Label}
	code, out := hand(t, softhsm.PIN, chosen...)
	check(t, code, 0, out, nil, []string{"key/"})
	makeKey(t, token, "prod")

	for name, tc := range map[string]struct {
		args []string
		code int
		has  []string
	}{
		"all":                 {nil, 0, []string{"key/k 3 entries, head ", " begun version 1 ada create 2 ", " generated version 1 ada 3 ", "activated version 1 ada created"}},
		"one":                 {[]string{"key/k"}, 0, []string{"key/k 3 entries"}},
		"another":             {[]string{"key/other"}, 1, []string{`record "key/other": The token holds no such record.`}},
		"another environment": {[]string{"-environment", "dev"}, 1, []string{`belongs to environment "prod", asked for was "dev"`}},
	} {
		t.Run(name, func(t *testing.T) {
			code, out := hand(t, softhsm.PIN, append(append([]string{}, chosen...), tc.args...)...)
			check(t, code, tc.code, out, tc.has, []string{softhsm.PIN})
		})
	}

	t.Run("JSON", func(t *testing.T) {
		t.Setenv("HSM_PIN", softhsm.PIN)
		var b bytes.Buffer
		if code := assembly.Command(t.Context(), "", append(append([]string{}, chosen...), "-json"), &b, &b); code != 0 {
			t.Fatal(b.String())
		}
		lines := 0
		for s := bufio.NewScanner(&b); s.Scan(); lines++ {
			var told struct {
				Record, Head string
				Entries      []struct{ What, Prev string }
			}
			if err := json.Unmarshal(s.Bytes(), &told); err != nil || told.Record != "key/k" || len(told.Head) != 64 || len(told.Entries) != 3 || len(told.Entries[2].Prev) != 64 {
				t.Errorf("%v: %s", err, s.Text())
			}
		}
		if lines != 1 {
			t.Errorf("%d lines", lines)
		}
	})

	t.Run("changed by hand", func(t *testing.T) { // with the checksum put right, which takes no secret
		value := token.Tool(t, "--read-object", "--type", "data", "--label", "key/k")
		if !strings.Contains(value, `"actor":"ada"`) {
			t.Fatal(value)
		}
	})
}
