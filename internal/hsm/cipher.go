package hsm

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // OAEP with SHA-1 is all that SoftHSM has; nothing rests on collisions there
	"crypto/sha256"
	"hash"
	"slices"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// cipher is one way to encrypt.
type cipher struct {
	code uint
	iv   int  // random bytes that the parameters need
	oaep uint // CKM_ of OAEP's hash
	mgf  uint
}

// cipherSchemes lists what is tried, in this order: plain modes first, because
// they decrypt whatever they are given and so answer the question of permission
// without good input.
var cipherSchemes = map[keyring.Family][]cipher{
	keyring.AES: {
		{code: cryptoki.CKM_AES_CBC, iv: 16},
		{code: cryptoki.CKM_AES_CTR, iv: 16},
		{code: cryptoki.CKM_AES_ECB},
		{code: cryptoki.CKM_AES_CBC_PAD, iv: 16},
		{code: cryptoki.CKM_AES_GCM, iv: 12},
	},
	keyring.RSA: {
		{code: cryptoki.CKM_RSA_PKCS_OAEP, oaep: cryptoki.CKM_SHA256, mgf: cryptoki.CKG_MGF1_SHA256},
		{code: cryptoki.CKM_RSA_PKCS_OAEP, oaep: cryptoki.CKM_SHA_1, mgf: cryptoki.CKG_MGF1_SHA1},
		{code: cryptoki.CKM_RSA_PKCS},
	},
}

// ciphers lists the schemes that the token has and the key may use.
func (m material) ciphers(known map[uint]cryptoki.MechanismInfo, op keyring.Operations) []cipher {
	var usable []cipher
	for _, c := range cipherSchemes[m.algorithm.Family()] {
		if m.mayUse(known, c.code, op) {
			usable = append(usable, c)
		}
	}
	return usable
}

// mechanismFlags are the CKF_ flags that a mechanism shows for an operation.
var mechanismFlags = map[keyring.Operations]uint{
	keyring.Sign: cryptoki.CKF_SIGN, keyring.Verify: cryptoki.CKF_VERIFY, keyring.Encrypt: cryptoki.CKF_ENCRYPT, keyring.Decrypt: cryptoki.CKF_DECRYPT,
	keyring.Wrap: cryptoki.CKF_WRAP, keyring.Unwrap: cryptoki.CKF_UNWRAP, keyring.Derive: cryptoki.CKF_DERIVE,
}

// mayUse reports whether the token lists a mechanism for an operation and the key
// is not barred from it. A token that lists the mechanism without any flags is
// taken at the mechanism's word.
func (m material) mayUse(known map[uint]cryptoki.MechanismInfo, code uint, op keyring.Operations) bool {
	info, ok := known[code]
	if !ok || m.allowed != nil && !slices.Contains(m.allowed, code) {
		return false
	}
	uses := info.Flags & (cryptoki.CKF_SIGN | cryptoki.CKF_VERIFY | cryptoki.CKF_ENCRYPT | cryptoki.CKF_DECRYPT |
		cryptoki.CKF_WRAP | cryptoki.CKF_UNWRAP | cryptoki.CKF_DERIVE)
	return uses == 0 || uses&mechanismFlags[op] != 0
}

// fresh returns the mechanism with a random initialisation vector. It has to be
// random: a fixed one could meet a counter that the key's users start at the same
// place, and GCM does not survive the same one twice (SP 800-38D section 8).
func (c cipher) fresh() cryptoki.Mechanism {
	iv := make([]byte, c.iv)
	_, _ = rand.Read(iv) // never fails
	return c.with(iv)
}

func (c cipher) with(iv []byte) cryptoki.Mechanism {
	m := cryptoki.Mechanism{Code: c.code}
	switch {
	case c.oaep != 0:
		m.Params = cryptoki.OAEP{Hash: c.oaep, MGF: c.mgf}
	case c.code == cryptoki.CKM_AES_GCM:
		m.Params = cryptoki.GCM{IV: iv, TagBits: 128}
	case c.code == cryptoki.CKM_AES_CTR:
		// CK_AES_CTR_PARAMS: the width of the counter in bits, then the block.
		m.Params = cryptoki.Raw(append(slices.Clone(cryptoki.Ulong(0, 128).Value), iv...))
	case c.iv != 0:
		m.Params = cryptoki.Raw(iv)
	}
	return m
}

// plain is what a self-test encrypts: two whole blocks, short enough for OAEP.
func (c cipher) plain() []byte { return slices.Clone(testMessage[:32]) }

