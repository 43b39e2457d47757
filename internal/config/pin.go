package config

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/keystead/terraform-provider-hsm/internal/secret"
)

// maxPIN bounds what is read from a PIN file; no token takes a PIN this long.
const maxPIN = 4096

var uriScheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]+:`) // two letters: "C:" is a drive

const howToGivePIN = `Set the variable HSM_PIN, or put the PIN into a file and add "pin-source=file:/path" to the URI, or set pin.`

// choosePIN decides where the PIN comes from, and reads nothing yet.
func (s *Settings) choosePIN(in Input, u URI, getenv func(string) string) (problems []error) {
	var file string
	if u.PINSource != "" {
		var problem string
		if file, problem = pinFile(u.PINSource); problem != "" {
			problems = append(problems, invalid("uri", "The pin-source of the URI "+problem+".",
				`Name a file by its absolute path, "pin-source=file:/path" or "pin-source=/path".`))
		}
	}
	given := []string{}
	if u.PINSource != "" {
		given = append(given, "pin-source")
	}
	if !u.PINValue.IsEmpty() {
		given = append(given, "pin-value")
	}
	if !in.PIN.IsEmpty() && len(given) > 0 {
		problems = append(problems, invalid("pin", "The PIN is given twice: by pin, and by the "+strings.Join(given, ", ")+" of the URI.", "Give it once."))
	}
	pin := in.PIN
	if pin.IsEmpty() {
		pin = u.PINValue
	}
	if pin.IsEmpty() && file == "" {
		pin = secret.New(getenv(envPIN))
	}
	s.PIN = func() (secret.Value, error) {
		switch {
		case !pin.IsEmpty():
			return pin, nil
		case file != "":
			return readPIN(file)
		default:
			return secret.Value{}, invalid("pin", "The token asks for a PIN and none is given.", howToGivePIN)
		}
	}
	return problems
}

// pinFile returns the file that a pin-source names (RFC 7512 section 2.4), or
// what is wrong with it. It repeats nothing of the source: who confuses it with
// pin-value has put the PIN here.
func pinFile(source string) (path, problem string) {
	const scheme = "file:"
	path = source
	switch {
	case strings.HasPrefix(source, "|"):
		return "", "runs a command, which is not done here"
	case len(source) >= len(scheme) && strings.EqualFold(source[:len(scheme)], scheme):
		path = source[len(scheme):]
		// RFC 8089: an authority may come before the path, empty or localhost.
		if rest, ok := strings.CutPrefix(path, "//"); ok {
			host, _, _ := strings.Cut(rest, "/")
			if host != "" && !strings.EqualFold(host, "localhost") {
				return "", "names a file on another host"
			}
			path = rest[len(host):]
		}
		if len(path) > 1 && filepath.VolumeName(path[1:]) != "" {
			path = path[1:] // "/C:/pin" on Windows
		}
	case uriScheme.MatchString(source):
		return "", "has a scheme other than file"
	}
	if !filepath.IsAbs(path) {
		return "", "is not an absolute path"
	}
	return path, ""
}

// readPIN reads a PIN from a file. One line feed, or carriage return and line
// feed, at the end is the editor's and not the PIN's. Who else may read the file
// is the operator's affair: in a container it is often everybody.
func readPIN(path string) (secret.Value, error) {
	file, err := os.Open(path)
	if err != nil {
		return secret.Value{}, unreadablePIN("cannot be opened", err)
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, maxPIN+1))
	defer clear(content)
	if err != nil {
		return secret.Value{}, unreadablePIN("cannot be read", err)
	}
	if len(content) > maxPIN {
		return secret.Value{}, unreadablePIN(fmt.Sprintf("%s is longer than %d bytes, so that it cannot be a PIN", path, maxPIN), nil)
	}
	pin := content
	if line, ok := bytes.CutSuffix(pin, []byte("\n")); ok {
		pin = bytes.TrimSuffix(line, []byte("\r"))
	}
	if len(pin) == 0 {
		return secret.Value{}, unreadablePIN(path+" is empty", nil)
	}
	return secret.New(pin), nil
}

func unreadablePIN(problem string, cause error) error {
	f := invalid("uri", "The PIN file that pin-source names "+problem+".", "Put the PIN into the file, alone on its first line, and let this process read it.")
	f.Cause = cause
	return f
}
