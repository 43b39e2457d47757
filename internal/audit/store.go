package audit

import (
	"context"

	"golang.org/x/mod/sumdb/tlog"
)

// Store keeps lines in the order in which they came, and the hashes of the tree over them.
// Every error is a *fault.Error. Its methods may be called from several goroutines, and
// several processes may have the same one open.
type Store interface {
	// Append stores a line at the end, durably on return, and returns its index. A store
	// that was cut off, replaced or taken away since it was opened is fault.Inconsistent,
	// one that is full fault.Exhausted; nothing is stored then. fault.Unavailable means
	// that it is not known whether the line is stored; nothing can be appended any more. A
	// store that others do not let go of is fault.Unavailable too, when the context ends or
	// after a while; then nothing is stored either, and the next line may be.
	Append(ctx context.Context, line []byte) (index int64, err error)
	// AppendSoon is Append, but that the line is durable only with the next one that Append
	// stores, with the next checkpoint, or when the store is closed. It outlives the
	// process, and may be lost with the host.
	AppendSoon(ctx context.Context, line []byte) (index int64, err error)
	// Size returns how many lines there are, as far as is known: at least those that this
	// process appended, and those that were there when it last did so.
	Size() int64
	// Lines calls f with each line from an index on, until it returns false.
	Lines(from int64, f func(index int64, line []byte) bool) error
	// ReadHashes makes this the tlog.HashReader of the tree over the lines. Whoever wants
	// to be sure of them computes them from the lines.
	tlog.HashReader
	// Checkpoints returns all checkpoints.
	Checkpoints() (Notes, error)
	// AddCheckpoint stores a checkpoint, durably on return. One that is smaller than the
	// newest is left out: another process was faster.
	AddCheckpoint(ctx context.Context, size int64, note []byte) error
	// Close lets go of the store.
	Close(ctx context.Context) error
}
