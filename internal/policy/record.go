package policy

import (
	"context"
	"fmt"

	"github.com/keystead/terraform-provider-hsm/internal/catalog"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// load opens the record of a policy that there is or was.
func (s *Service) load(ctx context.Context, op, name string) (Record, error) {
	if err := s.Environment.Require(ctx, subject(name)); err != nil {
		return Record{}, err
	}
	rec, err := s.Store.Load(ctx, name)
	if fault.Is(err, fault.NotFound) {
		return Record{}, &fault.Error{
			Kind: fault.Inconsistent, Op: op, Subject: subject(name),
			Problem: "The policy's record is no longer on the token. It was not removed by this provider, which would have left a record of that: somebody removed it with other tools, or the HSM was restored from an older backup.",
			Hint:    "Restore the HSM from a backup that has it. If it is lost for good, agree to that with `terraform state rm`; then a new one can be made.",
		}
	}
	return rec, err
}

// living refuses a policy that was removed (fault.NotFound).
func living(op string, p *Policy) (*Policy, error) {
	if p.Tombstone == nil {
		return p, nil
	}
	return nil, &fault.Error{
		Kind: fault.NotFound, Op: op, Subject: subject(p.Spec.Name),
		Problem: fmt.Sprintf("The policy was removed on %s by %s.", p.Tombstone.At.Format("2006-01-02"), p.Tombstone.Actor),
		Hint:    "Declare it anew; it may have the same name.",
	}
}

func subject(name string) string { return fmt.Sprintf("access policy %q", name) }

func nameTaken(name string) error {
	return &fault.Error{
		Kind: fault.Exists, Op: "create policy", Subject: subject(name),
		Problem: "A policy of this name exists on the token already.",
		Hint: fmt.Sprintf("Choose another name, or manage the existing policy by importing it:\n\n"+
			"  import {\n    to = hsm_access_policy.NAME_OF_THE_RESOURCE\n    id = %q\n  }\n", name),
	}
}

// uncompilable is the fault of a recorded policy that means nothing.
func uncompilable(name string, mistakes []Finding) error {
	return &fault.Error{
		Kind: fault.Inconsistent, Op: "read policy", Subject: subject(name) + mistakes[0].At.suffix(),
		Problem: "The recorded policy cannot be compiled: " + mistakes[0].Problem,
		Hint:    "It was recorded by another version of the provider, or changed with other tools. Correct it, or remove it.",
	}
}

// Mark returns what tells the record of a name, as it is now, from older ones and from
// others, for Follows; empty if there is none.
func (s *Service) Mark(ctx context.Context, name string) string {
	rec, err := s.Store.Load(ctx, name)
	if err != nil {
		return ""
	}
	return rec.Mark()
}

// Follows refuses (fault.Inconsistent) a record that is older than a mark that was seen
// of it, or another one. It is asked before Read, which would take either for the truth.
func (s *Service) Follows(ctx context.Context, name, mark string) error {
	if stamped, err := s.Environment.Check(ctx); err != nil || !stamped {
		return err
	}
	return catalog.Follows(ctx, s.Store, name, mark, subject(name))
}
