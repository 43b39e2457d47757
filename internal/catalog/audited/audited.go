// Package audited writes down in the audit log what is going to be written into a record,
// before it is, and what came of it. As whatever touches the HSM writes a record first, this
// is the one place at which every change passes.
//
// What is written down are the entries that the write adds to the record's own history. A
// write that adds none closes an intent whose end the entries before have told.
package audited

import (
	"context"

	"github.com/keystead/terraform-provider-hsm/internal/audit"
	"github.com/keystead/terraform-provider-hsm/internal/catalog"
	"github.com/keystead/terraform-provider-hsm/internal/environment"
	"github.com/keystead/terraform-provider-hsm/internal/history"
)

// Begin records an intent, durably on return, and says how to record its outcome; see
// audit.Log. If it fails nothing may be done.
type Begin func(ctx context.Context, e audit.Event) (*audit.Operation, error)

// Records are the records of one kind whose changes are written down.
type Records[T catalog.Body[T]] struct {
	catalog.Records[T]
	Kind  string // "key"
	Begin Begin
	Chain func(T) history.Chain
	// Detail adds to an event what else is to be known of a change; was is the zero value
	// for a new record. It may be nil.
	Detail func(ctx context.Context, was, is T, e *audit.Event) error
}

// Create is catalog.Records, written down.
func (r *Records[T]) Create(ctx context.Context, body T) (catalog.Record[T], error) {
	var none T
	return r.write(ctx, none, body, 0, func() (catalog.Record[T], error) { return r.Records.Create(ctx, body) })
}

// Replace is catalog.Records, written down.
func (r *Records[T]) Replace(ctx context.Context, old catalog.Record[T], body T) (catalog.Record[T], error) {
	return r.write(ctx, old.Body, body, r.Chain(old.Body).Length(), func() (catalog.Record[T], error) { return r.Records.Replace(ctx, old, body) })
}

func (r *Records[T]) write(ctx context.Context, was, is T, told int, do func() (catalog.Record[T], error)) (catalog.Record[T], error) {
	e := Event(r.Kind, is.RecordName(), r.Chain(is), told)
	if len(e.Steps) == 0 {
		return do()
	}
	if r.Detail != nil {
		if err := r.Detail(ctx, was, is, &e); err != nil {
			return catalog.Record[T]{}, err
		}
	}
	operation, err := r.Begin(ctx, e)
	if err != nil {
		return catalog.Record[T]{}, err
	}
	written, err := do()
	operation.End(ctx, err)
	return written, err
}

// Event tells what a history says after a number of entries.
func Event(kind, name string, chain history.Chain, told int) audit.Event {
	e := audit.Event{Subject: kind + "/" + name, Head: chain.Head()}
	for _, entry := range chain.All() {
		if entry.Seq <= told {
			continue
		}
		e.Steps = append(e.Steps, audit.Step{Seq: entry.Seq, What: entry.What, Version: entry.Version, Reason: entry.Reason, Digest: entry.Digest})
		if e.Operation == "" {
			e.Operation = entry.What
			if entry.What == history.Begun {
				e.Operation = entry.Reason
			}
		}
	}
	return e
}

// Marker is the mark of an environment, the setting of which is written down.
type Marker struct {
	environment.Marker
	Begin Begin
}

// Stamp is environment.Marker, written down.
func (m Marker) Stamp(ctx context.Context, name, actor string) error {
	operation, err := m.Begin(ctx, audit.Event{Operation: "stamp", Subject: "environment/" + name})
	if err != nil {
		return err
	}
	err = m.Marker.Stamp(ctx, name, actor)
	operation.End(ctx, err)
	return err
}
