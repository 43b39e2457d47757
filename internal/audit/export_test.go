package audit

import "context"

// Encode writes a record's line.
func Encode(e Event) ([]byte, error) { return e.encode() }

// Sign makes the text of a checkpoint.
func Sign(ctx context.Context, s Signer, c Checkpoint) ([]byte, error) { return sign(ctx, s, c) }
