package config

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"regexp"
	"sync"

	"github.com/keystead/terraform-provider-hsm/internal/secret"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// Input is what was written in the provider block. An empty string, nil and the
// zero secret.Value are "not given".
type Input struct {
	URI, ModulePath, TokenLabel, TokenSerial string
	ModuleParameters                         string
	SlotID                                   *int64
	PIN                                      secret.Value
	Environment, Actor                       string
	MaxSessions                              *int64
	ConcurrentCalls                          bool
	// AnyEnvironment says that no environment has to be named: whoever gives it only
	// looks, at a token of whichever environment.
	AnyEnvironment bool
	Audit          AuditInput
}

// AuditInput is what was written of the audit log.
type AuditInput struct {
	Directory string
	Mirrors   []MirrorInput
}

// MirrorInput is what was written of a mirror of the audit log.
type MirrorInput struct{ Syslog, File, CAFile string }

// Audit is where the audit log is kept.
type Audit struct {
	Directory string // absolute; empty for no log
	Mirrors   []Mirror
}

// Settings is the resolved result.
type Settings struct {
	// ModulePath is the PKCS#11 module to open. Which token of it is meant is
	// told by those of the next five that are set; a token has to match them all.
	ModulePath string
	// ModuleParameters are for the module's initialisation; hardly any takes some.
	ModuleParameters              string
	TokenLabel, TokenSerial       string
	TokenManufacturer, TokenModel string // from a URI only
	SlotID                        *uint
	// PIN gives the user PIN when it is needed; a pin-source file is read then and
	// not before. Without any PIN it is fault.Invalid and says how to give one: a
	// token that needs no login never asks. A file that cannot be read, is empty
	// or is longer than any PIN is fault.Invalid too.
	PIN func() (secret.Value, error)
	// Environment is the name that the token must be stamped with. It is empty only with
	// Input.AnyEnvironment.
	Environment string
	// Actor is who is recorded as having done things, never empty.
	Actor string
	// MaxSessions bounds the sessions that are opened; 0 leaves it to the token.
	MaxSessions int
	// ConcurrentCalls says that calls into the module may overlap.
	ConcurrentCalls bool
	Audit           Audit
}

// The environment's variables, each for what is not given otherwise.
const (
	envURI         = "HSM_URI"             // without uri, module_path, token_label, token_serial and slot_id
	envPIN         = "HSM_PIN"             // without pin, and without a PIN or its source in the URI
	envEnvironment = "HSM_ENVIRONMENT"     // without environment
	envActor       = "HSM_ACTOR"           // without actor
	envAudit       = "HSM_AUDIT_DIRECTORY" // without audit
)

var environmentName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9._-]{1,63}$`) })

// Resolve completes the input with the environment's variables and checks it.
// getenv is os.Getenv, user gives "user@host" for when nothing names the actor.
//
// A token is selected in exactly one way: by a URI, or by module_path with at
// least one of token_label, token_serial and slot_id, which narrow down together.
// The PIN comes from pin, the URI or HSM_PIN; no PIN is not an error here.
//
// The error joins one *fault.Error of kind Invalid for each thing that is wrong,
// with the argument of the provider as its Subject ("environment"). None of them
// contains a PIN.
func Resolve(in Input, getenv func(string) string, user func() string) (Settings, error) {
	var s Settings
	var problems []error
	report := func(err ...error) { problems = append(problems, err...) }

	s.ModuleParameters, s.ConcurrentCalls = in.ModuleParameters, in.ConcurrentCalls
	u, wrong := s.selectToken(in, getenv)
	report(wrong...)
	report(s.choosePIN(in, u, getenv)...)

	s.Environment = cmp.Or(in.Environment, getenv(envEnvironment))
	switch {
	case s.Environment == "" && in.AnyEnvironment:
	case s.Environment == "":
		report(invalid("environment", "No environment is named.",
			"Set environment, or the variable HSM_ENVIRONMENT, to the name of the environment that the token serves. A new token is stamped with it, and a token with another stamp is refused."))
	case !environmentName().MatchString(s.Environment):
		report(invalid("environment", fmt.Sprintf("%q is not a usable name for an environment.", s.Environment),
			"Use 1 to 63 letters, digits, dots, underscores and hyphens."))
	}

	if s.Actor = cmp.Or(in.Actor, getenv(envActor)); s.Actor == "" {
		s.Actor = cmp.Or(user(), "unknown")
	}

	if in.MaxSessions != nil {
		if n := *in.MaxSessions; n < 1 || n > math.MaxInt32 {
			report(invalid("max_sessions", fmt.Sprintf("max_sessions cannot be %d.", n), "Use 1 or more, or leave it out to use as many sessions as the token offers."))
		} else {
			s.MaxSessions = int(n)
		}
	}

	audit, err := resolveAudit(in.Audit, getenv)
	if s.Audit = audit; err != nil {
		report(err)
	}

	if len(problems) > 0 {
		return Settings{}, errors.Join(problems...)
	}
	return s, nil
}

func invalid(subject, problem, hint string) *fault.Error {
	return &fault.Error{Kind: fault.Invalid, Op: "configure provider", Subject: subject, Problem: problem, Hint: hint}
}
