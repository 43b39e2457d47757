package audit

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// Key is a public key by which checkpoints are signed.
type Key struct {
	Version int
	SPKI    []byte // the SubjectPublicKeyInfo: of Ed25519, or of an ECDSA curve
}

// Fingerprint is the hexadecimal SHA-256 of the SubjectPublicKeyInfo.
func (k Key) Fingerprint() string {
	sum := sha256.Sum256(k.SPKI)
	return hex.EncodeToString(sum[:])
}

// Signer is the key in the HSM by which checkpoints are signed. Every error is a
// *fault.Error.
type Signer interface {
	// Prepare makes the key if the environment has none; durable on return. A token that
	// can make none is fault.Unsupported, a key that is not there any more
	// fault.Inconsistent.
	Prepare(ctx context.Context) error
	// Check is Prepare that makes nothing: a key that there never was is none that is lost.
	Check(ctx context.Context) error
	// Renew makes a new version of a key that is lost; durable on return.
	Renew(ctx context.Context) error
	// Sign signs a message by the current version: by Ed25519, or by ECDSA with SHA-256 as
	// ASN.1. May be retried.
	Sign(ctx context.Context, message []byte) (Key, []byte, error)
	// Keys returns every version that there has ever been. It changes nothing.
	Keys(ctx context.Context) ([]Key, error)
}

// Origin is the name of an environment's log, and of the key that signs its checkpoints.
func Origin(environment string) string { return productName + "/" + environment }

// The types of signatures, as C2SP signed-note has them.
const (
	typeEd25519 = 1
	typeECDSA   = 2
)

// verifier checks signatures of one key. Of Ed25519 it does what note.NewVerifier does.
type verifier struct {
	name   string
	key    Key
	public any
	hash   uint32
}

func newVerifier(name string, k Key) (*verifier, error) {
	public, err := x509.ParsePKIXPublicKey(k.SPKI)
	if err != nil {
		return nil, err
	}
	v := &verifier{name: name, key: k, public: public}
	var sum [sha256.Size]byte
	switch public := public.(type) {
	case ed25519.PublicKey:
		sum = sha256.Sum256(append(append([]byte(name+"\n"), typeEd25519), public...))
	case *ecdsa.PublicKey:
		sum = sha256.Sum256(k.SPKI)
	default:
		return nil, fmt.Errorf("%T signs no checkpoints", public)
	}
	v.hash = binary.BigEndian.Uint32(sum[:4])
	return v, nil
}

func (v *verifier) Name() string    { return v.name }
func (v *verifier) KeyHash() uint32 { return v.hash }

func (v *verifier) Verify(message, signature []byte) bool {
	switch public := v.public.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(public, message, signature)
	case *ecdsa.PublicKey:
		digest := sha256.Sum256(message)
		return ecdsa.VerifyASN1(public, digest[:], signature)
	}
	return false
}

// VerifierKey is the key as text, as `note` and its likes take it: name, hash, and the type
// of the signature with the key.
func VerifierKey(environment string, k Key) (string, error) {
	v, err := newVerifier(Origin(environment), k)
	if err != nil {
		return "", &fault.Error{Kind: fault.Inconsistent, Op: "read audit key", Problem: "The public key cannot be used.", Cause: err}
	}
	body := append([]byte{typeECDSA}, k.SPKI...)
	if public, ok := v.public.(ed25519.PublicKey); ok {
		body = append([]byte{typeEd25519}, public...)
	}
	return fmt.Sprintf("%s+%08x+%s", v.name, v.hash, base64.StdEncoding.EncodeToString(body)), nil
}

// ParseVerifierKey reads what VerifierKey wrote: a key, and of which environment it is.
func ParseVerifierKey(text string) (environment string, k Key, err error) {
	malformed := func(cause error) (string, Key, error) {
		return "", Key{}, &fault.Error{
			Kind: fault.Invalid, Op: "read audit key", Problem: "This is no key to verify checkpoints by.",
			Hint: "Give it as `terraform-provider-hsm audit keys` prints it: NAME+HASH+KEY.", Cause: cause,
		}
	}
	parts := strings.SplitN(strings.TrimSpace(text), "+", 3)
	if len(parts) != 3 {
		return malformed(nil)
	}
	body, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(body) < 2 {
		return malformed(err)
	}
	k = Key{SPKI: body[1:]}
	if body[0] == typeEd25519 {
		if len(body) != 1+ed25519.PublicKeySize {
			return malformed(nil)
		}
		if k.SPKI, err = x509.MarshalPKIXPublicKey(ed25519.PublicKey(body[1:])); err != nil {
			return malformed(err)
		}
	}
	v, err := newVerifier(parts[0], k)
	environment, ours := strings.CutPrefix(parts[0], Origin(""))
	if err != nil || !ours || fmt.Sprintf("%08x", v.hash) != parts[1] {
		return malformed(err)
	}
	return environment, k, nil
}

