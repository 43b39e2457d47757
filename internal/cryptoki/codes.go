package cryptoki

import (
	"errors"
	"fmt"
	"slices"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// callError is a module function that returned something else than CKR_OK. Only
// drivers make it; it leaves the package as a fault.
type callError struct {
	Function string // "C_Login"
	Value    uint   // CKR_…
}

func (e *callError) Error() string { return e.Function + ": " + ReturnName(e.Value) }

// ReturnName returns "CKR_PIN_INCORRECT", or "0x80000001" for a code that the
// standard does not name.
func ReturnName(value uint) string {
	if m, ok := meanings[value]; ok {
		return m.name
	}
	return fmt.Sprintf("0x%08X", value)
}

// codedError carries a return value beside the fault made of it, for Code.
type codedError struct {
	fault *fault.Error
	value uint
}

func (r *codedError) Error() string { return r.fault.Error() }
func (r *codedError) Unwrap() error { return r.fault }

// Code returns the PKCS#11 return value (CKR_…) in err's chain, and whether there
// is one.
func Code(err error) (uint, bool) {
	if r, ok := errors.AsType[*codedError](err); ok {
		return r.value, true
	}
	if c, ok := errors.AsType[*callError](err); ok {
		return c.Value, true
	}
	return 0, false
}

// IsRefusal reports whether the token refused to perform an operation with a key
// that it holds: the flag is off, or the kind of key is not meant for it. Other
// errors, a missing mechanism or a lost session say nothing about the key.
func IsRefusal(err error) bool {
	return hasCode(err, CKR_KEY_FUNCTION_NOT_PERMITTED, CKR_KEY_TYPE_INCONSISTENT,
		CKR_WRAPPING_KEY_TYPE_INCONSISTENT, CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT)
}

func hasCode(err error, values ...uint) bool {
	value, ok := Code(err)
	return ok && slices.Contains(values, value)
}

// IsSessionLoss reports whether err says that the session, the login or the token was
// gone. The next call opens the token again, so that what changes nothing, or can be done
// twice, is worth a second try: once.
func IsSessionLoss(err error) bool {
	return hasCode(err, CKR_SESSION_HANDLE_INVALID, CKR_SESSION_CLOSED, CKR_USER_NOT_LOGGED_IN,
		CKR_DEVICE_REMOVED, CKR_TOKEN_NOT_PRESENT, CKR_CRYPTOKI_NOT_INITIALIZED)
}

// spoilsSession reports whether the session on which err came is not to be used again:
// it is gone, or nobody knows what it is still busy with. Only an answer about what was
// asked leaves a session as it was, and that the arguments are bad is one.
func spoilsSession(err error) bool {
	switch call, ok := errors.AsType[*callError](err); {
	case err == nil || !ok || call.Value == CKR_ARGUMENTS_BAD:
		return false
	default:
		m, known := meanings[call.Value]
		return !known || m.kind == fault.Unavailable || m.kind == fault.Exhausted || m.kind == fault.Denied || m.kind == fault.Internal
	}
}

// breaksSession reports whether what failed may work once the token was opened again, be
// it the session that is gone or the connection.
func breaksSession(err error) bool {
	return IsSessionLoss(err) || hasCode(err, CKR_DEVICE_ERROR, CKR_TOKEN_NOT_RECOGNIZED,
		CKR_GENERAL_ERROR, CKR_HOST_MEMORY, CKR_OPERATION_ACTIVE, CKR_OPERATION_NOT_INITIALIZED, CKR_SLOT_ID_INVALID)
}

// failure makes a fault of whatever a driver returned; a fault stays as it is.
// This is the one place where return values get a kind and words.
func failure(op, subject string, err error) error {
	if err == nil {
		return nil
	}
	call, ok := errors.AsType[*callError](err)
	if !ok {
		if _, ok := errors.AsType[*fault.Error](err); ok {
			return err
		}
		return &fault.Error{Kind: fault.Unavailable, Op: op, Subject: subject, Cause: err}
	}
	m, ok := meanings[call.Value]
	if !ok {
		m = meaning{kind: fault.Internal, problem: "The module reported an error of its own.", hint: hintVendor}
	}
	if call.Function == "C_Initialize" && call.Value == CKR_GENERAL_ERROR {
		m = didNotStart
	}
	return &codedError{
		value: call.Value,
		fault: &fault.Error{Kind: m.kind, Op: op, Subject: subject, Problem: m.problem, Hint: m.hint, Code: call.Error()},
	}
}
