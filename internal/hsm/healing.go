package hsm

import (
	"context"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

// healing repeats what lost its sessions, once: a network HSM drops them when they are
// idle for long, or when it changes over to its twin. By then the token is open again.
// Each of these may be done twice; what an interrupted generation left is destroyed first.
// Whatever else fails, and what fails twice, is not repeated.
type healing struct{ *Token }

// Healing returns the token with a second try for what lost its sessions.
func Healing(t *Token) lifecycle.Token { return healing{t} }

// lost reports whether a failure is that of a session, or of handles that became void
// with it.
func lost(err error) bool { return cryptoki.IsSessionLoss(err) || gone(err) }

func again[T any](f func() (T, error)) (T, error) {
	v, err := f()
	if lost(err) {
		v, err = f()
	}
	return v, err
}

// Capabilities is Token.Capabilities, with a second try.
func (h healing) Capabilities(ctx context.Context) (keyring.Capabilities, error) {
	return again(func() (keyring.Capabilities, error) { return h.Token.Capabilities(ctx) })
}

// Generate is Token.Generate, with a second try.
func (h healing) Generate(ctx context.Context, order lifecycle.Generation) (lifecycle.Generated, error) {
	return h.made(ctx, order, h.Token.Generate)
}

// Unwrap is Token.Unwrap, with a second try.
func (h healing) Unwrap(ctx context.Context, order lifecycle.Generation, what lifecycle.Wrapped) (lifecycle.Generated, error) {
	return h.made(ctx, order, func(ctx context.Context, order lifecycle.Generation) (lifecycle.Generated, error) {
		return h.Token.Unwrap(ctx, order, what)
	})
}

func (h healing) made(ctx context.Context, order lifecycle.Generation, do func(context.Context, lifecycle.Generation) (lifecycle.Generated, error)) (lifecycle.Generated, error) {
	made, err := do(ctx, order)
	if !lost(err) {
		return made, err
	}
	if left := h.Destroy(ctx, order.Ref, true); left != nil {
		return made, err // says that something may be left
	}
	return do(ctx, order)
}

// Inspect is Token.Inspect, with a second try.
func (h healing) Inspect(ctx context.Context, ref keyring.Ref, try keyring.Operations) (lifecycle.Sighting, error) {
	return again(func() (lifecycle.Sighting, error) { return h.Token.Inspect(ctx, ref, try) })
}

// Prove is Token.Prove, with a second try.
func (h healing) Prove(ctx context.Context, ref keyring.Ref, recorded keyring.PublicKey, fingerprint string) (lifecycle.Proof, error) {
	return again(func() (lifecycle.Proof, error) { return h.Token.Prove(ctx, ref, recorded, fingerprint) })
}

// MAC is Token.MAC, with a second try.
func (h healing) MAC(ctx context.Context, ref keyring.Ref, message []byte) ([]byte, error) {
	return again(func() ([]byte, error) { return h.Token.MAC(ctx, ref, message) })
}

// SignBy is Token.SignBy, with a second try.
func (h healing) SignBy(ctx context.Context, ref keyring.Ref, order lifecycle.Signing) ([]byte, error) {
	return again(func() ([]byte, error) { return h.Token.SignBy(ctx, ref, order) })
}

// Random is Token.Random, with a second try.
func (h healing) Random(ctx context.Context, n int) ([]byte, error) {
	return again(func() ([]byte, error) { return h.Token.Random(ctx, n) })
}

// Permit is Token.Permit, with a second try.
func (h healing) Permit(ctx context.Context, ref keyring.Ref, allowed keyring.Operations) (keyring.Enforcement, error) {
	return again(func() (keyring.Enforcement, error) { return h.Token.Permit(ctx, ref, allowed) })
}

// Destroy is Token.Destroy, with a second try.
func (h healing) Destroy(ctx context.Context, ref keyring.Ref, publicToo bool) error {
	_, err := again(func() (struct{}, error) { return struct{}{}, h.Token.Destroy(ctx, ref, publicToo) })
	return err
}

// Find is Token.Find, with a second try.
func (h healing) Find(ctx context.Context, where lifecycle.Locator) (lifecycle.Found, error) {
	return again(func() (lifecycle.Found, error) { return h.Token.Find(ctx, where) })
}
