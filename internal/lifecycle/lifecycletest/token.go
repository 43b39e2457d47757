package lifecycletest

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

// The token's name.
const (
	Label  = "memory"
	Serial = "0815"
)

// MakeElsewhere puts a P-256 pair on the token that no record knows and that was
// not generated there.
func (m *Memory) MakeElsewhere(tb testing.TB, id, label string) {
	tb.Helper()
	made, err := m.prepare(lifecycle.Generation{
		Ref: keyring.Ref{ID: id, Label: label, Pair: true}, Algorithm: keyring.ECP256, Operations: keyring.Sign | keyring.Verify,
	})
	if err != nil {
		tb.Fatal(err)
	}
	made.Secrets, made.Publics, made.Birth = 1, 1, keyring.Birth{Attested: !m.Lies}
	m.Objects[id] = made
}

// prepare makes what an order asks for, and puts nothing on the token.
func (m *Memory) prepare(order lifecycle.Generation) (*Objects, error) {
	problem := func(kind fault.Kind, problem string) (*Objects, error) {
		return nil, &fault.Error{Kind: kind, Op: "generate key", Subject: order.Ref.Label, Problem: problem}
	}
	switch possible, ok := m.capabilities().Algorithms[order.Algorithm]; {
	case !ok || !possible.Has(order.Operations):
		return problem(fault.Unsupported, "This token does not do that.")
	case order.Ref.Pair != order.Algorithm.IsPair():
		return problem(fault.Internal, "The ref is not of the algorithm's kind.")
	case m.Objects[order.Ref.ID] != nil:
		return problem(fault.Internal, "The CKA_ID was used before.")
	}
	o := &Objects{
		Order: order, Allowed: order.Operations,
		Birth: keyring.Birth{Local: true, NeverExtractable: !order.Extractable, AlwaysSensitive: true, Attested: !m.Lies},
	}
	if !order.Ref.Pair {
		o.Material = fmt.Sprintf("c0ffee%x", len(m.Objects)) // stands for a check value
		return o, nil
	}
	private, err := ecdh.P256().GenerateKey(rand.Reader)
	if err == nil {
		o.PublicKey, err = keyring.NewECPublicKey(keyring.ECP256, private.PublicKey().Bytes())
	}
	o.Material = o.PublicKey.Fingerprint()
	return o, err
}

// publicFlags is what a public half has flags for.
const publicFlags = keyring.Verify | keyring.Encrypt | keyring.Wrap

// secretFlags is what a secret key, or a private half, has flags for.
func secretFlags(ref keyring.Ref) keyring.Operations {
	if ref.Pair {
		return keyring.All &^ publicFlags
	}
	return keyring.All
}

// flags is what the objects have flags for.
func (o *Objects) flags() keyring.Operations {
	flags := keyring.None
	if o.Secrets > 0 {
		flags |= secretFlags(o.Order.Ref)
	}
	if o.Publics > 0 {
		flags |= publicFlags
	}
	return flags
}

func (m *Memory) capabilities() keyring.Capabilities {
	return keyring.Capabilities{
		Algorithms: map[keyring.Algorithm]keyring.Operations{
			keyring.ECP256: keyring.Sign | keyring.Verify, keyring.AES256: keyring.Encrypt | keyring.Decrypt | keyring.Wrap | keyring.Unwrap,
			keyring.HMACSHA256: keyring.Sign | keyring.Verify,
		},
		RestrictsMechanisms: true, KeepsRecords: true,
		Mechanisms:  map[keyring.Mechanism]keyring.MechanismInfo{"CKM_ECDSA": {MinKeySize: 256, MaxKeySize: 521, Uses: []string{"sign", "verify"}}},
		Enforcement: keyring.EnforcedByHSM, Attests: !m.Lies,
	}
}

// token is a run's lifecycle.Token.
type token struct{ *run }

func (t token) Warnings() []string { return t.Memory.Warnings }

func (t token) Info(context.Context) (keyring.TokenInfo, error) {
	leave, err := t.enter()
	defer leave()
	return keyring.TokenInfo{Label: Label, Serial: Serial, Model: "m", Sessions: 1, MaxSessions: 10, FreePublicMemory: -1, FreePrivateMemory: 5}, err
}

func (t token) Capabilities(context.Context) (keyring.Capabilities, error) {
	leave, err := t.enter()
	defer leave()
	return t.capabilities(), err
}