// seal encrypts outside the HSM with the public half of an RSA pair.
func (c cipher) seal(key *rsa.PublicKey, plain []byte) ([]byte, error) {
	if c.oaep == 0 {
		return rsa.EncryptPKCS1v15(rand.Reader, key, plain) //nolint:staticcheck // the HSM is asked to decrypt exactly this
	}
	digest := map[uint]func() hash.Hash{cryptoki.CKM_SHA_1: sha1.New, cryptoki.CKM_SHA256: sha256.New}[c.oaep]
	return rsa.EncryptOAEP(digest(), rand.Reader, key, plain, nil)
}

// testUnseal has the private half of an RSA pair decrypt what was encrypted here with
// the public one.
func (t *Token) testUnseal(ctx context.Context, m material, known map[uint]cryptoki.MechanismInfo) error {
	key := m.rsaPublic()
	if key == nil {
		return errUntested
	}
	return first(m.ciphers(known, keyring.Decrypt), keyring.Decrypt, func(c cipher) error {
		plain := challenge()[len(testMessage):]
		sealed, err := c.seal(key, plain)
		if err != nil {
			return errUntested
		}
		opened, err := t.device.Decrypt(ctx, c.fresh(), m.secret.Handle, sealed)
		if err != nil {
			return wrongIf(err, keyring.Decrypt, m, "The private key does not decrypt what was encrypted with the public one.")
		}
		if !bytes.Equal(opened, plain) {
			return wrong(m, "The private key decrypts what was encrypted with the public one to something else.", nil)
		}
		return nil
	})
}

// testCipher encrypts and decrypts.
func (t *Token) testCipher(ctx context.Context, m material, ops keyring.Operations, known map[uint]cryptoki.MechanismInfo) error {
	if !ops.Has(keyring.Encrypt | keyring.Decrypt) {
		return t.testAlone(ctx, m, ops)
	}
	return first(m.ciphers(known, keyring.Encrypt), keyring.Encrypt, func(c cipher) error {
		mechanism := c.fresh()
		sealed, err := t.device.Encrypt(ctx, mechanism, m.performer(keyring.Encrypt).Handle, c.plain())
		if err != nil {
			return err
		}
		if bytes.Contains(sealed, c.plain()) {
			return wrong(m, "The token returned the plaintext as the ciphertext.", nil)
		}
		opened, err := t.device.Decrypt(ctx, mechanism, m.secret.Handle, sealed)
		if err != nil {
			return wrongIf(err, keyring.Decrypt, m, "The token does not decrypt what it encrypted.")
		}
		if !bytes.Equal(opened, c.plain()) {
			return wrong(m, "The token decrypts to something other than what it encrypted.", nil)
		}
		return nil
	})
}

// bareCiphers lists the ciphers that are nothing but the block cipher for one block.
func (m material) bareCiphers(known map[uint]cryptoki.MechanismInfo) []cipher {
	return slices.DeleteFunc(m.ciphers(known, keyring.Encrypt), func(c cipher) bool {
		return !slices.Contains([]uint{cryptoki.CKM_AES_ECB, cryptoki.CKM_AES_CBC, cryptoki.CKM_AES_CTR}, c.code)
	})
}

// zeroBlock encrypts 16 zero bytes, by the first bare cipher.
// errUntested if the key may use none.
func (t *Token) zeroBlock(ctx context.Context, m material, known map[uint]cryptoki.MechanismInfo) ([]byte, error) {
	var out []byte
	err := first(m.bareCiphers(known), keyring.Encrypt, func(c cipher) (err error) {
		out, err = t.device.Encrypt(ctx, c.with(make([]byte, c.iv)), m.secret.Handle, make([]byte, 16))
		if err == nil && len(out) != 16 {
			return wrong(m, "The token encrypts one block to something that is not a block.", nil)
		}
		return err
	})
	return out, err
}

// zeroBlockBack is zeroBlock for a key that may only decrypt: in counter mode both
// are the encryption of the counter. errUntested if the key may not use that.
func (t *Token) zeroBlockBack(ctx context.Context, m material, known map[uint]cryptoki.MechanismInfo) ([]byte, error) {
	for _, c := range m.ciphers(known, keyring.Decrypt) {
		if c.code == cryptoki.CKM_AES_CTR {
			return t.device.Decrypt(ctx, c.with(make([]byte, c.iv)), m.secret.Handle, make([]byte, 16))
		}
	}
	return nil, errUntested
}
