package credential

import (
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// separator is between the parts of a key id. It is in none of them, and needs no
// escaping in a URL (RFC 3986 section 2.3).
const separator = "~"

var environmentPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9._-]{1,63}$`) })

// KeyID is what a caller puts into its requests: environment, name and version, as in
// "prod~market-maker~3".
func KeyID(environment, name string, version int) string {
	return environment + separator + name + separator + strconv.Itoa(version)
}

// ParseKeyID reads what KeyID wrote; ok is false for anything else.
func ParseKeyID(id string) (environment, name string, version int, ok bool) {
	parts := strings.Split(id, separator)
	if len(parts) != 3 || !environmentPattern().MatchString(parts[0]) || keyring.ValidateName(parts[1]) != nil {
		return "", "", 0, false
	}
	version, err := strconv.Atoi(parts[2])
	if err != nil || version < 1 || strconv.Itoa(version) != parts[2] {
		return "", "", 0, false
	}
	return parts[0], parts[1], version, true
}
