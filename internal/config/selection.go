package config

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// selectToken fills in the module and what selects the token. It returns the URI
// if one is in use, for its PIN.
func (s *Settings) selectToken(in Input, getenv func(string) string) (u URI, problems []error) {
	const either = "either uri, or module_path with at least one of token_label, token_serial and slot_id"
	given := in.givenBesideURI()
	problems = s.takeSlot(in)
	switch {
	case in.URI != "" && len(given) > 0:
		problems = append(problems, invalid("uri", "The token is selected in two ways; given are uri, "+strings.Join(given, ", ")+".", "Give "+either+"."))
	case in.URI != "":
		return s.takeURI("uri", in.URI)
	case len(given) == 0 && getenv(envURI) != "":
		return s.takeURI(envURI, getenv(envURI))
	case len(given) == 0:
		problems = append(problems, invalid("uri", "No token is selected.", "Give "+either+"; the variable HSM_URI stands in for uri."))
	case in.ModulePath == "":
		problems = append(problems, invalid("module_path", "No PKCS#11 module is named; given is only "+strings.Join(given, ", ")+".",
			`Set module_path to the file of the vendor's module, for example "/usr/lib/softhsm/libsofthsm2.so".`))
	case len(given) == 1:
		problems = append(problems, invalid("module_path", "A PKCS#11 module is named, but nothing says which of its tokens is meant.",
			"Give at least one of token_label, token_serial and slot_id."))
	}
	s.ModulePath, s.TokenLabel, s.TokenSerial = in.ModulePath, in.TokenLabel, in.TokenSerial
	return URI{}, problems
}

func (s *Settings) takeSlot(in Input) []error {
	if in.SlotID == nil {
		return nil
	}
	n := *in.SlotID
	if n < 0 || uint64(n) > math.MaxUint {
		return []error{invalid("slot_id", fmt.Sprintf("slot_id cannot be %d.", n), "Use the number that the module gives the slot, 0 or more.")}
	}
	slot := uint(n)
	s.SlotID = &slot
	return nil
}

// takeURI uses what a URI says of module and token. Attributes that would narrow
// the choice further and that nothing here looks at are refused: leaving them
// aside could select a token that was ruled out.
func (s *Settings) takeURI(origin, text string) (u URI, problems []error) {
	u, err := ParseURI(text)
	if err != nil {
		return URI{}, []error{unreadableURI(origin, err)}
	}
	s.ModulePath, s.SlotID = u.ModulePath, u.SlotID
	s.TokenLabel, s.TokenSerial, s.TokenManufacturer, s.TokenModel = u.Token, u.Serial, u.Manufacturer, u.Model
	if u.ModulePath == "" {
		problem := "names no PKCS#11 module"
		if u.ModuleName != "" {
			problem += "; module-name alone does not tell where its file is"
		}
		problems = append(problems, invalidURIArgument(origin, problem,
			`Add the file of the vendor's module after a question mark: "?module-path=/usr/lib/softhsm/libsofthsm2.so".`))
	}
	if u.SlotID == nil && cmp.Or(u.Token, u.Serial, u.Manufacturer, u.Model) == "" {
		problems = append(problems, invalidURIArgument(origin, "does not say which token is meant",
			"Give at least one of token, serial, manufacturer, model and slot-id."))
	}
	if ignored := u.beyondToken(); len(ignored) > 0 {
		problems = append(problems, invalidURIArgument(origin, "has attributes that do not select a token here: "+strings.Join(ignored, ", "),
			"Leave them out; use token, serial, manufacturer, model and slot-id."))
	}
	return u, problems
}

// givenBesideURI names the arguments that choose module and token without a URI,
// the module first.
func (in Input) givenBesideURI() []string {
	var names []string
	for _, argument := range []struct {
		name  string
		given bool
	}{
		{"module_path", in.ModulePath != ""}, {"token_label", in.TokenLabel != ""},
		{"token_serial", in.TokenSerial != ""}, {"slot_id", in.SlotID != nil},
	} {
		if argument.given {
			names = append(names, argument.name)
		}
	}
	return names
}

// beyondToken names the path attributes that are about something else than the
// token, or that only a vendor understands.
func (u URI) beyondToken() []string {
	var names []string
	for _, name := range []string{
		"library-manufacturer", "library-description", "library-version", "slot-description", "slot-manufacturer", "object", "type",
	} {
		if *u.text(name) != "" {
			names = append(names, name)
		}
	}
	if len(u.ID) > 0 {
		names = append(names, "id")
	}
	for _, a := range u.VendorPath {
		names = append(names, a.Name)
	}
	return names
}

// invalidURIArgument says what is wrong with a URI, and where it came from unless
// that is the argument itself.
func invalidURIArgument(origin, problem, hint string) *fault.Error {
	subject := "The URI "
	if origin != "uri" {
		subject = "The URI in the variable " + origin + " "
	}
	return invalid("uri", subject+problem+".", hint)
}

func unreadableURI(origin string, cause error) *fault.Error {
	f := invalidURIArgument(origin, "cannot be read", "")
	f.Cause = cause
	if parse, ok := errors.AsType[*fault.Error](cause); ok {
		f.Hint = parse.Hint
	}
	return f
}
