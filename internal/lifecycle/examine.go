package lifecycle

import (
	"context"
	"errors"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// Examine looks at the objects of every version on record, reserved keys and removed ones
// included, in the way of Read: whether they are there, once, and are the key that was
// recorded. It returns what is not so (fault.Inconsistent) by key and number, and changes
// nothing. A key that was left to others when it was removed is theirs.
func (s *Service) Examine(ctx context.Context) (map[string]map[int]*fault.Error, error) {
	records, err := s.Catalog.List(ctx)
	if err != nil {
		return nil, err
	}
	all := map[string]map[int]*fault.Error{}
	for _, rec := range records {
		k := rec.Body
		if k.Tombstone != nil && k.Tombstone.Action == keyring.DestroyRetains {
			continue
		}
		unsound, err := s.unsound(ctx, k)
		if err != nil {
			return nil, err
		}
		if len(unsound) > 0 {
			all[k.Spec.Name] = unsound
		}
	}
	return all, nil
}

func (s *Service) unsound(ctx context.Context, k *keyring.Key) (map[int]*fault.Error, error) {
	defer s.lock(k.Spec.Name)()
	unsound := map[int]*fault.Error{}
	for _, n := range k.Numbers() {
		_, err := s.observe(ctx, k, k.Versions[n])
		if err == nil {
			continue
		}
		broken, ok := errors.AsType[*fault.Error](err)
		if !ok || broken.Kind != fault.Inconsistent {
			return nil, err
		}
		unsound[n] = broken
	}
	return unsound, nil
}
