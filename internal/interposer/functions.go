//go:build unix

package interposer

import "iter"

// Function is the place of a function in CK_FUNCTION_LIST (PKCS #11 version 2.40,
// pkcs11f.h).
type Function int

// names holds every function by its place.
var names = [...]string{
	"C_Initialize", "C_Finalize", "C_GetInfo", "C_GetFunctionList", "C_GetSlotList", "C_GetSlotInfo", "C_GetTokenInfo", "C_GetMechanismList",
	"C_GetMechanismInfo", "C_InitToken", "C_InitPIN", "C_SetPIN", "C_OpenSession", "C_CloseSession", "C_CloseAllSessions", "C_GetSessionInfo",
	"C_GetOperationState", "C_SetOperationState", "C_Login", "C_Logout", "C_CreateObject", "C_CopyObject", "C_DestroyObject", "C_GetObjectSize",
	"C_GetAttributeValue", "C_SetAttributeValue", "C_FindObjectsInit", "C_FindObjects", "C_FindObjectsFinal", "C_EncryptInit", "C_Encrypt",
	"C_EncryptUpdate", "C_EncryptFinal", "C_DecryptInit", "C_Decrypt", "C_DecryptUpdate", "C_DecryptFinal", "C_DigestInit", "C_Digest",
	"C_DigestUpdate", "C_DigestKey", "C_DigestFinal", "C_SignInit", "C_Sign", "C_SignUpdate", "C_SignFinal", "C_SignRecoverInit", "C_SignRecover",
	"C_VerifyInit", "C_Verify", "C_VerifyUpdate", "C_VerifyFinal", "C_VerifyRecoverInit", "C_VerifyRecover", "C_DigestEncryptUpdate",
	"C_DecryptDigestUpdate", "C_SignEncryptUpdate", "C_DecryptVerifyUpdate", "C_GenerateKey", "C_GenerateKeyPair", "C_WrapKey", "C_UnwrapKey",
	"C_DeriveKey", "C_SeedRandom", "C_GenerateRandom", "C_GetFunctionStatus", "C_CancelFunction", "C_WaitForSlotEvent",
}

// The functions that tests ask about by name.
const (
	Login         Function = 18
	FindInit      Function = 26
	GenerateKey   Function = 58
	OpenSession   Function = 12
	GetAttributes Function = 24
)

// String returns the function's name.
func (f Function) String() string {
	if f < 0 || int(f) >= len(names) {
		return "no function"
	}
	return names[f]
}

// Functions yields all of them.
func Functions() iter.Seq[Function] {
	return func(yield func(Function) bool) {
		for f := range names {
			if !yield(Function(f)) {
				return
			}
		}
	}
}

// Writes are the functions that may change what is on the token.
var writes = []Function{20, 21, 22, 25, 58, 59, 61, 62} // create, copy, destroy, set, generate ×2, unwrap, derive

// loading is what a process does to a module before it knows a token: counting these
// would count processes.
var loading = []Function{0, 1, 2, 3}
