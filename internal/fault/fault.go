// Package fault is the closed set of ways in which work on keys can fail.
//
// Every error that crosses a package boundary of this module is a *fault.Error
// or wraps one, so that a face (Terraform today, a gateway later) needs exactly
// one translation. The package knows no technology: a PKCS#11 function and code
// travel along as text for the end of the message, nothing branches on them.
package fault

import (
	"errors"
	"strings"
)

// Kind says what a caller can do about a failure. The set is closed; add a kind
// only when some caller has to branch on it.
type Kind uint8

const (
	// Internal is a bug or an answer that no specification allows.
	Internal Kind = iota
	// Invalid is input that can never succeed as given.
	Invalid
	// Unsupported is something that this token cannot do.
	Unsupported
	// NotFound is positive evidence of absence: the right token answered, the
	// environment's marker was seen in the same scan, the thing was looked for
	// twice and is not there. Nothing weaker may be reported as NotFound.
	NotFound
	// Exists is a name that a committed record holds.
	Exists
	// Conflict is a rival: another run works on the same thing, or changed it
	// since it was read. Reading again and retrying is right.
	Conflict
	// Inconsistent is a token whose objects and records contradict each other.
	// Somebody changed something behind our back; nothing is healed by guessing.
	Inconsistent
	// Protected is a guard that the owner set: deletion protection, a rotation
	// that still manages the key.
	Protected
	// Environment is a token that belongs to another environment.
	Environment
	// Denied is a login that the token refused, or that was not tried because
	// trying could lock the PIN. It is final for the process.
	Denied
	// Unavailable is a module or token that cannot be reached, or an outcome
	// that is uncertain. Nothing is known about what is on the token.
	Unavailable
	// Exhausted is a token that is full or out of sessions.
	Exhausted
)

var kindNames = [...]string{
	Internal: "internal error", Invalid: "invalid", Unsupported: "unsupported", NotFound: "not found",
	Exists: "already exists", Conflict: "conflict", Inconsistent: "inconsistent", Protected: "protected",
	Environment: "wrong environment", Denied: "access denied", Unavailable: "unavailable", Exhausted: "exhausted",
}

// String returns the kind in words, lower case.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown kind"
}

// Error is one failure. Problem and Hint are whole sentences for a person;
// neither ever contains a secret.
type Error struct {
	Kind    Kind
	Op      string // what was being done, as a verb phrase: "generate key"
	Subject string // to what: `key "orders" version 2`, `token "prod"`
	Problem string // what went wrong, a sentence
	Hint    string // what to do about it, a sentence; may be empty
	Code    string // the PKCS#11 function and code, "C_Login: CKR_PIN_INCORRECT"; may be empty
	Cause   error  // may be nil
}

// Error puts everything but the hint on one line, the code last and in brackets.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Subject != "" {
		b.WriteString(" (" + e.Subject + ")")
	}
	b.WriteString(": ")
	if e.Problem != "" {
		b.WriteString(strings.TrimSuffix(e.Problem, "."))
	} else {
		b.WriteString(e.Kind.String())
	}
	if e.Cause != nil {
		b.WriteString(": " + e.Cause.Error())
	}
	if e.Code != "" {
		b.WriteString(" [" + e.Code + "]")
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// KindOf returns the kind of the outermost *Error in err's chain, Internal if
// there is none. KindOf(nil) is Internal too: ask about errors only.
func KindOf(err error) Kind {
	if f, ok := errors.AsType[*Error](err); ok {
		return f.Kind
	}
	return Internal
}

// Is reports whether err is a fault of the given kind.
func Is(err error, k Kind) bool { return err != nil && KindOf(err) == k }
