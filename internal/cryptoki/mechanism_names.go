package cryptoki

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// MechanismName returns the standard's name of a mechanism, "CKM_ECDSA", or
// "CKM_0x80001234" for a code that the standard does not name.
func MechanismName(code uint) string {
	if name, ok := mechanismNames[code]; ok {
		return name
	}
	return fmt.Sprintf("CKM_0x%08X", code)
}

// MechanismCode is the inverse of MechanismName. It knows deprecated names as well.
func MechanismCode(name string) (uint, bool) {
	if code, ok := mechanismCodes()[name]; ok {
		return code, true
	}
	if code, ok := mechanismAliases[name]; ok {
		return code, true
	}
	digits, ok := strings.CutPrefix(name, "CKM_0x")
	if !ok {
		return 0, false
	}
	code, err := strconv.ParseUint(digits, 16, 8*ulongSize())
	return uint(code), err == nil
}

// mechanismCodes is mechanismNames turned round, once.
var mechanismCodes = sync.OnceValue(func() map[string]uint {
	codes := make(map[string]uint, len(mechanismNames))
	for code, name := range mechanismNames {
		codes[name] = code
	}
	return codes
})

// flag is one CKF_ bit and what we call it.
type flag struct {
	bit  uint
	name string
}

// The names are the standard's, in lower case and without prefix.
var mechanismFlags = []flag{
	{CKF_HW, "hw"}, {CKF_ENCRYPT, "encrypt"}, {CKF_DECRYPT, "decrypt"}, {CKF_DIGEST, "digest"}, {CKF_SIGN, "sign"},
	{CKF_SIGN_RECOVER, "sign_recover"}, {CKF_VERIFY, "verify"}, {CKF_VERIFY_RECOVER, "verify_recover"},
	{CKF_GENERATE, "generate"}, {CKF_GENERATE_KEY_PAIR, "generate_key_pair"}, {CKF_WRAP, "wrap"},
	{CKF_UNWRAP, "unwrap"}, {CKF_DERIVE, "derive"}, {CKF_EC_F_P, "ec_f_p"}, {CKF_EC_F_2M, "ec_f_2m"},
	{CKF_EC_ECPARAMETERS, "ec_ecparameters"}, {CKF_EC_OID, "ec_oid"}, {CKF_EC_UNCOMPRESS, "ec_uncompress"},
	{CKF_EC_COMPRESS, "ec_compress"},
}

var tokenFlags = []flag{
	{CKF_RNG, "rng"}, {CKF_WRITE_PROTECTED, "write_protected"}, {CKF_LOGIN_REQUIRED, "login_required"},
	{CKF_USER_PIN_INITIALIZED, "user_pin_initialized"}, {CKF_RESTORE_KEY_NOT_NEEDED, "restore_key_not_needed"},
	{CKF_CLOCK_ON_TOKEN, "clock_on_token"}, {CKF_PROTECTED_AUTHENTICATION_PATH, "protected_authentication_path"},
	{CKF_DUAL_CRYPTO_OPERATIONS, "dual_crypto_operations"}, {CKF_TOKEN_INITIALIZED, "token_initialized"},
	{CKF_SECONDARY_AUTHENTICATION, "secondary_authentication"}, {CKF_USER_PIN_COUNT_LOW, "user_pin_count_low"},
	{CKF_USER_PIN_FINAL_TRY, "user_pin_final_try"}, {CKF_USER_PIN_LOCKED, "user_pin_locked"},
	{CKF_USER_PIN_TO_BE_CHANGED, "user_pin_to_be_changed"}, {CKF_SO_PIN_COUNT_LOW, "so_pin_count_low"},
	{CKF_SO_PIN_FINAL_TRY, "so_pin_final_try"}, {CKF_SO_PIN_LOCKED, "so_pin_locked"},
	{CKF_SO_PIN_TO_BE_CHANGED, "so_pin_to_be_changed"}, {CKF_ERROR_STATE, "error_state"},
}
