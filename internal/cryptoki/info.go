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
}

// MechanismInfo is what a token says of one mechanism (CK_MECHANISM_INFO). Tokens
// have been seen to list mechanisms that they then refuse.
type MechanismInfo struct {
	MinKeySize, MaxKeySize uint // bits or bytes, as the mechanism's section says
	Flags                  uint // CKF_SIGN, …
}

// Profile is what is known of a kind of token beyond what it tells itself.
type Profile struct {
	Name string // "SoftHSM", or "generic"
	// CopyToChange says that a kill inside C_SetAttributeValue can destroy the
	// object, so that attributes are to be changed by copy, verify, destroy.
	CopyToChange bool
	// Shared says that processes share the token's files, and that a write can blind
	// one of them to what another wrote just before. Writes then take turns.
	Shared bool
}
