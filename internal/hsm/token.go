package hsm

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

// Token is one HSM token, as the lifecycle of keys needs it.
//
// Fingerprints: of a pair it is the SHA-256 of the public key's SPKI, of a secret
// key the check value that [CheckValue] describes.
type Token struct {
	device device

	// changes keeps Permit and Destroy of one process apart: each reads the
	// objects of a ref and then acts on what it read.
	changes sync.Mutex

	// probing guards what was learnt by trying. Whoever needs it first does the
	// work, the others wait for the answer.
	probing      sync.Mutex
	attests      *bool
	capabilities *keyring.Capabilities

	// lasting says that throw-away keys have to be token keys: the token makes no
	// session keys.
	lasting atomic.Bool

	// lean holds, by keyring.Algorithm, how much this token does not want to be told
	// in a template, see plan.
	lean sync.Map

	// proofs holds, by cryptoki.Handle, the fingerprint that Prove found to be the
	// object's, or Generate made it with.
	proofs sync.Map
}

var _ lifecycle.Token = (*Token)(nil)

// New returns the token's keys. It does no I/O; the cryptoki.Token logs in when
// it is first needed.
func New(t *cryptoki.Token) *Token { return &Token{device: t} }

// device is the part of *cryptoki.Token that is used here. It is an interface so
// that tests can make single calls fail.
type device interface {
	Info(ctx context.Context) (cryptoki.Info, error)
	Mechanisms(ctx context.Context) (map[uint]cryptoki.MechanismInfo, error)
	Profile(ctx context.Context) (cryptoki.Profile, error)
	Warnings() []string
	KeepsData(ctx context.Context) (bool, error)
	Alone(ctx context.Context, f func(ctx context.Context) error) error

	Lookup(ctx context.Context, typ uint, value []byte) ([]cryptoki.Object, error)
	Search(ctx context.Context, template []cryptoki.Attribute) ([]cryptoki.Object, error)
	ConfirmAbsent(ctx context.Context, template []cryptoki.Attribute) error

	CreateObject(ctx context.Context, attrs []cryptoki.Attribute) (cryptoki.Object, error)
	CopyObject(ctx context.Context, h cryptoki.Handle, attrs []cryptoki.Attribute) (cryptoki.Object, error)
	SetAttributes(ctx context.Context, h cryptoki.Handle, attrs []cryptoki.Attribute) error
	DestroyObject(ctx context.Context, h cryptoki.Handle) error
	GenerateKey(ctx context.Context, m cryptoki.Mechanism, attrs []cryptoki.Attribute) (cryptoki.Object, error)
	GenerateKeyPair(ctx context.Context, m cryptoki.Mechanism, public, private []cryptoki.Attribute) (pub, priv cryptoki.Object, err error)

	Sign(ctx context.Context, m cryptoki.Mechanism, key cryptoki.Handle, data []byte) ([]byte, error)
	Verify(ctx context.Context, m cryptoki.Mechanism, key cryptoki.Handle, data, sig []byte) error
	Encrypt(ctx context.Context, m cryptoki.Mechanism, key cryptoki.Handle, plain []byte) ([]byte, error)
	Decrypt(ctx context.Context, m cryptoki.Mechanism, key cryptoki.Handle, cipher []byte) ([]byte, error)
	Wrap(ctx context.Context, m cryptoki.Mechanism, wrapping, key cryptoki.Handle) ([]byte, error)
	Unwrap(ctx context.Context, m cryptoki.Mechanism, unwrapping cryptoki.Handle, wrapped []byte, attrs []cryptoki.Attribute) (cryptoki.Object, error)
	Random(ctx context.Context, n int) ([]byte, error)
	Derive(ctx context.Context, m cryptoki.Mechanism, base cryptoki.Handle, attrs []cryptoki.Attribute) (cryptoki.Handle, error)
	Value(ctx context.Context, key cryptoki.Handle) ([]byte, error)
}

// Info describes the token; it needs no login.
func (t *Token) Info(ctx context.Context) (keyring.TokenInfo, error) {
	info, err := t.device.Info(ctx)
	if err != nil {
		return keyring.TokenInfo{}, err
	}
	return keyring.TokenInfo(info), nil
}

// Warnings lists what was noticed about the token, for example that its PIN
// counter is low, in whole sentences.
func (t *Token) Warnings() []string { return t.device.Warnings() }
