package assembly

import (
	"context"

	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
	"github.com/keystead/terraform-provider-hsm/internal/policy"
)

// directory tells policies what there is in an environment.
type directory struct {
	keys        *lifecycle.Service
	credentials *credential.Service
}

var _ policy.Directory = directory{}

// Keys lists every living key, by name.
func (d directory) Keys(ctx context.Context) ([]*keyring.Key, error) { return d.keys.List(ctx) }

// Principals lists every living credential, by name.
func (d directory) Principals(ctx context.Context) ([]policy.Principal, error) {
	credentials, err := d.credentials.List(ctx)
	if err != nil {
		return nil, err
	}
	principals := make([]policy.Principal, len(credentials))
	for i, c := range credentials {
		principals[i] = principal(c)
	}
	return principals, nil
}

// principal is a credential as policies see it.
func principal(c *credential.Credential) policy.Principal {
	p := policy.Principal{Name: c.Spec.Name, Owner: c.Spec.Owner, Tags: c.Spec.Tags}
	for _, n := range c.Numbers() {
		barred, until, ending := c.Standing(c.Versions[n])
		p.Versions = append(p.Versions, policy.Standing{Number: n, Barred: string(barred), Until: until, Ending: string(ending)})
	}
	return p
}
