package credential

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// label is the Label of the derivation; it keeps secrets apart from whatever else may
// one day be derived with the same key.
const label = "keystead/terraform-provider-hsm/api-credential/v1"

// size is how long the secret of an algorithm is, in bytes.
func (a Algorithm) size() int {
	switch a {
	case HMACSHA256:
		return 32
	case HMACSHA512:
		return 64
	}
	return 0
}

// derivation is what a secret is derived from, together with the environment's
// derivation key.
//
// The secret is K(1) ‖ K(2) …, as many bytes of it as the algorithm takes (L bits: 256
// or 512), by the KDF in Counter Mode of NIST SP 800-108r1 section 4.1 with the PRF
// HMAC-SHA-256 and a counter of 32 bits before the fixed input:
//
//	K(i)    = HMAC-SHA-256(key, [i]₃₂ ‖ Label ‖ 0x00 ‖ Context ‖ [L]₃₂)
//	Label   = "keystead/terraform-provider-hsm/api-credential/v1"
//	Context = field(environment) ‖ field(name) ‖ field(version) ‖ field(algorithm) ‖ field(salt)
//	field(x) = [length of x in bytes]₃₂ ‖ x
//
// All numbers are big-endian; version is in decimal digits, algorithm by its name, salt
// 16 bytes; what is text is UTF-8. Each K(i) is computed in the HSM. OpenSSL's KBKDF
// computes the same from a key that it is given, with Label as its salt and Context as
// its info; testdata/derivation.json has examples.
type derivation struct {
	environment, name string
	version           int
	algorithm         Algorithm
	salt              []byte
}

// fixedInput is Label ‖ 0x00 ‖ Context ‖ [L]₃₂.
func (d derivation) fixedInput() []byte {
	b := append([]byte(label), 0)
	for _, field := range [][]byte{
		[]byte(d.environment), []byte(d.name), []byte(strconv.Itoa(d.version)), []byte(d.algorithm), d.salt,
	} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(field))) //nolint:gosec // G115: fields are short
		b = append(b, field...)
	}
	return binary.BigEndian.AppendUint32(b, uint32(d.algorithm.size()*8)) //nolint:gosec // G115: 256 or 512
}

// secret computes the secret with a version of the derivation key. The caller wipes it.
func (d derivation) secret(ctx context.Context, with Deriver, root int) ([]byte, error) {
	return counterMode(ctx, with, root, d.fixedInput(), d.algorithm.size())
}

// counterMode is K(1) ‖ K(2) …, cut to size bytes.
func counterMode(ctx context.Context, with Deriver, root int, fixedInput []byte, size int) ([]byte, error) {
	key := make([]byte, 0, size+sha256.Size) // never grows, so that no copy stays behind
	for i := uint32(1); len(key) < size; i++ {
		block, err := with.MAC(ctx, root, append(binary.BigEndian.AppendUint32(nil, i), fixedInput...))
		if err != nil {
			clear(key)
			return nil, err
		}
		key = append(key, block...)
		clear(block)
	}
	clear(key[size:])
	return key[:size], nil
}

// derive computes the secret of a recorded version, and makes sure that it is the one
// that was issued.
func derive(ctx context.Context, with Deriver, environment, name string, v *Version) ([]byte, error) {
	wrong := func(problem string) error {
		return &fault.Error{
			Kind: fault.Inconsistent, Op: "derive secret", Subject: versionSubject(name, v.Number), Problem: problem,
			Hint: "Restore the token from a backup in which the credential's record and the derivation key belong together, or rotate the credential.",
		}
	}
	salt, err := hex.DecodeString(v.Salt)
	if err != nil || v.Algorithm.size() == 0 {
		return nil, wrong("Its record cannot be derived from: it was changed.")
	}
	secret, err := derivation{environment, name, v.Number, v.Algorithm, salt}.secret(ctx, with, v.Root)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare([]byte(fingerprint(secret)), []byte(v.Fingerprint)) != 1 {
		clear(secret)
		return nil, wrong("What is derived is not the secret that was issued: the derivation key is another one, or the record was changed.")
	}
	return secret, nil
}

// fingerprint is the SHA-256 of a secret. A secret has 256 bits at least, so its hash
// tells nothing about it.
func fingerprint(secret []byte) string {
	sum := sha256.Sum256(secret)
	return hex.EncodeToString(sum[:])
}

func newSalt() []byte {
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // crypto/rand.Read never fails, it aborts the process
	return salt
}

func subject(name string) string { return fmt.Sprintf("API credential %q", name) }

func versionSubject(name string, number int) string {
	return fmt.Sprintf("API credential %q version %d", name, number)
}
