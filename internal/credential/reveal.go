package credential

import (
	"context"
	"fmt"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/secret"
)

// Secret derives the secret of a version, of the newest for 0, and returns it with that
// version, once Revealing has been told. A version that is not accepted now is fault.Protected and the error says
// why; a credential of the type public_key has none (fault.Invalid).
func (s *Service) Secret(ctx context.Context, name string, version int) (secret.Value, *Version, error) {
	c, err := s.Read(ctx, name, false)
	if err != nil {
		return secret.Value{}, nil, err
	}
	if c.Spec.Type != SharedSecret {
		return secret.Value{}, nil, &fault.Error{
			Kind: fault.Invalid, Op: "derive secret", Subject: subject(name), Problem: "A credential of the type public_key has no secret.",
			Hint: "Only its owner has the private key.",
		}
	}
	if version == 0 {
		version = c.Counter
	}
	v := c.Versions[version]
	if v == nil {
		return secret.Value{}, nil, &fault.Error{
			Kind: fault.NotFound, Op: "derive secret", Subject: versionSubject(name, version), Problem: "There is no such version.",
			Hint: fmt.Sprintf("The newest is version %d.", c.Counter),
		}
	}
	if !c.IsAccepted(v, s.now()) {
		return secret.Value{}, nil, c.ended(v, s.now())
	}
	if s.Revealing != nil {
		if err := s.Revealing(ctx, name, version); err != nil {
			return secret.Value{}, nil, err
		}
	}
	key, err := derive(ctx, s.Deriver, s.Environment.Name(), name, v)
	if err != nil {
		return secret.Value{}, nil, err
	}
	defer clear(key)
	return secret.New(key), v, nil
}

// ended says why a version is not accepted.
func (c *Credential) ended(v *Version, now time.Time) error {
	problem, hint := "", "Use a version that is accepted, or rotate the credential."
	switch c.State(v, now) {
	case Revoked:
		problem = fmt.Sprintf("It was revoked on %s (%s).", v.RevokedAt.Format(time.RFC3339), v.RevokedFor)
	case Expired:
		problem = fmt.Sprintf("It expired on %s.", c.ExpiresAt(v).Format(time.RFC3339))
	case Superseded:
		problem = fmt.Sprintf("It was replaced on %s, and its overlap ended on %s.", v.ReplacedAt.Format(time.RFC3339), v.AcceptedUntil.Format(time.RFC3339))
	case Suspended:
		problem, hint = "The credential is disabled.", "Set enabled = true to use it again."
	}
	return &fault.Error{Kind: fault.Protected, Op: "derive secret", Subject: versionSubject(c.Spec.Name, v.Number), Problem: problem, Hint: hint}
}