// Checkpoint is the head of the tree at one time.
type Checkpoint struct {
	Origin string
	Size   int64
	Root   tlog.Hash
	Time   time.Time // when it was signed, as the signer says
	Run    string    // that had it signed, as the signer says; empty in older ones
	Key    Key       // that signed it
	Text   []byte    // the signed note
}

// These begin the lines of a checkpoint that say when it was signed, and by which run: extension
// lines, which readers that do not know them pass over.
const (
	timePrefix = "time "
	runPrefix  = "run "
)

// format is the text that is signed (C2SP tlog-checkpoint).
func format(c Checkpoint) string {
	text := fmt.Sprintf("%s\n%d\n%s\n%s%s\n", c.Origin, c.Size, base64.StdEncoding.EncodeToString(c.Root[:]), timePrefix, c.Time.UTC().Format(time.RFC3339))
	if c.Run != "" {
		text += runPrefix + c.Run + "\n"
	}
	return text
}

// sign makes the text of a checkpoint.
func sign(ctx context.Context, s Signer, c Checkpoint) ([]byte, error) {
	text := format(c)
	key, signature, err := s.Sign(ctx, []byte(text))
	if err != nil {
		return nil, err
	}
	v, err := newVerifier(c.Origin, key)
	if err != nil || !v.Verify([]byte(text), signature) {
		return nil, &fault.Error{
			Kind: fault.Inconsistent, Op: "sign checkpoint", Subject: fmt.Sprintf("audit key version %d", key.Version),
			Problem: "The signature that the HSM made is not one of the recorded key.", Cause: err,
		}
	}
	raw := append(binary.BigEndian.AppendUint32(nil, v.hash), signature...)
	return []byte(text + "\n— " + c.Origin + " " + base64.StdEncoding.EncodeToString(raw) + "\n"), nil
}

// ReadCheckpoint reads a checkpoint of an environment's log and checks its signature
// against the keys. One that none of them signed is fault.Inconsistent.
func ReadCheckpoint(environment string, text []byte, keys []Key) (Checkpoint, error) {
	refuse := func(problem string, cause error) (Checkpoint, error) {
		return Checkpoint{}, &fault.Error{Kind: fault.Inconsistent, Op: "read checkpoint", Subject: "checkpoint", Problem: problem, Cause: cause}
	}
	var verifiers []note.Verifier
	byHash := map[uint32]Key{}
	for _, k := range keys {
		v, err := newVerifier(Origin(environment), k)
		if err != nil {
			return refuse("An audit key cannot be used.", err)
		}
		if _, twice := byHash[v.hash]; !twice {
			verifiers, byHash[v.hash] = append(verifiers, v), k
		}
	}
	n, err := note.Open(text, note.VerifierList(verifiers...))
	if err != nil {
		return refuse("It is not signed by an audit key of this environment.", err)
	}
	c, err := parseCheckpoint(n.Text)
	if err != nil || c.Origin != Origin(environment) {
		return refuse("It is no checkpoint of this environment's log.", err)
	}
	c.Text, c.Key = bytes.Clone(text), byHash[n.Sigs[0].Hash]
	return c, nil
}

func parseCheckpoint(text string) (Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 4 {
		return Checkpoint{}, fmt.Errorf("it has %d lines", len(lines))
	}
	c := Checkpoint{Origin: lines[0]}
	var err error
	if c.Size, err = strconv.ParseInt(lines[1], 10, 64); err != nil || c.Size < 0 {
		return Checkpoint{}, fmt.Errorf("%q is no size", lines[1])
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return Checkpoint{}, fmt.Errorf("%q is no root", lines[2])
	}
	copy(c.Root[:], root)
	for _, line := range lines[3:] {
		if at, ok := strings.CutPrefix(line, timePrefix); ok {
			if c.Time, err = time.Parse(time.RFC3339, at); err != nil {
				return Checkpoint{}, err
			}
		}
		if run, ok := strings.CutPrefix(line, runPrefix); ok {
			c.Run = run
		}
	}
	return c, nil
}
