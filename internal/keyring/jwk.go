package keyring

// JWK returns the key as a JSON Web Key.
func (p PublicKey) JWK() (string, error) { panic("not yet") }

// JWKS returns the keys as a JSON Web Key Set.
func JWKS(keys []PublicKey) (string, error) { panic("not yet") }
