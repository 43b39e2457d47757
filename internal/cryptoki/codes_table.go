package cryptoki

import "github.com/keystead/terraform-provider-hsm/internal/fault"

// meaning is what a return value tells a caller and a person.
type meaning struct {
	name    string
	kind    fault.Kind
	problem string
	hint    string
}

const (
	hintVendor   = "Look the code up in the documentation of the HSM, and its log for the reason."
	hintReach    = "Check that the HSM is up and reachable, and its log, then run again."
	hintAgain    = "Run again; what was done so far is kept."
	hintReread   = "Read the token again and retry."
	hintReport   = "This is a bug in this program or in the module; please report it with the code."
	hintMakers   = "Use an algorithm and settings that this token can do; `pkcs11-tool --list-mechanisms` shows them."
	hintTemplate = "This token does not accept such an object; leave the special settings out, or use another token."
	hintPIN      = "Correct the PIN and start again; a PIN that was refused is not tried twice, so as not to lock it."
	hintSO       = "Let the security officer unlock or set the PIN (C_InitPIN), with the vendor's tool."
	hintGiven    = "Check that the data, the key and the mechanism belong together, and that nothing was altered on the way."
	hintSpace    = "Free space on the token, or close other applications that use it."
)

// didNotStart is what CKR_GENERAL_ERROR of C_Initialize means: the token was not even
// looked for.
var didNotStart = meaning{
	"CKR_GENERAL_ERROR", fault.Unavailable, "The module did not start.",
	"Check that it can read its configuration and what that names: of a software token this is the directory of its tokens, which may be gone, " +
		"or unreadable for this user (for SoftHSM: SOFTHSM2_CONF, and directories.tokendir in that file). For a network HSM check its client's configuration.",
}

