package cryptoki

import (
	"context"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// gate is a lock that a caller stops waiting for when its context ends. Whoever
// has passed it is not disturbed any more: an operation that has begun in the HSM
// is finished, since nobody can tell what half of one leaves behind.
type gate chan struct{}

func newGate() gate { return make(gate, 1) }

func (g gate) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return cancelled(err)
	}
	select {
	case g <- struct{}{}:
		return nil
	case <-ctx.Done():
		return cancelled(ctx.Err())
	}
}

func (g gate) leave() { <-g }

func cancelled(err error) error {
	return &fault.Error{
		Kind: fault.Unavailable, Op: "wait for the token", Problem: "The operation was cancelled before it began",
		Hint: "Run again; nothing was done.", Cause: err,
	}
}
