package cryptoki

import (
	"context"
	"math"

	"golang.org/x/sync/semaphore"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// gate is a lock that a caller stops waiting for when its context ends. Whoever
// has passed it is not disturbed any more: an operation that has begun in the HSM
// is finished, since nobody can tell what half of one leaves behind.
//
// It is entered alone, or joined by many. Those who wait pass in the order in which
// they came, so that many who join do not keep out one who wants to be alone.
type gate struct{ room *semaphore.Weighted }

const wholeRoom = math.MaxInt32

func newGate() gate { return gate{semaphore.NewWeighted(wholeRoom)} }

func (g gate) enter(ctx context.Context) error { return acquire(ctx, g.room, wholeRoom) }
func (g gate) leave()                          { g.room.Release(wholeRoom) }

func (g gate) join(ctx context.Context) error { return acquire(ctx, g.room, 1) }
func (g gate) part()                          { g.room.Release(1) }

func acquire(ctx context.Context, room *semaphore.Weighted, n int64) error {
	if err := ctx.Err(); err != nil {
		return cancelled(err)
	}
	if err := room.Acquire(ctx, n); err != nil {
		return cancelled(err)
	}
	return nil
}

func cancelled(err error) error {
	return &fault.Error{
		Kind: fault.Unavailable, Op: "wait for the token", Problem: "The operation was cancelled before it began",
		Hint: "Run again; nothing was done.", Cause: err,
	}
}