// meanings holds every return value of versions 2.40 and 3.0.
var meanings = map[uint]meaning{
	CKR_OK:                               {"CKR_OK", fault.Internal, "The module reported success as an error.", hintReport},
	CKR_CANCEL:                           {"CKR_CANCEL", fault.Unavailable, "The operation was cancelled.", hintAgain},
	CKR_HOST_MEMORY:                      {"CKR_HOST_MEMORY", fault.Unavailable, "This machine ran out of memory.", "Free memory and run again."},
	CKR_SLOT_ID_INVALID:                  {"CKR_SLOT_ID_INVALID", fault.Unavailable, "The slot does not exist any more.", "Select the token by its serial instead of the slot, and run again."},
	CKR_GENERAL_ERROR:                    {"CKR_GENERAL_ERROR", fault.Unavailable, "The module failed without saying why.", hintReach},
	CKR_FUNCTION_FAILED:                  {"CKR_FUNCTION_FAILED", fault.Unavailable, "The token could not do it, without saying why.", hintReach},
	CKR_ARGUMENTS_BAD:                    {"CKR_ARGUMENTS_BAD", fault.Internal, "The module did not accept the arguments of the call.", hintReport},
	CKR_NO_EVENT:                         {"CKR_NO_EVENT", fault.Internal, "The module reported that no slot changed.", hintReport},
	CKR_NEED_TO_CREATE_THREADS:           {"CKR_NEED_TO_CREATE_THREADS", fault.Unavailable, "The module needs threads of its own and may not create them.", hintVendor},
	CKR_CANT_LOCK:                        {"CKR_CANT_LOCK", fault.Unavailable, "The module cannot be used from several threads.", hintVendor},
	CKR_ATTRIBUTE_READ_ONLY:              {"CKR_ATTRIBUTE_READ_ONLY", fault.Unsupported, "The token does not allow this attribute to be set or changed.", hintTemplate},
	CKR_ATTRIBUTE_SENSITIVE:              {"CKR_ATTRIBUTE_SENSITIVE", fault.Unsupported, "The token does not reveal this attribute.", hintReport},
	CKR_ATTRIBUTE_TYPE_INVALID:           {"CKR_ATTRIBUTE_TYPE_INVALID", fault.Unsupported, "The token does not know this attribute.", hintTemplate},
	CKR_ATTRIBUTE_VALUE_INVALID:          {"CKR_ATTRIBUTE_VALUE_INVALID", fault.Unsupported, "The token does not accept the value of an attribute.", hintTemplate},
	CKR_ACTION_PROHIBITED:                {"CKR_ACTION_PROHIBITED", fault.Unsupported, "The object's own attributes forbid this (CKA_DESTROYABLE, CKA_COPYABLE or CKA_MODIFIABLE).", "Such an object can only be removed by initialising the token."},
	CKR_DATA_INVALID:                     {"CKR_DATA_INVALID", fault.Invalid, "The data is not what this mechanism works on.", hintGiven},
	CKR_DATA_LEN_RANGE:                   {"CKR_DATA_LEN_RANGE", fault.Invalid, "The data is too long or too short for this mechanism.", hintGiven},
	CKR_DEVICE_ERROR:                     {"CKR_DEVICE_ERROR", fault.Unavailable, "The HSM or the connection to it failed.", hintReach},
	CKR_DEVICE_MEMORY:                    {"CKR_DEVICE_MEMORY", fault.Exhausted, "The token is full.", hintSpace},
	CKR_DEVICE_REMOVED:                   {"CKR_DEVICE_REMOVED", fault.Unavailable, "The token was removed.", hintReach},
	CKR_ENCRYPTED_DATA_INVALID:           {"CKR_ENCRYPTED_DATA_INVALID", fault.Invalid, "The ciphertext is not valid for this key.", hintGiven},
	CKR_ENCRYPTED_DATA_LEN_RANGE:         {"CKR_ENCRYPTED_DATA_LEN_RANGE", fault.Invalid, "The ciphertext has a length that this key never makes.", hintGiven},
	CKR_AEAD_DECRYPT_FAILED:              {"CKR_AEAD_DECRYPT_FAILED", fault.Invalid, "The ciphertext or its additional data was altered, or the key is another one.", hintGiven},
	CKR_FUNCTION_CANCELED:                {"CKR_FUNCTION_CANCELED", fault.Unavailable, "The token cancelled the operation.", hintAgain},
	CKR_FUNCTION_NOT_PARALLEL:            {"CKR_FUNCTION_NOT_PARALLEL", fault.Internal, "The module answered with a code of an old version of PKCS#11.", hintReport},
	CKR_FUNCTION_NOT_SUPPORTED:           {"CKR_FUNCTION_NOT_SUPPORTED", fault.Unsupported, "The module does not have this function.", hintMakers},
	CKR_KEY_HANDLE_INVALID:               {"CKR_KEY_HANDLE_INVALID", fault.Conflict, "The key is no longer there.", hintReread},
	CKR_KEY_SIZE_RANGE:                   {"CKR_KEY_SIZE_RANGE", fault.Unsupported, "The token does not do keys of this size.", hintMakers},
	CKR_KEY_TYPE_INCONSISTENT:            {"CKR_KEY_TYPE_INCONSISTENT", fault.Unsupported, "The token refuses to use this key in this way.", "Check what the key may do."},
	CKR_KEY_NOT_NEEDED:                   {"CKR_KEY_NOT_NEEDED", fault.Internal, "The module was given a key that it did not need.", hintReport},
	CKR_KEY_CHANGED:                      {"CKR_KEY_CHANGED", fault.Internal, "The key is not the one with which the operation was saved.", hintReport},
	CKR_KEY_NEEDED:                       {"CKR_KEY_NEEDED", fault.Internal, "The module was not given a key that it needs.", hintReport},
	CKR_KEY_INDIGESTIBLE:                 {"CKR_KEY_INDIGESTIBLE", fault.Unsupported, "The token does not digest this key.", hintReport},
	CKR_KEY_FUNCTION_NOT_PERMITTED:       {"CKR_KEY_FUNCTION_NOT_PERMITTED", fault.Unsupported, "The key may not be used in this way.", "Check what the key may do, and which of its versions is active."},
	CKR_KEY_NOT_WRAPPABLE:                {"CKR_KEY_NOT_WRAPPABLE", fault.Unsupported, "The token does not wrap this key.", "Only keys that were created extractable can be wrapped."},
	CKR_KEY_UNEXTRACTABLE:                {"CKR_KEY_UNEXTRACTABLE", fault.Unsupported, "The key was not created extractable.", "Only keys that were created extractable can be wrapped."},
	CKR_MECHANISM_INVALID:                {"CKR_MECHANISM_INVALID", fault.Unsupported, "The token does not do this mechanism, or not with this key.", hintMakers},
	CKR_MECHANISM_PARAM_INVALID:          {"CKR_MECHANISM_PARAM_INVALID", fault.Unsupported, "The token does not do this mechanism with these parameters.", hintMakers},
	CKR_OBJECT_HANDLE_INVALID:            {"CKR_OBJECT_HANDLE_INVALID", fault.Conflict, "The object is no longer there.", hintReread},
	CKR_OPERATION_ACTIVE:                 {"CKR_OPERATION_ACTIVE", fault.Unavailable, "The session was still busy with another operation.", hintAgain},
	CKR_OPERATION_NOT_INITIALIZED:        {"CKR_OPERATION_NOT_INITIALIZED", fault.Unavailable, "The session had no operation to go on with.", hintAgain},
	CKR_PIN_INCORRECT:                    {"CKR_PIN_INCORRECT", fault.Denied, "The PIN is wrong.", hintPIN},
	CKR_PIN_INVALID:                      {"CKR_PIN_INVALID", fault.Denied, "The PIN has characters that the token does not accept.", hintPIN},
	CKR_PIN_LEN_RANGE:                    {"CKR_PIN_LEN_RANGE", fault.Denied, "The PIN is too short or too long for this token.", hintPIN},
	CKR_PIN_EXPIRED:                      {"CKR_PIN_EXPIRED", fault.Denied, "The PIN has expired.", "Set a new PIN with the vendor's tool."},
	CKR_PIN_LOCKED:                       {"CKR_PIN_LOCKED", fault.Denied, "The PIN is locked.", hintSO},
	CKR_SESSION_CLOSED:                   {"CKR_SESSION_CLOSED", fault.Unavailable, "The session with the token was closed.", hintReach},
	CKR_SESSION_COUNT:                    {"CKR_SESSION_COUNT", fault.Exhausted, "The token has no session left.", "Close other applications that use the token, or lower max_sessions."},
	CKR_SESSION_HANDLE_INVALID:           {"CKR_SESSION_HANDLE_INVALID", fault.Unavailable, "The session with the token was lost.", hintReach},
	CKR_SESSION_PARALLEL_NOT_SUPPORTED:   {"CKR_SESSION_PARALLEL_NOT_SUPPORTED", fault.Internal, "The module was asked for a kind of session that is no more.", hintReport},
	CKR_SESSION_READ_ONLY:                {"CKR_SESSION_READ_ONLY", fault.Unsupported, "The session cannot write.", "Check that the token is not write-protected."},
	CKR_SESSION_EXISTS:                   {"CKR_SESSION_EXISTS", fault.Internal, "A session is open where none may be.", hintReport},
	CKR_SESSION_READ_ONLY_EXISTS:         {"CKR_SESSION_READ_ONLY_EXISTS", fault.Internal, "A read-only session is open where none may be.", hintReport},
	CKR_SESSION_READ_WRITE_SO_EXISTS:     {"CKR_SESSION_READ_WRITE_SO_EXISTS", fault.Unavailable, "The security officer is logged in to the token.", "Wait until the security officer has finished, then run again."},
	CKR_SIGNATURE_INVALID:                {"CKR_SIGNATURE_INVALID", fault.Invalid, "The signature does not fit the data and the key.", hintGiven},
	CKR_SIGNATURE_LEN_RANGE:              {"CKR_SIGNATURE_LEN_RANGE", fault.Invalid, "The signature has a length that this key never makes.", hintGiven},
	CKR_TEMPLATE_INCOMPLETE:              {"CKR_TEMPLATE_INCOMPLETE", fault.Unsupported, "The token wants more attributes than were given.", hintTemplate},
	CKR_TEMPLATE_INCONSISTENT:            {"CKR_TEMPLATE_INCONSISTENT", fault.Unsupported, "The token does not accept these attributes together.", hintTemplate},
	CKR_TOKEN_NOT_PRESENT:                {"CKR_TOKEN_NOT_PRESENT", fault.Unavailable, "The token is not in its slot.", hintReach},
	CKR_TOKEN_NOT_RECOGNIZED:             {"CKR_TOKEN_NOT_RECOGNIZED", fault.Unavailable, "The module does not recognise the token in the slot.", hintReach},
	CKR_TOKEN_WRITE_PROTECTED:            {"CKR_TOKEN_WRITE_PROTECTED", fault.Unsupported, "The token is write-protected.", "Remove the write protection with the vendor's tool."},
	CKR_UNWRAPPING_KEY_HANDLE_INVALID:    {"CKR_UNWRAPPING_KEY_HANDLE_INVALID", fault.Conflict, "The unwrapping key is no longer there.", hintReread},
	CKR_UNWRAPPING_KEY_SIZE_RANGE:        {"CKR_UNWRAPPING_KEY_SIZE_RANGE", fault.Unsupported, "The token does not unwrap with keys of this size.", hintMakers},
	CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT: {"CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT", fault.Unsupported, "The token refuses to unwrap with this key.", "Check what the key may do."},
	CKR_USER_ALREADY_LOGGED_IN:           {"CKR_USER_ALREADY_LOGGED_IN", fault.Unavailable, "This process is logged in already.", hintAgain},
	CKR_USER_NOT_LOGGED_IN:               {"CKR_USER_NOT_LOGGED_IN", fault.Unavailable, "The login was lost.", hintReach},
	CKR_USER_PIN_NOT_INITIALIZED:         {"CKR_USER_PIN_NOT_INITIALIZED", fault.Denied, "The token has no user PIN yet.", hintSO},
	CKR_USER_TYPE_INVALID:                {"CKR_USER_TYPE_INVALID", fault.Denied, "The token has no such kind of user.", hintVendor},
	CKR_USER_ANOTHER_ALREADY_LOGGED_IN:   {"CKR_USER_ANOTHER_ALREADY_LOGGED_IN", fault.Denied, "Another user is logged in to the token.", "Wait until the other user has finished, then run again."},
	CKR_USER_TOO_MANY_TYPES:              {"CKR_USER_TOO_MANY_TYPES", fault.Denied, "The token has too many users logged in.", "Wait until another user has finished, then run again."},
	CKR_WRAPPED_KEY_INVALID:              {"CKR_WRAPPED_KEY_INVALID", fault.Invalid, "The wrapped key was altered, or was wrapped with another key.", hintGiven},
	CKR_WRAPPED_KEY_LEN_RANGE:            {"CKR_WRAPPED_KEY_LEN_RANGE", fault.Invalid, "The wrapped key has a length that this mechanism never makes.", hintGiven},
	CKR_WRAPPING_KEY_HANDLE_INVALID:      {"CKR_WRAPPING_KEY_HANDLE_INVALID", fault.Conflict, "The wrapping key is no longer there.", hintReread},
	CKR_WRAPPING_KEY_SIZE_RANGE:          {"CKR_WRAPPING_KEY_SIZE_RANGE", fault.Unsupported, "The token does not wrap with keys of this size.", hintMakers},
	CKR_WRAPPING_KEY_TYPE_INCONSISTENT:   {"CKR_WRAPPING_KEY_TYPE_INCONSISTENT", fault.Unsupported, "The token refuses to wrap with this key.", "Check what the key may do."},
	CKR_RANDOM_SEED_NOT_SUPPORTED:        {"CKR_RANDOM_SEED_NOT_SUPPORTED", fault.Unsupported, "The token takes no seed for its random numbers.", hintReport},
	CKR_RANDOM_NO_RNG:                    {"CKR_RANDOM_NO_RNG", fault.Unsupported, "The token has no random number generator.", "Use another token."},
	CKR_DOMAIN_PARAMS_INVALID:            {"CKR_DOMAIN_PARAMS_INVALID", fault.Unsupported, "The token does not do this curve.", hintMakers},
	CKR_CURVE_NOT_SUPPORTED:              {"CKR_CURVE_NOT_SUPPORTED", fault.Unsupported, "The token does not do this curve.", hintMakers},
	CKR_BUFFER_TOO_SMALL:                 {"CKR_BUFFER_TOO_SMALL", fault.Internal, "The buffer for the result was too small.", hintReport},
	CKR_SAVED_STATE_INVALID:              {"CKR_SAVED_STATE_INVALID", fault.Internal, "The saved state of an operation is not valid.", hintReport},
	CKR_INFORMATION_SENSITIVE:            {"CKR_INFORMATION_SENSITIVE", fault.Unsupported, "The token does not reveal this.", hintReport},
	CKR_STATE_UNSAVEABLE:                 {"CKR_STATE_UNSAVEABLE", fault.Unsupported, "The token cannot save the state of this operation.", hintReport},
	CKR_CRYPTOKI_NOT_INITIALIZED:         {"CKR_CRYPTOKI_NOT_INITIALIZED", fault.Unavailable, "The module was shut down while it was in use.", hintAgain},
	CKR_CRYPTOKI_ALREADY_INITIALIZED:     {"CKR_CRYPTOKI_ALREADY_INITIALIZED", fault.Internal, "The module is in use by another part of this process.", hintReport},
	CKR_MUTEX_BAD:                        {"CKR_MUTEX_BAD", fault.Internal, "The module's locks are broken.", hintReport},
	CKR_MUTEX_NOT_LOCKED:                 {"CKR_MUTEX_NOT_LOCKED", fault.Internal, "The module's locks are broken.", hintReport},
	CKR_NEW_PIN_MODE:                     {"CKR_NEW_PIN_MODE", fault.Denied, "The token wants a new PIN.", "Set a new PIN with the vendor's tool."},
	CKR_NEXT_OTP:                         {"CKR_NEXT_OTP", fault.Denied, "The token wants the next one-time password.", "Use a token that takes a fixed PIN."},
	CKR_EXCEEDED_MAX_ITERATIONS:          {"CKR_EXCEEDED_MAX_ITERATIONS", fault.Unavailable, "The token found no suitable numbers for the key.", hintAgain},
	CKR_FIPS_SELF_TEST_FAILED:            {"CKR_FIPS_SELF_TEST_FAILED", fault.Unavailable, "The token failed its self-test and does not work any more.", "Restart the HSM; if that does not help it needs service."},
	CKR_LIBRARY_LOAD_FAILED:              {"CKR_LIBRARY_LOAD_FAILED", fault.Unavailable, "The module could not load a library that it needs.", "Check the installation of the HSM's client software."},
	CKR_PIN_TOO_WEAK:                     {"CKR_PIN_TOO_WEAK", fault.Denied, "The PIN is too weak for this token.", hintPIN},
	CKR_PUBLIC_KEY_INVALID:               {"CKR_PUBLIC_KEY_INVALID", fault.Invalid, "The public key is not valid.", hintGiven},
	CKR_FUNCTION_REJECTED:                {"CKR_FUNCTION_REJECTED", fault.Denied, "A person or a policy at the HSM rejected the operation.", "Ask whoever approves operations at the HSM."},
	CKR_TOKEN_RESOURCE_EXCEEDED:          {"CKR_TOKEN_RESOURCE_EXCEEDED", fault.Exhausted, "The token has not the resources for this.", hintSpace},
	CKR_OPERATION_CANCEL_FAILED:          {"CKR_OPERATION_CANCEL_FAILED", fault.Unavailable, "The token could not cancel an operation.", hintAgain},
}
