package audit_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/audit"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// TestMessage: a record says in words which version it is about.
func TestMessage(t *testing.T) {
	e := audit.Event{Operation: "reveal", Subject: "credential/bot", Version: 3, Phase: audit.Notice}
	line, err := audit.Encode(e)
	if err != nil || !strings.Contains(string(line), `"message":"credential/bot: reveal version 3"`) || e.Summary() != "reveal version 3" {
		t.Errorf("%s, %q, %v", line, e.Summary(), err)
	}
}

// TestRefusalIsTriedAgain: a refusal is written down once, also if that failed at first.
func TestRefusalIsTriedAgain(t *testing.T) {
	d := newDesk(t)
	c, full := d.log().Config, errors.New("the disk is full")
	open := c.Open
	c.Open = func(ctx context.Context, torn func(int64, string) ([]byte, error)) (audit.Store, error) {
		if full != nil {
			return nil, full
		}
		return open(ctx, torn)
	}
	l := audit.New(c)
	refused := &fault.Error{Kind: fault.Protected, Op: "destroy key", Subject: `key "orders"`, Problem: "No."}
	refuse, take := func() error { return l.Refused(t.Context(), refused) }, func() error { return l.Imported(t.Context(), "key/orders", "") }
	if err := errors.Join(refuse(), take()); !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
	full = nil
	if err := errors.Join(refuse(), refuse(), take(), take()); err != nil {
		t.Error(err)
	}
	d.close(l)
	if lines := d.lines(); len(lines) != 2 || !strings.Contains(lines[0], "destroy key") || !strings.Contains(lines[1], "import") {
		t.Errorf("%q", lines)
	}
}
