package history_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/history"
)

// TestChanges: what was changed is told so that it is clear, and in so many bytes only.
func TestChanges(t *testing.T) {
	many := make([]string, 20)
	for n := range many {
		many[n] = fmt.Sprint("r", n)
	}
	for want, change := range map[string]func(c *history.Changes){
		"": func(c *history.Changes) {
			c.Value("owner", "ada", "ada")
			c.List("recipients", many, many)
			c.Flag("enabled", true, true)
		},
		"enabled true → false, owner ada → bob": func(c *history.Changes) { c.Flag("enabled", true, false); c.Value("owner", "ada", "bob") },
		`owner none → "x, enabled true → false", rotate_every 1h → none`: func(c *history.Changes) {
			c.Value("owner", "", "x, enabled true → false")
			c.Value("rotate_every", "1h", "")
		},
		`owner "none" → "a\nb"`:               func(c *history.Changes) { c.Value("owner", "none", "a\nb") },
		"recipients +c −a":                    func(c *history.Changes) { c.List("recipients", []string{"a", "b"}, []string{"b", "c"}) },
		"recipients +r0 +r1 +r2 +r3 +16 more": func(c *history.Changes) { c.List("recipients", nil, many) },
		"tags +team −old env": func(c *history.Changes) {
			c.Names("tags", map[string]string{"env": "1", "old": "x", "same": "s"}, map[string]string{"env": "2", "same": "s", "team": "y"})
		},
		"tags env": func(c *history.Changes) {
			c.Names("tags", map[string]string{"env": "1"}, map[string]string{"env": "2"})
		},
		"owner none → " + strings.Repeat("x", 80) + "…": func(c *history.Changes) { c.Value("owner", "", strings.Repeat("x", 1000)) },
	} {
		var c history.Changes
		if change(&c); c.String() != want {
			t.Errorf("%q, want %q", c, want)
		}
	}
	var c history.Changes
	for n := range 100 {
		c.Value(fmt.Sprint("field", n), strings.Repeat("ü", 100), "")
	}
	if text := c.String(); len(text) > 820 || !strings.HasSuffix(text, " more") {
		t.Errorf("%d bytes: %s", len(text), text)
	}
}
