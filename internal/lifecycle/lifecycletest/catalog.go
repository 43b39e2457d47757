package lifecycletest

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

// catalog is a run's lifecycle.Catalog. A write that is refused is none.
type catalog struct{ *run }

func (c catalog) Environment(context.Context) (string, error) {
	leave, err := c.enter()
	defer leave()
	if err != nil {
		return "", err
	}
	return c.environment()
}

func (m *Memory) environment() (string, error) {
	if m.Stamp == "" && len(m.Records) > 0 {
		return "", &fault.Error{Kind: fault.Inconsistent, Op: "read environment", Problem: "There are records and no stamp."}
	}
	return m.Stamp, nil
}

func (c catalog) Stamp(_ context.Context, environment, _ string) error {
	leave, err := c.enter()
	defer leave()
	if err != nil {
		return err
	}
	stamped, err := c.environment()
	switch {
	case environment == "":
		return &fault.Error{Kind: fault.Invalid, Op: "stamp token", Problem: "An environment needs a name."}
	case err != nil:
		return err
	case stamped == environment:
		return nil
	case stamped != "":
		return &fault.Error{Kind: fault.Environment, Op: "stamp token", Problem: "The token belongs to the environment " + stamped + "."}
	}
	return c.write(func() { c.Memory.Stamp = environment })
}

func (c catalog) Load(_ context.Context, name string) (lifecycle.Record, error) {
	leave, err := c.enter()
	defer leave()
	if err != nil {
		return lifecycle.Record{}, err
	}
	rec, ok := c.Records[name]
	if !ok {
		return rec, &fault.Error{Kind: fault.NotFound, Op: "read key", Subject: `key "` + name + `"`, Problem: "There is no key of this name."}
	}
	return handedOut(rec), nil
}

func (c catalog) List(context.Context) ([]lifecycle.Record, error) {
	leave, err := c.enter()
	defer leave()
	if err != nil {
		return nil, err
	}
	var all []lifecycle.Record
	for _, name := range slices.Sorted(maps.Keys(c.Records)) {
		all = append(all, handedOut(c.Records[name]))
	}
	return all, nil
}

func (c catalog) Create(_ context.Context, key *keyring.Key) (lifecycle.Record, error) {
	leave, err := c.enter()
	defer leave()
	if err != nil {
		return lifecycle.Record{}, err
	}
	if _, taken := c.Records[key.Spec.Name]; taken {
		return lifecycle.Record{}, &fault.Error{Kind: fault.Exists, Op: "create key", Problem: "The name is taken."}
	}
	return c.store(lifecycle.Record{Key: key, Generation: 1, ID: rand.Text()})
}

func (c catalog) Replace(_ context.Context, old lifecycle.Record, key *keyring.Key) (lifecycle.Record, error) {
	leave, err := c.enter()
	defer leave()
	if err != nil {
		return lifecycle.Record{}, err
	}
	if newest := c.Records[key.Spec.Name]; newest.Generation != old.Generation || newest.ID != old.ID {
		return lifecycle.Record{}, &fault.Error{Kind: fault.Conflict, Op: "change key", Problem: "Somebody else changed it."}
	}
	return c.store(lifecycle.Record{Key: key, Generation: old.Generation + 1, ID: old.ID})
}

func (c catalog) store(rec lifecycle.Record) (lifecycle.Record, error) {
	stored := handedOut(rec)
	if err := c.write(func() { c.Records[rec.Key.Spec.Name] = stored }); err != nil {
		return lifecycle.Record{}, err
	}
	return handedOut(rec), nil
}

// handedOut is a record whose key is the receiver's own.
func handedOut(rec lifecycle.Record) lifecycle.Record {
	rec.Key = rec.Key.Clone()
	return rec
}
