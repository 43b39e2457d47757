package cryptoki

// driver is a module's functions, and the seam of this package: one
// implementation calls the module (driver_cgo.go), layers above it may count,
// delay or fail calls in tests. A driver knows no locks and remembers nothing;
// whoever calls it holds the module's gate.
//
// Every method may fail with a *callError that names the function and the return
// value. Single-part operations are one method each, initialisation included.
type driver interface {
	Initialize(parameters string) error // parameters as in Config
	Finalize() error
	Unload() // the driver is not used again

	LibraryInfo() (libraryInfo, error)
	Slots() ([]uint, error) // those with a token in them
	TokenInfo(slot uint) (tokenInfo, error)
	Mechanisms(slot uint) ([]uint, error)
	MechanismInfo(slot, mechanism uint) (MechanismInfo, error)

	OpenSession(slot uint, readWrite bool) (session uint, err error)
	CloseSession(session uint) error
	SessionState(session uint) (uint, error) // one of the states below
	// Login logs the user in; a nil PIN leaves it to the token's own PIN pad. The
	// PIN is not copied.
	Login(session uint, pin []byte) error

	// FindObjects runs a search to its end.
	FindObjects(session uint, template []Attribute) ([]uint, error)
	// ReadAttributes asks for several attributes in one call. The result has one
	// element for each type, also beside an error, as one attribute that cannot be
	// told fails the call while the others are told.
	ReadAttributes(session, object uint, types []uint) ([]reading, error)
	// ReadAttribute asks for one attribute of any length.
	ReadAttribute(session, object, typ uint) ([]byte, error)
	SetAttributes(session, object uint, attrs []Attribute) error
	CreateObject(session uint, attrs []Attribute) (uint, error)
	CopyObject(session, object uint, attrs []Attribute) (uint, error)
	DestroyObject(session, object uint) error
	GenerateKey(session uint, m Mechanism, attrs []Attribute) (uint, error)
	GenerateKeyPair(session uint, m Mechanism, public, private []Attribute) (pub, priv uint, err error)

	Sign(session uint, m Mechanism, key uint, data []byte) ([]byte, error)
	Verify(session uint, m Mechanism, key uint, data, signature []byte) error
	Encrypt(session uint, m Mechanism, key uint, plain []byte) ([]byte, error)
	Decrypt(session uint, m Mechanism, key uint, cipher []byte) ([]byte, error)
	WrapKey(session uint, m Mechanism, wrapping, key uint) ([]byte, error)
	UnwrapKey(session uint, m Mechanism, unwrapping uint, wrapped []byte, attrs []Attribute) (uint, error)
	DeriveKey(session uint, m Mechanism, base uint, attrs []Attribute) (uint, error)
	GenerateRandom(session uint, n int) ([]byte, error)
}

// reading is one attribute as a batch read found it. Known false is no final
// word: the attribute may be unknown, secret, longer than the buffer, or the
// module gave up before it came to it.
type reading struct {
	value []byte
	known bool
}

// libraryInfo is what CK_INFO holds of interest.
type libraryInfo struct {
	Manufacturer, Description string
	Major, Minor              byte
}

// tokenInfo is CK_TOKEN_INFO, with padding removed from the strings.
type tokenInfo struct {
	Label, Manufacturer, Model, Serial  string
	Flags                               uint // CKF_…
	MaxSessions, Sessions               uint
	MaxReadWriteSessions                uint
	FreePublicMemory, FreePrivateMemory uint
	Hardware, Firmware                  [2]byte // major, minor
}

// Session states (section 5.6).
const (
	stateReadOnlyUser  = 1
	stateReadWriteUser = 3
)

// isUser reports whether a session in that state may use private objects.
func isUser(state uint) bool { return state == stateReadOnlyUser || state == stateReadWriteUser }
