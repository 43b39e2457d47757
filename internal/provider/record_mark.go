package provider

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/hashicorp/terraform-plugin-framework/diag"
)

// seenRecord is the entry in the private state that says which record, and which
// generation of it, the state was made from. By it a refresh tells a record that
// somebody put back from the newest one.
const seenRecord = "record"

// marked is a service whose records can be told from older ones.
type marked interface {
	Mark(ctx context.Context, name string) string
	Follows(ctx context.Context, name, mark string) error
}

// follows checks that the record of a name is not older than what the state was made
// from, nor another one.
func follows(ctx context.Context, of marked, name string, private privateState, diags *diag.Diagnostics) error {
	raw, more := private.GetKey(ctx, seenRecord)
	diags.Append(more...)
	var mark string
	_ = json.Unmarshal(raw, &mark) // nothing is known of what was just imported
	return of.Follows(ctx, name, mark)
}

// remember notes which record a state is made from: the one that was written by this
// run, or, where nothing is known yet, the one that was read. What is merely read may be
// withdrawn by a rival who loses, and must not make the right one look old.
func remember(ctx context.Context, of marked, name string, private interface {
	SetKey(ctx context.Context, key string, value []byte) diag.Diagnostics
}, diags *diag.Diagnostics,
) {
	if mark := of.Mark(ctx, name); mark != "" {
		diags.Append(private.SetKey(ctx, seenRecord, []byte(strconv.Quote(mark)))...) // digits and letters: JSON too
	}
}
