package credential_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/credential"
)

// TestKeyID: a key id needs no escaping in a URL, and reads back as what it was made of.
func TestKeyID(t *testing.T) {
	long := strings.Repeat("x", 63)
	for id, want := range map[string]struct {
		environment, name string
		version           int
	}{
		"prod~market-maker~3":           {"prod", "market-maker", 3},
		"a~b~1":                         {"a", "b", 1},
		"-._~0-._~2147483647":           {"-._", "0-._", 2147483647},
		long + "~" + long + "~" + "100": {long, long, 100},
	} {
		if got := credential.KeyID(want.environment, want.name, want.version); got != id || url.PathEscape(id) != id || url.QueryEscape(id) != id {
			t.Errorf("%q, want %q; in a path %q, in a query %q", got, id, url.PathEscape(id), url.QueryEscape(id))
		}
		environment, name, version, ok := credential.ParseKeyID(id)
		if !ok || environment != want.environment || name != want.name || version != want.version {
			t.Errorf("%q is read as %q, %q, %d, %v", id, environment, name, version, ok)
		}
	}
}

func TestKeyIDRefused(t *testing.T) {
	for _, id := range []string{
		"", "~", "~~", "prod", "prod~bot", "prod~bot~", "prod~~1", "~bot~1", "prod~bot~1~", "prod~bot~1~1", "~prod~bot~1",
		"prod~bot~0", "prod~bot~-1", "prod~bot~+1", "prod~bot~01", "prod~bot~1.0", "prod~bot~1 ", "prod~bot~1\n", "prod~bot~0x1", "prod~bot~1_0", "prod~bot~one",
		"prod~bot~99999999999999999999", "prod~bot~١", "prod~.bot~1", "prod~-bot~1", "prod~_bot~1", "pr od~bot~1", "prod~b%6Ft~1", "prod~bö~1", "prod\n~bot~1",
		"prod/bot/1", strings.Repeat("x", 64) + "~bot~1", "prod~" + strings.Repeat("x", 64) + "~1",
	} {
		if environment, name, version, ok := credential.ParseKeyID(id); ok || environment != "" || name != "" || version != 0 {
			t.Errorf("%q is read as %q, %q, %d, %v", id, environment, name, version, ok)
		}
	}
}

// FuzzParseKeyID: a key id is written in one way only.
func FuzzParseKeyID(f *testing.F) {
	f.Fuzz(func(t *testing.T, id string) {
		environment, name, version, ok := credential.ParseKeyID(id)
		if ok && (version < 1 || credential.KeyID(environment, name, version) != id || url.PathEscape(id) != id) {
			t.Errorf("%q is read as %q, %q, %d", id, environment, name, version)
		}
		if !ok && (environment != "" || name != "" || version != 0) {
			t.Errorf("%q is refused, and read as %q, %q, %d", id, environment, name, version)
		}
	})
}
