package policy

import (
	"fmt"
	"strconv"

	"github.com/keystead/terraform-provider-hsm/internal/history"
)

// changes tells in words what a policy says otherwise than before. The access that it gives and
// takes away is told elsewhere, but not under which conditions.
func (s Spec) changes(was Spec) string {
	var c history.Changes
	c.Flag("enabled", was.Enabled, s.Enabled)
	c.Value("statements", count(was.Statements), count(s.Statements))
	for n := range min(len(was.Statements), len(s.Statements)) {
		s.Statements[n].changes(&c, fmt.Sprintf("statement %d ", n+1), was.Statements[n])
	}
	if was.Cedar != s.Cedar {
		c = append(c, "cedar")
	}
	c.Names("tags", was.Tags, s.Tags)
	if was.Description != s.Description {
		c = append(c, "description")
	}
	return c.String()
}

func count(statements []Statement) string { return strconv.Itoa(len(statements)) }

func (s Statement) changes(c *history.Changes, of string, was Statement) {
	c.Value(of+"effect", string(was.Effect), string(s.Effect))
	c.List(of+"principals", was.Principals, s.Principals)
	c.List(of+"actions", was.Actions, s.Actions)
	c.List(of+"keys", was.Keys, s.Keys)
	before, after := was.Condition, s.Condition
	if before == nil {
		before = &Condition{}
	}
	if after == nil {
		after = &Condition{}
	}
	c.List(of+"source_cidrs", before.SourceCIDRs, after.SourceCIDRs)
	c.Value(of+"not_before", before.NotBefore, after.NotBefore)
	c.Value(of+"not_after", before.NotAfter, after.NotAfter)
	c.Value(of+"hours", before.Hours.text(), after.Hours.text())
	c.List(of+"weekdays", before.Hours.weekdays(), after.Hours.weekdays())
	c.Value(of+"max_payload_bytes", limit(before.MaxPayloadBytes), limit(after.MaxPayloadBytes))
	c.List(of+"mechanisms", before.Mechanisms, after.Mechanisms)
}

func (h *Hours) text() string {
	if h == nil {
		return ""
	}
	return h.From + "-" + h.To + " " + h.TimeZone
}

func (h *Hours) weekdays() []string {
	if h == nil {
		return nil
	}
	return h.Weekdays
}

func limit(bytes *int64) string {
	if bytes == nil {
		return ""
	}
	return strconv.FormatInt(*bytes, 10)
}
