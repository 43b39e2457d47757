package hsm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// checkLabel separates check values from everything else that the key computes,
// and numbers the way they are made.
const checkLabel = "hsm-kcv-v1"

// shownPrefix marks what the token shows of itself, see CheckValue.
const shownPrefix = "kcv:"

// CheckValue makes the published form of a key check value out of what the key
// computed: the SHA-256, in lower-case hexadecimal, of the label "hsm-kcv-v1", the
// algorithm's name and the output, one after the other.
//
// A check value lets two people see that they mean the same secret key, without
// the key. The output is
//
//   - for an AES key that may encrypt, the encryption of 16 zero bytes by the bare
//     block cipher (ECB; CBC with a zero initialisation vector and CTR with a zero
//     counter block give the same), as in ANSI X9.24-1; one that may only decrypt
//     computes the same by decryption with CTR;
//   - for an AES key that may only sign, the CMAC (SP 800-38B) of the label, which
//     is the way of ANSI X9.24-1:2017 annex A for AES;
//   - for an HMAC key that may sign, the HMAC of the label with the key's own hash.
//
// The output itself is not published. X9.24 cuts it to 3 bytes, which tells apart
// no more than some millions of keys; and the whole encrypted zero block is the
// hash key H of AES-GCM (SP 800-38D section 7.1): whoever has it forges messages.
// Hashed, neither is a problem. The hash can't be turned round, because the output
// has 128 bits at least.
//
// A key that may do none of this (an AES key that only wraps, a key restricted to
// GCM) has what the token itself shows as CKA_CHECK_VALUE (section 4.10.2: the
// first three bytes of the encrypted zero block), written "kcv:" and hexadecimal:
// 24 of the 128 bits, which whoever can log in may read anyway, and good for a
// comparison only; or nothing, if the token shows nothing.
func CheckValue(a keyring.Algorithm, output []byte) string {
	sum := sha256.Sum256(slices.Concat([]byte(checkLabel), []byte(a), output))
	return hex.EncodeToString(sum[:])
}

// checkValue has the HSM compute the check value of a secret key. Only what the
// key's flags permit is used.
func (t *Token) checkValue(ctx context.Context, m material) (string, error) {
	known, err := t.device.Mechanisms(ctx)
	if err != nil {
		return "", err
	}
	for _, compute := range t.checkOutputs(m, known) {
		out, err := compute(ctx)
		if err == nil {
			return CheckValue(m.algorithm, out), nil
		}
		if !errors.Is(err, errUntested) && !definite(err) {
			return "", err
		}
	}
	if shown := m.secret.Bytes(cryptoki.CKA_CHECK_VALUE); len(shown) > 0 {
		return shownPrefix + hex.EncodeToString(shown), nil
	}
	return "", nil
}

// checkOutputs lists the ways to have the HSM compute what a check value is made of.
// Each is errUntested where the key's flags, or its mechanisms, do not permit it.
func (t *Token) checkOutputs(m material, known map[uint]cryptoki.MechanismInfo) []func(context.Context) ([]byte, error) {
	may := permitted(m.secret)
	mac := func(ctx context.Context) ([]byte, error) {
		if !may.Has(keyring.Sign) || !m.hasOwnMAC(known) {
			return nil, errUntested
		}
		return t.mac(ctx, m, known, []byte(checkLabel))
	}
	block := func(ctx context.Context) ([]byte, error) {
		switch {
		case may.Has(keyring.Encrypt):
			return t.zeroBlock(ctx, m, known)
		case may.Has(keyring.Decrypt):
			return t.zeroBlockBack(ctx, m, known)
		}
		return nil, errUntested
	}
	if m.algorithm.Family() == keyring.AES {
		return []func(context.Context) ([]byte, error){block, mac}
	}
	return []func(context.Context) ([]byte, error){mac}
}

// hasOwnMAC reports whether the first MAC that the key may use is the one that its
// algorithm names, so that the check value depends on the key alone.
func (m material) hasOwnMAC(known map[uint]cryptoki.MechanismInfo) bool {
	usable := m.signatures(known, keyring.Sign)
	if len(usable) == 0 {
		return false
	}
	own := signatureSchemes[keyring.AES]
	if m.algorithm.Family() == keyring.HMAC {
		own = macSchemes[m.algorithm]
	}
	return usable[0].mechanism.Code == own[0].mechanism.Code
}
