package hsm

import (
	"errors"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// errUntested says that no mechanism is known by which an operation could be
// tried on a key. It never leaves the package.
var errUntested = errors.New("no mechanism to try it with")

// failed puts a failure of the token into the words of what was being done, and
// keeps its kind and its advice.
func failed(err error, op, subject, problem string) error {
	wrapped := &fault.Error{Kind: fault.KindOf(err), Op: op, Subject: subject, Problem: problem, Cause: err}
	if inner := (*fault.Error)(nil); errors.As(err, &inner) {
		wrapped.Hint = inner.Hint
	}
	return wrapped
}

// uncertain is failed for work that was already half done: the outcome is then
// unknown, whatever stopped it.
func uncertain(err error, op, subject, problem string) error {
	wrapped := &fault.Error{
		Kind: fault.Unavailable, Op: op, Subject: subject, Problem: problem, Cause: err,
		Hint: "Apply again: what was begun is then finished.",
	}
	return wrapped
}

// definite reports whether a failure is an answer about what was asked, as
// opposed to a token that could not be asked.
func definite(err error) bool {
	switch fault.KindOf(err) {
	case fault.Unavailable, fault.Denied, fault.Exhausted, fault.Conflict:
		return false
	}
	return true
}

// unusable reports whether a mechanism, as opposed to the key, was turned down,
// so that the next one is worth a try. Tokens disagree about the code: SoftHSM
// answers CKR_ARGUMENTS_BAD to OAEP with SHA-256.
func unusable(err error) bool {
	return definite(err) && !cryptoki.IsRefusal(err) && !errors.Is(err, errUntested) && fault.KindOf(err) != fault.Inconsistent
}

// spoilt reports whether an operation was performed on input that was no good:
// the permission was there, only the data were not.
func spoilt(err error, op keyring.Operations) bool {
	code, ok := cryptoki.Code(err)
	if !ok {
		return false
	}
	switch op {
	case keyring.Verify:
		return code == cryptoki.CKR_SIGNATURE_INVALID || code == cryptoki.CKR_SIGNATURE_LEN_RANGE
	case keyring.Decrypt:
		return code == cryptoki.CKR_ENCRYPTED_DATA_INVALID || code == cryptoki.CKR_ENCRYPTED_DATA_LEN_RANGE || code == cryptoki.CKR_AEAD_DECRYPT_FAILED
	case keyring.Unwrap:
		return code == cryptoki.CKR_WRAPPED_KEY_INVALID || code == cryptoki.CKR_WRAPPED_KEY_LEN_RANGE
	}
	return false
}

// gone reports whether a handle no longer denotes an object: another process
// destroyed or replaced it since it was read.
func gone(err error) bool {
	code, ok := cryptoki.Code(err)
	return ok && (code == cryptoki.CKR_OBJECT_HANDLE_INVALID || code == cryptoki.CKR_KEY_HANDLE_INVALID ||
		code == cryptoki.CKR_WRAPPING_KEY_HANDLE_INVALID || code == cryptoki.CKR_UNWRAPPING_KEY_HANDLE_INVALID)
}
