package hsm

// Device lets tests stand between the package and the token.
type Device = device

// NewOn is New on a device that a test has made.
func NewOn(d Device) *Token { return &Token{device: d} }
