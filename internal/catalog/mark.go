package catalog

import (
	"context"
	"fmt"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// Mark tells which record somebody has seen, and which generation of it: text, to be
// kept by whoever wants to know later that a record is not an older one put back.
func (r Record[T]) Mark() string { return fmt.Sprintf("%d %s", r.Generation, r.ID) }

// Follows returns nil if the record of a name is the marked one or a later generation
// of it; fault.Inconsistent if it is an older one, or another one altogether. That there is
// none is not its business. Other errors are those of Load. Subject is what people call it.
func Follows[T Body[T]](ctx context.Context, records Records[T], name, mark, subject string) error {
	var generation int
	var id string
	if _, err := fmt.Sscanf(mark, "%d %s", &generation, &id); err != nil {
		return nil //nolint:nilerr // nothing is remembered
	}
	rec, err := records.Load(ctx, name)
	if fault.Is(err, fault.NotFound) {
		return nil // whoever reads it will say so
	}
	if err != nil {
		return err
	}
	const cause = "Somebody put an old one back, or the HSM was restored from an older backup."
	refuse := func(problem, hint string) error {
		return &fault.Error{
			Kind: fault.Inconsistent, Op: "read record", Subject: subject, Problem: problem,
			Hint: hint + " If what is on the token now is right, agree to that with `terraform state rm` and import it again.",
		}
	}
	switch {
	case rec.ID != id:
		return refuse("The token holds another record of this name than the one that the state was made from: it was copied from another token or environment, or made anew with other tools.",
			"Put the right record back, for example from the HSM's backup.")
	case rec.Generation < generation:
		return refuse(fmt.Sprintf("The record on the token is older than what the state was made from: its generation is %d, and was %d. %s", rec.Generation, generation, cause),
			"Put the newest record back: by an old one numbers would be used twice, and what was revoked or taken away would count again.")
	}
	return nil
}
