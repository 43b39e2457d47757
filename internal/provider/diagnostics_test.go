package provider_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/provider"
)

func TestExplain(t *testing.T) {
	denied := &fault.Error{
		Kind: fault.Denied, Op: "log in", Subject: `token "prod"`, Problem: "The PIN is wrong.",
		Hint: "Correct it; it is not tried again in this run.", Code: "C_Login: CKR_PIN_INCORRECT",
	}
	for name, test := range map[string]struct {
		err             error
		summary, detail string
	}{
		"everything there is": {
			denied, "Cannot log in: access denied",
			"Token \"prod\": The PIN is wrong.\n\nCorrect it; it is not tried again in this run.\n\n[C_Login: CKR_PIN_INCORRECT]",
		},
		"only a kind": {&fault.Error{Kind: fault.Unavailable, Op: "read key"}, "Cannot read key: unavailable", "Unavailable."},
		"invalid input needs no kind": {
			&fault.Error{Kind: fault.Invalid, Op: "read key name", Subject: `name "a b"`, Problem: "This is not a usable key name."},
			"Cannot read key name", `Name "a b": This is not a usable key name.`,
		},
		"a cause with a hint and a code of its own": {
			&fault.Error{Kind: fault.Unavailable, Op: "create key", Subject: `key "orders"`, Problem: "The key was not created.", Hint: "Apply again.", Cause: denied},
			"Cannot create key: unavailable",
			"Key \"orders\": The key was not created.\nToken \"prod\": The PIN is wrong.\n\n" +
				"Apply again.\nCorrect it; it is not tried again in this run.\n\n[C_Login: CKR_PIN_INCORRECT]",
		},
		"a cause from elsewhere": {
			&fault.Error{Kind: fault.Invalid, Op: "configure provider", Subject: "uri", Problem: "The PIN file cannot be opened.", Cause: fmt.Errorf("open /pin: %w", fs.ErrNotExist)},
			"Cannot configure provider", "Provider argument uri: The PIN file cannot be opened.\nOpen /pin: file does not exist.",
		},
		"wrapped":              {fmt.Errorf("while reading: %w", denied), "Cannot log in: access denied", "Token \"prod\": The PIN is wrong.\n\nCorrect it; it is not tried again in this run.\n\n[C_Login: CKR_PIN_INCORRECT]"},
		"several":              {errors.Join(denied, errors.New("and the key is half made")), "Cannot log in: access denied", "Token \"prod\": The PIN is wrong.\nAnd the key is half made.\n\nCorrect it; it is not tried again in this run.\n\n[C_Login: CKR_PIN_INCORRECT]"},
		"the same thing twice": {&fault.Error{Kind: fault.Denied, Op: "read key", Problem: denied.Problem, Hint: denied.Hint, Code: denied.Code}, "Cannot read key: access denied", "The PIN is wrong.\n\nCorrect it; it is not tried again in this run.\n\n[C_Login: CKR_PIN_INCORRECT]"},
		"no fault at all":      {context.Canceled, "Cannot carry out the operation", "Context canceled."},
		"a bug is called one": {
			&fault.Error{Op: "read", Problem: "No."}, "Cannot read",
			"No.\n\nThis is a bug in the provider: please report it, with what `terraform-provider-hsm version` prints.",
		},
		"an interrupt is no bug":   {&fault.Error{Op: "read", Problem: "No.", Cause: context.Canceled}, "Cannot read", "No.\nContext canceled."},
		"a name keeps its capital": {&fault.Error{Kind: fault.Invalid, Op: "read", Subject: "hsm_key orders", Problem: "No."}, "Cannot read", "hsm_key orders: No."},
	} {
		t.Run(name, func(t *testing.T) {
			summary, detail := provider.Explain(test.err)
			if summary != test.summary {
				t.Errorf("summary %q, want %q", summary, test.summary)
			}
			if detail != test.detail {
				t.Errorf("detail\n%s\nwant\n%s", detail, test.detail)
			}
		})
	}
}
