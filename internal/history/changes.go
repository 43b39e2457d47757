package history

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Changes are what an update changes, in words: the reason of an Updated. What matters most
// comes first, as there is room for so much only: a history is on the token.
type Changes []string

const (
	changesBytes = 800 // how long the text may be
	valueBytes   = 80  // and a value in it
	listed       = 4   // how many elements of a list are named
)

// Value takes in something that has one value; an empty one is none.
func (c *Changes) Value(name, was, is string) {
	if was != is {
		*c = append(*c, fmt.Sprintf("%s %s → %s", name, shown(was), shown(is)))
	}
}

// Flag takes in something that is so or not.
func (c *Changes) Flag(name string, was, is bool) {
	c.Value(name, strconv.FormatBool(was), strconv.FormatBool(is))
}

// List takes in something that has many values, by those that come and those that go.
func (c *Changes) List(name string, was, is []string) {
	var parts []string
	for _, each := range []struct {
		sign     string
		in, from []string
	}{{"+", is, was}, {"−", was, is}} {
		left := 0
		for _, value := range each.in {
			switch {
			case slices.Contains(each.from, value):
			case left < listed:
				parts = append(parts, each.sign+shown(value))
				left++
			default:
				left++
			}
		}
		if left > listed {
			parts = append(parts, fmt.Sprintf("%s%d more", each.sign, left-listed))
		}
	}
	if len(parts) > 0 {
		*c = append(*c, name+" "+strings.Join(parts, " "))
	}
}

// Names takes in something of which only names are told: those whose value is another one, or
// that come or go.
func (c *Changes) Names(name string, was, is map[string]string) {
	var others []string
	for _, each := range slices.Sorted(maps.Keys(was)) {
		if value, there := is[each]; there && value != was[each] {
			others = append(others, shown(each))
		}
	}
	if len(others) > listed {
		others = append(others[:listed], fmt.Sprintf("%d more", len(others)-listed))
	}
	before := len(*c)
	c.List(name, slices.Sorted(maps.Keys(was)), slices.Sorted(maps.Keys(is)))
	switch {
	case len(others) == 0:
	case len(*c) > before:
		(*c)[before] += " " + strings.Join(others, " ")
	default:
		*c = append(*c, name+" "+strings.Join(others, " "))
	}
}

// String is all of them, as far as there is room.
func (c Changes) String() string {
	text := ""
	for n, each := range c {
		if n > 0 {
			each = ", " + each
		}
		if len(text)+len(each) > changesBytes {
			return fmt.Sprintf("%s and %d more", text, len(c)-n)
		}
		text += each
	}
	return text
}

// shown is a value such that it cannot be taken for several, or for more than it is.
func shown(value string) string {
	if value == "" {
		return "none"
	}
	if end := valueBytes; len(value) > end {
		for !utf8.RuneStart(value[end]) {
			end--
		}
		value = value[:end] + "…"
	}
	strange := func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("._:=/@+-…", r))
	}
	if value == "none" || strings.ContainsFunc(value, strange) {
		return strconv.Quote(value)
	}
	return value
}
