package lifecycle

import (
	"context"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// Guard refuses a token that belongs to another environment (fault.Environment).
// A token without a stamp passes: the first write will stamp it.
func (s *Service) Guard(ctx context.Context) error {
	_, err := s.Environment.Check(ctx)
	return err
}

// Check is Guard, and refuses a spec that is invalid or that this token cannot
// satisfy. It changes nothing on the token.
func (s *Service) Check(ctx context.Context, spec keyring.Spec) error {
	if err := spec.Validate(); err != nil {
		return err
	}
	if err := s.Guard(ctx); err != nil {
		return err
	}
	can, err := s.Token.Capabilities(ctx)
	if err != nil {
		return err
	}
	if err := can.Check(spec); err != nil {
		return err
	}
	return s.checkImport(ctx, spec)
}
