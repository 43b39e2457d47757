package lifecycle

import (
	"context"
	"fmt"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// Guard refuses a token that belongs to another environment (fault.Environment).
// A token without a stamp passes: the first write will stamp it.
func (s *Service) Guard(ctx context.Context) error {
	_, err := s.stamped(ctx)
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
	return can.Check(spec)
}

// stamped reports whether the token bears our environment's stamp.
func (s *Service) stamped(ctx context.Context) (bool, error) {
	name, err := s.Catalog.Environment(ctx)
	if err != nil || name == "" {
		return false, err
	}
	if name != s.Environment {
		return false, &fault.Error{
			Kind: fault.Environment, Op: "check environment", Subject: fmt.Sprintf("environment %q", s.Environment),
			Problem: fmt.Sprintf("The token belongs to environment %q, this provider is configured for %q.", name, s.Environment),
			Hint:    "Select the workspace or the token that was meant. Nothing was read or changed.",
		}
	}
	return true, nil
}

// stamp makes sure that the token bears our stamp before anything is written.
// Killed after it, the token belongs to the environment and holds nothing yet.
func (s *Service) stamp(ctx context.Context) error {
	s.stamping.Lock() // the first apply creates many keys at once: they are no rivals
	defer s.stamping.Unlock()
	done, err := s.stamped(ctx)
	if err != nil || done {
		return err
	}
	return s.Catalog.Stamp(ctx, s.Environment, s.Actor)
}

// requireStamp refuses to draw conclusions from a token that bears no stamp:
// whatever is asked of it was made elsewhere, or the token was emptied.
func (s *Service) requireStamp(ctx context.Context, subject string) error {
	done, err := s.stamped(ctx)
	if err != nil || done {
		return err
	}
	return unstamped(subject)
}

func unstamped(subject string) error {
	return &fault.Error{
		Kind: fault.Inconsistent, Op: "check environment", Subject: subject,
		Problem: "The token bears no environment's stamp and holds no records: it is another token than the one this was made on, or it was emptied.",
		Hint:    "Check which token the provider selects. If the token is lost, restore it from backup; the state still says what was on it.",
	}
}
