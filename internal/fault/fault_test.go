package fault_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

func TestError(t *testing.T) {
	cause := errors.New("disk on fire")
	for name, tc := range map[string]struct {
		in   fault.Error
		want string
	}{
		"everything": {
			fault.Error{Op: "log in", Subject: `token "prod"`, Problem: "The PIN is wrong.", Code: "C_Login: CKR_PIN_INCORRECT", Cause: cause, Hint: "unseen"},
			`log in (token "prod"): The PIN is wrong: disk on fire [C_Login: CKR_PIN_INCORRECT]`,
		},
		"kind stands in for a missing problem": {fault.Error{Kind: fault.Conflict, Op: "write"}, "write: conflict"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.in.Error(); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestKindOfLooksThroughWrapping(t *testing.T) {
	cause := errors.New("cause")
	err := fmt.Errorf("outer: %w", &fault.Error{Kind: fault.Exhausted, Op: "x", Cause: cause})
	if got := fault.KindOf(err); got != fault.Exhausted {
		t.Errorf("KindOf = %v, want %v", got, fault.Exhausted)
	}
	if !fault.Is(err, fault.Exhausted) || fault.Is(err, fault.Denied) || fault.Is(nil, fault.Internal) {
		t.Error("Is disagrees with KindOf, or takes nil for a fault")
	}
	if !errors.Is(err, cause) {
		t.Error("the cause is not reachable through Unwrap")
	}
	if got := fault.KindOf(cause); got != fault.Internal {
		t.Errorf("KindOf(plain error) = %v, want %v", got, fault.Internal)
	}
	if got := fault.Kind(200).String(); got != "unknown kind" {
		t.Errorf("Kind(200) = %q", got)
	}
}
