package audit

import (
	"context"
	"time"
)

// Encode writes a record's line.
func Encode(e Event) ([]byte, error) { return e.encode() }

// Sign makes the text of a checkpoint.
func Sign(ctx context.Context, s Signer, c Checkpoint) ([]byte, error) { return sign(ctx, s, c) }

// OpenImpatiently is OpenDirectory with less patience: as good as none before somebody is told.
func OpenImpatiently(ctx context.Context, dir string, torn func(int64, string) ([]byte, error), longest time.Duration, waiting func(context.Context, string)) (*Directory, error) {
	return openDirectory(ctx, dir, torn, patience{time.Millisecond, longest, waiting})
}

// CutBack reports whether checkpoints are missed.
var CutBack = cutBack
