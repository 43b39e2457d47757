package keyring

// PublicKey is a SubjectPublicKeyInfo in DER (RFC 5280 section 4.1.2.7).
type PublicKey []byte

// NewRSAPublicKey takes modulus and exponent, big-endian.
func NewRSAPublicKey(n, e []byte) (PublicKey, error) { panic("not yet") }

// NewECPublicKey takes an uncompressed point, 04||X||Y.
func NewECPublicKey(a Algorithm, point []byte) (PublicKey, error) { panic("not yet") }

// NewEdwardsPublicKey takes an encoded point (RFC 8032).
func NewEdwardsPublicKey(a Algorithm, point []byte) (PublicKey, error) { panic("not yet") }

// PEM is RFC 7468.
func (p PublicKey) PEM() string { panic("not yet") }

// Fingerprint is hexadecimal SHA-256.
func (p PublicKey) Fingerprint() string { panic("not yet") }

// Algorithm says what kind of key it is.
func (p PublicKey) Algorithm() (Algorithm, error) { panic("not yet") }
