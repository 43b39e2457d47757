package keyring

// TokenInfo is who a token is and how it fares, as the token tells.
type TokenInfo struct {
	Label, Serial, Model, Manufacturer string
	Firmware, Hardware                 string // "major.minor"
	Library                            string // the module's own description and version
	Slot                               uint
	Flags                              []string // CKF_ flags in lower case without prefix, sorted: "login_required", …
	// Sessions open and possible; -1 where the token does not tell, MaxSessions 0 is no limit.
	Sessions, MaxSessions int64
	// Memory in bytes; -1 where the token does not tell.
	FreePrivateMemory, FreePublicMemory int64
	// Cautions are what is known of this kind of token, in whole sentences, that
	// whoever trusts keys to it should know.
	Cautions []string
}
