package token

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// decode reads the body, all of it: what is passed over would be lost with the next
// write. That is fault.Unsupported, as it is a newer version that writes what is not
// known here; fields that an older one did not write are empty. A body that is nothing,
// or something else, is fault.Inconsistent.
func (e envelope) decode(body any) error {
	if len(e.Body) == 0 || string(e.Body) == "null" {
		return damaged(e.label(), "It holds nothing.")
	}
	if err := json.Unmarshal(e.Body, body); err != nil {
		return damaged(e.label(), "What it holds cannot be read: "+err.Error()+".")
	}
	understood, err := json.Marshal(body)
	if err != nil {
		return damaged(e.label(), "What it holds cannot be written again: "+err.Error()+".")
	}
	if bytes.Equal(understood, e.Body) {
		return nil
	}
	said, err := read(e.Body)
	if err != nil {
		return damaged(e.label(), err.Error())
	}
	says, err := read(understood)
	if err != nil {
		return damaged(e.label(), err.Error())
	}
	if at, differ := said.difference(says); differ {
		return &fault.Error{
			Kind: fault.Unsupported, Op: "read record", Subject: subject(e.label()),
			Problem: fmt.Sprintf("It says something that this version of the provider does not know, or not in this way, at %s.", at),
			Hint:    "Use the newest version that was used with this token, or a later one. If there is none, the record was changed by something else: restore the token's backup.",
		}
	}
	return nil
}

// statements are the values in a JSON text that are not empty, by their path.
type statements map[string]string

func read(text []byte) (statements, error) {
	s := statements{}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return s, s.read(d, "")
}

// read takes in the next value. An object that names something twice would be read in
// one way here and in another one elsewhere.
func (s statements) read(d *json.Decoder, path string) error {
	word, err := d.Token()
	if err != nil {
		return err
	}
	bracket, isBracket := word.(json.Delim)
	if !isBracket {
		if text := leaf(word); text != "" {
			s[path] = text
		}
		return nil
	}
	seen := map[string]bool{}
	for n := 0; d.More(); n++ {
		name := strconv.Itoa(n)
		if bracket == '{' {
			word, err := d.Token()
			if err != nil {
				return err
			}
			name, _ = word.(string) // by the grammar
		}
		if seen[name] {
			return fmt.Errorf("It says %s.%s twice.", path, name) //nolint:staticcheck // a sentence for a person
		}
		seen[name] = true
		if err := s.read(d, path+"."+name); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}

// leaf is a value as text, empty for one that is: nothing, no, 0, no text, no time.
func leaf(word json.Token) string {
	switch w := word.(type) {
	case json.Number:
		if w != "0" {
			return w.String()
		}
	case string:
		if w != "" && w != "0001-01-01T00:00:00Z" {
			return strconv.Quote(w)
		}
	case bool:
		if w {
			return "true"
		}
	}
	return ""
}

// difference returns the path of something that only one of two says, or both in
// another way.
func (s statements) difference(other statements) (path string, differ bool) {
	for _, path := range slices.Sorted(maps.Keys(s)) {
		if s[path] != other[path] {
			return path, true
		}
	}
	for _, path := range slices.Sorted(maps.Keys(other)) {
		if s[path] != other[path] {
			return path, true
		}
	}
	return "", false
}
