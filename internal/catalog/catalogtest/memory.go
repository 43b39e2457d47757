package catalogtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/keystead/terraform-provider-hsm/internal/catalog"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// Memory keeps records in memory, for tests of what a real place cannot do on demand.
// Several of them, with other doors, may share what is Stored. It is used by its
// address.
type Memory[T catalog.Body[T]] struct {
	// Noun is what people call a record.
	Noun string
	// Stored is open to tests, to look at and to tamper with while nothing is under way.
	Stored map[string]catalog.Record[T]
	// Enter is passed by every call first; the call leaves in any case.
	Enter func() (leave func(), err error)
	// Write carries out one change, or fails before or after it. A write that the
	// contract refuses never gets here.
	Write func(change func()) error
}

// NewMemory returns an empty Memory in which nothing fails.
func NewMemory[T catalog.Body[T]](noun string) *Memory[T] {
	var mu sync.Mutex
	return &Memory[T]{
		Noun:   noun,
		Stored: map[string]catalog.Record[T]{},
		Enter:  func() (func(), error) { mu.Lock(); return mu.Unlock, nil },
		Write:  func(change func()) error { change(); return nil },
	}
}

// Load returns one record, see catalog.Records.
func (m *Memory[T]) Load(_ context.Context, name string) (catalog.Record[T], error) {
	leave, err := m.Enter()
	defer leave()
	if err != nil {
		return catalog.Record[T]{}, err
	}
	rec, ok := m.Stored[name]
	if !ok {
		return rec, &fault.Error{
			Kind: fault.NotFound, Op: "read " + m.Noun, Subject: fmt.Sprintf("%s %q", m.Noun, name), Problem: "There is no " + m.Noun + " of this name.",
		}
	}
	return handedOut(rec), nil
}

// Look is Load: nothing else is remembered here.
func (m *Memory[T]) Look(ctx context.Context, name string) (catalog.Record[T], error) {
	return m.Load(ctx, name)
}

// List returns every record, by name, see catalog.Records.
func (m *Memory[T]) List(context.Context) ([]catalog.Record[T], error) {
	leave, err := m.Enter()
	defer leave()
	if err != nil {
		return nil, err
	}
	var all []catalog.Record[T]
	for _, name := range slices.Sorted(maps.Keys(m.Stored)) {
		all = append(all, handedOut(m.Stored[name]))
	}
	return all, nil
}

// Create stores the first record of a name, see catalog.Records.
func (m *Memory[T]) Create(_ context.Context, body T) (catalog.Record[T], error) {
	leave, err := m.Enter()
	defer leave()
	if err != nil {
		return catalog.Record[T]{}, err
	}
	if _, taken := m.Stored[body.RecordName()]; taken {
		return catalog.Record[T]{}, &fault.Error{Kind: fault.Exists, Op: "create record", Problem: "The name is taken."}
	}
	return m.store(catalog.Record[T]{Body: body, Generation: 1, ID: rand.Text()})
}

// Replace stores the next generation of a record, see catalog.Records.
func (m *Memory[T]) Replace(_ context.Context, old catalog.Record[T], body T) (catalog.Record[T], error) {
	leave, err := m.Enter()
	defer leave()
	if err != nil {
		return catalog.Record[T]{}, err
	}
	if newest := m.Stored[body.RecordName()]; newest.Generation != old.Generation || newest.ID != old.ID {
		return catalog.Record[T]{}, &fault.Error{Kind: fault.Conflict, Op: "replace record", Problem: "Somebody else changed it."}
	}
	return m.store(catalog.Record[T]{Body: body, Generation: old.Generation + 1, ID: old.ID})
}

func (m *Memory[T]) store(rec catalog.Record[T]) (catalog.Record[T], error) {
	if flaw := rec.Body.Flaw(); flaw != "" {
		return catalog.Record[T]{}, &fault.Error{Kind: fault.Internal, Op: "write record", Problem: "The record is not whole. " + flaw}
	}
	stored := handedOut(rec)
	if err := m.Write(func() { m.Stored[rec.Body.RecordName()] = stored }); err != nil {
		return catalog.Record[T]{}, err
	}
	return handedOut(rec), nil
}

// handedOut is a record whose body is the receiver's own.
func handedOut[T catalog.Body[T]](rec catalog.Record[T]) catalog.Record[T] {
	rec.Body = rec.Body.Clone()
	return rec
}
