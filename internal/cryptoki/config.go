package cryptoki

import (
	"context"
	"time"
)

// Config says which token to use, and how.
type Config struct {
	ModulePath string // of the PKCS#11 library, absolute
	// Parameters is handed to C_Initialize as pReserved, for the few modules that are
	// told in this way what to open (NSS softokn: "configdir='sql:/path'"). Empty is
	// none, which the standard demands of everybody else.
	Parameters string
	Select     Selector
	// PIN returns the user PIN. It is called at most once for each login that is
	// tried; the bytes are zeroed after use. nil is right for tokens without login
	// and for those with a PIN pad.
	PIN func() ([]byte, error)
	// MaxSessions bounds the sessions of this Token, the held one included. 0 is 8.
	// What the token reports is a further bound.
	MaxSessions int
	// Concurrent lets calls into the module overlap, each in a session of its own. The
	// module has to be thread-safe (section 5.4, CKF_OS_LOCKING_OK, which they all claim);
	// on a token of a Profile that says otherwise it is ignored.
	Concurrent bool
	// Logger takes progress and warnings, never a secret. It may be nil.
	Logger func(ctx context.Context, msg string, fields map[string]any)
	// Witness matches an object that is on the token as long as the token is what
	// it should be; see Token.ConfirmAbsent. It may be nil.
	Witness []Attribute

	// open loads a module; nil is the real thing. Tests put a driver of their own here.
	open func(path string) (driver, error)
	slow time.Duration // the wait that is worth a line in the log; 0 is two seconds
}

// Selector picks one token. Fields that are empty match every token.
type Selector struct {
	Label, Serial       string
	Slot                *uint // CK_SLOT_ID: many tokens renumber slots, prefer the serial
	Manufacturer, Model string
}
