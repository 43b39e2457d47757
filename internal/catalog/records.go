// Package catalog is the contract for keeping the records of an environment: keys,
// credentials and policies, each of a kind of its own. Implementations are below
// this directory, each named after what it stores on; catalogtest holds them to the
// contract.
//
// A record is a body with a name. What a body means is its owner's business, and
// none of an implementation's.
package catalog

import "context"

// Body is what a record holds.
type Body[T any] interface {
	// RecordName is what the record is found by; it never changes.
	RecordName() string
	// Clone returns a deep copy.
	Clone() T
	// Flaw says, in a sentence, what is in it that its owner never writes; empty for
	// nothing. It is asked before a body is written and after one was read.
	Flaw() string
}

// Record is a body as stored, with what is needed to replace it.
type Record[T any] struct {
	Body T
	// Generation counts the writes of this record. Replace needs it to notice
	// that somebody else wrote in between.
	Generation int
	// ID is random and tells apart two records that rivals created for one name.
	ID string
}

// Records keeps the records of one kind in one environment. Every error is a
// *fault.Error. Bodies that are handed in or out are the receiver's own. One with a flaw
// is not handed out (fault.Inconsistent) and not stored (fault.Internal).
type Records[T Body[T]] interface {
	// Load returns one record, freshly enough to be replaced. A name without a
	// record is fault.NotFound, by positive evidence only. Two rival records of
	// one name that neither side has withdrawn are fault.Conflict.
	Load(ctx context.Context, name string) (Record[T], error)
	// Look is Load that asks the place itself, whatever is remembered of it: for
	// whoever waits for another run to be done.
	Look(ctx context.Context, name string) (Record[T], error)
	// List returns every record as of the last scan, by name.
	List(ctx context.Context) ([]Record[T], error)
	// Create stores the first record of a name: fault.Exists if the name has one,
	// fault.Conflict if a rival created it at the same time and won (the smaller
	// ID wins; ours is withdrawn). Durable on return.
	Create(ctx context.Context, body T) (Record[T], error)
	// Replace stores the next generation of a record: fault.Conflict if old is no
	// longer the newest; nothing is changed then. Durable on return. A kill
	// leaves the old or the new one, never none and never half of one.
	Replace(ctx context.Context, old Record[T], body T) (Record[T], error)
}
