package cryptoki

import "context"

// Each operation is initialised and performed in one go, on a session of the pool
// (sections 5.8 to 5.12). What a key's flags forbid fails so that IsRefusal holds.

// Sign signs data, or makes a MAC. What data is depends on the mechanism: for
// CKM_ECDSA the digest, for CKM_RSA_PKCS a DigestInfo. An ECDSA signature is r and
// s of equal length, one after the other.
func (t *Token) Sign(ctx context.Context, m Mechanism, key Handle, data []byte) (signature []byte, err error) {
	err = t.operate(ctx, "sign", []Handle{key}, func(d driver, session uint, objects []uint) error {
		signature, err = d.Sign(session, m, objects[0], data)
		return err
	})
	return signature, err
}

// Verify checks a signature or MAC. One that does not fit is fault.Invalid with
// CKR_SIGNATURE_INVALID or CKR_SIGNATURE_LEN_RANGE.
func (t *Token) Verify(ctx context.Context, m Mechanism, key Handle, data, sig []byte) error {
	return t.operate(ctx, "verify", []Handle{key}, func(d driver, session uint, objects []uint) error {
		return d.Verify(session, m, objects[0], data, sig)
	})
}

// Encrypt encrypts. See GCM for the IV.
func (t *Token) Encrypt(ctx context.Context, m Mechanism, key Handle, plain []byte) (cipher []byte, err error) {
	err = t.operate(ctx, "encrypt", []Handle{key}, func(d driver, session uint, objects []uint) error {
		cipher, err = d.Encrypt(session, m, objects[0], plain)
		return err
	})
	return cipher, err
}

// Decrypt decrypts. A ciphertext that was altered fails, with a code that differs
// between tokens.
func (t *Token) Decrypt(ctx context.Context, m Mechanism, key Handle, cipher []byte) (plain []byte, err error) {
	err = t.operate(ctx, "decrypt", []Handle{key}, func(d driver, session uint, objects []uint) error {
		plain, err = d.Decrypt(session, m, objects[0], cipher)
		return err
	})
	return plain, err
}

// Wrap exports key, encrypted with wrapping (C_WrapKey, section 5.13).
func (t *Token) Wrap(ctx context.Context, m Mechanism, wrapping, key Handle) (wrapped []byte, err error) {
	err = t.operate(ctx, "wrap key", []Handle{wrapping, key}, func(d driver, session uint, objects []uint) error {
		wrapped, err = d.WrapKey(session, m, objects[0], objects[1])
		return err
	})
	return wrapped, err
}

// Random returns n bytes of the token's random number generator (section 5.15).
func (t *Token) Random(ctx context.Context, n int) (random []byte, err error) {
	err = t.operate(ctx, "generate random bytes", nil, func(d driver, session uint, _ []uint) error {
		random, err = d.GenerateRandom(session, n)
		return err
	})
	return random, err
}

// Value reads what a derived key is (CKA_VALUE), of one that was made to be read: neither
// sensitive nor private to the HSM. Of any other it fails.
func (t *Token) Value(ctx context.Context, key Handle) (value []byte, err error) {
	err = t.operate(ctx, "read key", []Handle{key}, func(d driver, session uint, objects []uint) error {
		value, err = d.ReadAttribute(session, objects[0], CKA_VALUE)
		return err
	})
	return value, err
}

// operate runs f on a session of the pool.
func (t *Token) operate(ctx context.Context, op string, handles []Handle, f func(d driver, session uint, objects []uint) error) error {
	if err := t.enter(op); err != nil {
		return err
	}
	defer t.leave()
	a, err := t.attach(ctx, true)
	if err != nil {
		return err
	}
	held, err := a.lend(ctx, a.concurrent || a.parallelUse, func(d driver, session uint) error {
		objects, err := a.objects.resolve(handles)
		if err != nil {
			return err
		}
		defer t.waiting(ctx, a, op, 1)()
		return f(d, session, objects)
	})
	if held {
		return t.fail(ctx, op, a, err)
	}
	return t.failOnLent(ctx, op, a, err)
}
