package keyring

// PublicKey is a SubjectPublicKeyInfo in DER (RFC 5280 section 4.1.2.7).
type PublicKey []byte
