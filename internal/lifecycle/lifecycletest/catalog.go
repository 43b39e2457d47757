package lifecycletest

import (
	"context"

	"github.com/keystead/terraform-provider-hsm/internal/catalog/catalogtest"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

// records is a run's lifecycle.Catalog.
func (r *run) records() lifecycle.Catalog {
	return &catalogtest.Memory[*keyring.Key]{Noun: "key", Stored: r.Records, Enter: r.enter, Write: r.write}
}

// marker is a run's environment.Marker.
type marker struct{ *run }

func (c marker) Environment(context.Context) (string, error) {
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

func (c marker) Stamp(_ context.Context, environment, _ string) error {
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

// Store opens the records, and the mark of the environment, once more.
func (m *Memory) Store() catalogtest.Store[*keyring.Key] {
	r := m.start(0, "")
	return struct {
		marker
		lifecycle.Catalog
	}{marker{r}, r.records()}
}
