package cryptoki

// Info is who a token is and how it fares, as C_GetTokenInfo and C_GetInfo tell
// (sections 5.4 and 5.5).
type Info struct {
	Label, Serial, Model, Manufacturer string
	Firmware, Hardware                 string // "major.minor"
	Library                            string // the module's own description and version
	Slot                               uint
	Flags                              []string // CKF_ flags in lower case without prefix, sorted: "login_required", …
	// Sessions open and possible; -1 where the token does not tell, MaxSessions 0
	// is no limit.
	Sessions, MaxSessions int64
	// Memory in bytes; -1 where the token does not tell.
	FreePrivateMemory, FreePublicMemory int64
	// Cautions are what is known of this kind of token, in whole sentences, that
	// whoever trusts keys to it should know.
	Cautions []string
}

// MechanismInfo is what a token says of one mechanism (CK_MECHANISM_INFO). Tokens
// have been seen to list mechanisms that they then refuse.
type MechanismInfo struct {
	MinKeySize, MaxKeySize uint // bits or bytes, as the mechanism's section says
	Flags                  uint // CKF_SIGN, …
}

// Profile is what is known of a kind of token beyond what it tells itself.
type Profile struct {
	Name string // "SoftHSM", "TPM 2.0", or "generic"
	// CopyToChange says that a kill inside C_SetAttributeValue can destroy the
	// object, so that attributes are to be changed by copy, verify, destroy.
	CopyToChange bool
	// Shared says that processes share the token's files, and that a write can blind
	// one of them to what another wrote just before. Writes then take turns.
	Shared bool
	// Reticent says that a template must not name flags that are off: the token has
	// fewer flags than PKCS#11, and one that is said to be off switches another off
	// that is to be on.
	Reticent bool
	// Serial says that calls about objects must not overlap, whoever asks for it: objects
	// get lost or mixed up.
	Serial bool
	// ParallelUse says that keys can be used beside each other all the same, while nobody
	// looks for objects or changes any.
	ParallelUse bool
	// Cautions are those of Info.
	Cautions []string
}

// cautionSoftHSM is about its file store, the only one that distributions build.
const cautionSoftHSM = "SoftHSM keeps keys in files and is good for tests and development, not for keys of value: its file store can lose a key when a process " +
	"is killed while it changes one, the whole token when a process is killed while it logs in, and on a full disk it reports success " +
	"and keeps an empty object."