// Generate makes the two halves of a pair one after the other.
func (t token) Generate(_ context.Context, order lifecycle.Generation) (lifecycle.Generated, error) {
	leave, err := t.enter()
	defer leave()
	if err != nil {
		return lifecycle.Generated{}, err
	}
	made, err := t.prepare(order)
	if err != nil {
		return lifecycle.Generated{}, err
	}
	return t.put(made)
}

// WrappedMaterial stands for a key of an algorithm, wrapped for any key of the token.
func WrappedMaterial(a keyring.Algorithm) []byte { return []byte("wrapped " + a) }

// Again stands for the key that was unwrapped last, wrapped once more.
func Again(material []byte) []byte { return append(slices.Clone(material), again...) }

var again = []byte(", again")

// Unwrap opens what WrappedMaterial has made.
func (t token) Unwrap(_ context.Context, order lifecycle.Generation, what lifecycle.Wrapped) (lifecycle.Generated, error) {
	leave, err := t.enter()
	defer leave()
	if err != nil {
		return lifecycle.Generated{}, err
	}
	if by := t.Objects[what.By.ID]; by == nil || by.Secrets != 1 || !by.Allowed.Has(keyring.Unwrap) || !slices.Equal(bytes.TrimSuffix(what.Material, again), WrappedMaterial(order.Algorithm)) {
		return lifecycle.Generated{}, &fault.Error{Kind: fault.Invalid, Op: "import key", Subject: order.Ref.Label, Problem: "The key does not open the material."}
	}
	made, err := t.prepare(order)
	if err != nil {
		return lifecycle.Generated{}, err
	}
	made.Birth = keyring.Birth{Attested: !t.Lies}
	if bytes.HasSuffix(what.Material, again) {
		made.PublicKey, made.Material = t.brought.PublicKey, t.brought.Material
	}
	t.brought = made
	return t.put(made)
}

// put puts what was prepared on the token.
func (t token) put(made *Objects) (lifecycle.Generated, error) {
	order := made.Order
	err := t.write(func() { made.Secrets, t.Objects[order.Ref.ID] = 1, made })
	if err == nil && order.Ref.Pair {
		err = t.write(func() { made.Publics = 1 })
	}
	if err != nil {
		return lifecycle.Generated{}, err
	}
	return lifecycle.Generated{PublicKey: made.PublicKey, Fingerprint: made.Material, Birth: made.Birth}, nil
}

func (t token) Inspect(_ context.Context, ref keyring.Ref, try keyring.Operations) (lifecycle.Sighting, error) {
	leave, err := t.enter()
	defer leave()
	o := t.Objects[ref.ID]
	if o == nil || err != nil {
		return lifecycle.Sighting{}, err
	}
	seen := lifecycle.Sighting{Secrets: o.Secrets, Publics: o.Publics, Permitted: o.Allowed & o.flags(), Refused: try & o.flags() &^ o.Allowed}
	if o.Secrets > 0 {
		seen.Algorithm, seen.Birth = o.Order.Algorithm, o.Birth
		seen.Birth.Attested = false
		seen.Extractable, seen.SecretLabel = o.Order.Extractable, o.Order.Ref.Label
	}
	if o.Publics > 0 {
		seen.PublicLabel = o.Order.Ref.Label
		seen.PublicKey, seen.Fingerprint = o.PublicKey, o.PublicKey.Fingerprint()
	}
	return seen, nil
}

// Prove uses what the secret or private key may do.
func (t token) Prove(_ context.Context, ref keyring.Ref, recorded keyring.PublicKey, fingerprint string) (lifecycle.Proof, error) {
	leave, err := t.enter()
	defer leave()
	if ref.Pair {
		fingerprint = recorded.Fingerprint()
	}
	o := t.Objects[ref.ID]
	switch {
	case err != nil:
		return lifecycle.Untried, err
	case o == nil || o.Secrets != 1 || o.Allowed&secretFlags(ref) == keyring.None:
		return lifecycle.Untried, nil
	case o.Material != fingerprint:
		return lifecycle.Disproven, nil
	}
	return lifecycle.Proven, nil
}

// MAC computes with what stands for the key's material.
func (t token) MAC(_ context.Context, ref keyring.Ref, message []byte) ([]byte, error) {
	leave, err := t.enter()
	defer leave()
	if err != nil {
		return nil, err
	}
	o := t.Objects[ref.ID]
	switch {
	case o == nil || o.Secrets == 0:
		return nil, &fault.Error{Kind: fault.NotFound, Op: "compute MAC", Subject: ref.Label, Problem: "There is no such object."}
	case o.Secrets > 1:
		return nil, &fault.Error{Kind: fault.Inconsistent, Op: "compute MAC", Subject: ref.Label, Problem: "There are several."}
	}
	mac := hmac.New(sha256.New, []byte(o.Material))
	mac.Write(message)
	return mac.Sum(nil), nil
}

