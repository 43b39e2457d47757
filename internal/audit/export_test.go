package audit

import (
	"context"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// Encode writes a record's line.
func Encode(e Event) ([]byte, error) { return e.encode() }

// Sign makes a checkpoint.
func Sign(ctx context.Context, s Signer, origin string, size int64, root tlog.Hash, at time.Time) ([]byte, error) {
	return sign(ctx, s, origin, size, root, at)
}