// SignBy signs with what stands for the key's material, which no verifier takes.
func (t token) SignBy(ctx context.Context, ref keyring.Ref, order lifecycle.Signing) ([]byte, error) {
	return t.MAC(ctx, ref, append([]byte(order.Scheme), order.Input...))
}

// Random is random.
func (t token) Random(_ context.Context, n int) ([]byte, error) {
	leave, err := t.enter()
	defer leave()
	if err != nil {
		return nil, err
	}
	made := make([]byte, n)
	_, _ = rand.Read(made) // never fails
	return made, nil
}

// Permit works by copy and destroy, first on the secret or private key, then on the
// public one.
func (t token) Permit(_ context.Context, ref keyring.Ref, allowed keyring.Operations) (keyring.Enforcement, error) {
	leave, err := t.enter()
	defer leave()
	if err != nil {
		return "", err
	}
	o := t.Objects[ref.ID]
	if o == nil || o.Secrets == 0 {
		return "", &fault.Error{Kind: fault.NotFound, Op: "change key", Subject: ref.Label, Problem: "There is no such object."}
	}
	if err := t.replace(o, &o.Secrets, secretFlags(ref), allowed); err != nil {
		return "", err
	}
	if err := t.replace(o, &o.Publics, publicFlags&^secretFlags(ref), allowed); err != nil {
		return "", err
	}
	return keyring.EnforcedByHSM, nil
}

// replace leaves one object with the right flags where there were one or more.
func (t token) replace(o *Objects, count *int, flags, allowed keyring.Operations) error {
	allowed &= flags
	if *count == 0 || *count == 1 && o.Allowed&flags == allowed {
		return nil
	}
	if *count == 1 {
		if err := t.write(func() { *count, o.Allowed = 2, o.Allowed|allowed }); err != nil {
			return err
		}
	}
	return t.write(func() { *count, o.Allowed = 1, o.Allowed&^flags|allowed })
}

// Destroy destroys the secret or private key first.
func (t token) Destroy(_ context.Context, ref keyring.Ref, publicToo bool) error {
	leave, err := t.enter()
	defer leave()
	o := t.Objects[ref.ID]
	if o == nil || err != nil {
		return err
	}
	if o.Secrets > 0 {
		err = t.write(func() { t.remove(ref, &o.Secrets) })
	}
	if o.Publics > 0 && publicToo && err == nil {
		err = t.write(func() { t.remove(ref, &o.Publics) })
	}
	return err
}

func (t token) remove(ref keyring.Ref, count *int) {
	*count = 0
	if o := t.Objects[ref.ID]; o.Secrets+o.Publics == 0 {
		delete(t.Objects, ref.ID)
	}
}

func (t token) Find(_ context.Context, where lifecycle.Locator) (lifecycle.Found, error) {
	leave, err := t.enter()
	defer leave()
	if err != nil {
		return lifecycle.Found{}, err
	}
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(t.Objects)) {
		if t.Objects[id].matches(where) {
			ids = append(ids, id)
		}
	}
	problem := func(kind fault.Kind, problem string) (lifecycle.Found, error) {
		return lifecycle.Found{}, &fault.Error{Kind: kind, Op: "find key", Subject: fmt.Sprintf("%+v", where), Problem: problem}
	}
	switch len(ids) {
	case 0:
		return problem(fault.NotFound, "There is no such object.")
	case 1:
		o := t.Objects[ids[0]]
		return lifecycle.Found{
			Ref: o.Order.Ref, Algorithm: o.Order.Algorithm, Operations: o.Allowed, Mechanisms: o.Order.Mechanisms, Extractable: o.Order.Extractable,
			PublicKey: o.PublicKey, Fingerprint: o.Material, Birth: o.Birth,
		}, nil
	default:
		return problem(fault.Inconsistent, "There are several: "+strings.Join(ids, ", ")+".")
	}
}

func (o *Objects) matches(where lifecycle.Locator) bool {
	classes := []string{"", "secret-key"}
	if o.Order.Ref.Pair {
		classes = []string{"", "private", "public"}
	}
	return o.Secrets > 0 && slices.Contains(classes, where.Class) &&
		(where.ID == "" || where.ID == o.Order.Ref.ID) && (where.Label == "" || where.Label == o.Order.Ref.Label)
}
