package token

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// format is the version of the envelope that is written here. Older ones, when
// there are any, are still read.
const format = 1

// envelope is the value of a record's object, as JSON.
type envelope struct {
	Format int    `json:"format"`
	Kind   Kind   `json:"kind"`
	Name   string `json:"name"` // within the kind; empty for the environment
	// Generation counts the writes, from 1.
	Generation int `json:"generation"`
	// ID is random and the record's own for life; Write is random and the object's
	// own. Both are 16 bytes in hexadecimal.
	ID    string          `json:"id"`
	Write string          `json:"write"`
	Body  json.RawMessage `json:"body"`
	// Sum is the SHA-256, in hexadecimal, of this envelope in the encoding of
	// encoding/json with an empty Sum. It shows what was cut off or edited by hand;
	// it is no protection against somebody who means it, who has the PIN anyway.
	Sum string `json:"sum"`
}

// kindEnvironment is the kind of the marker, which is no record.
const kindEnvironment Kind = "environment"

// entry is a whole record and where it is: in one object, unless somebody copied
// it, or the token shows one object under two handles.
type entry struct {
	envelope
	handles []cryptoki.Handle
}

func (e envelope) label() string {
	if e.Kind == kindEnvironment {
		return environmentLabel
	}
	return e.Kind.label(e.Name)
}

func (e envelope) sum() (string, error) {
	e.Sum = ""
	raw, err := json.Marshal(e)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), nil
}

// seal encodes an envelope around a body.
func (e envelope) seal(body any) ([]byte, error) {
	internal := func(err error) error {
		return &fault.Error{Kind: fault.Internal, Op: "write record", Subject: subject(e.label()), Problem: "The record cannot be encoded.", Cause: err}
	}
	var err error
	if e.Body, err = json.Marshal(body); err != nil {
		return nil, internal(err)
	}
	e.Format = format
	if e.Sum, err = e.sum(); err != nil {
		return nil, internal(err)
	}
	raw, err := json.Marshal(e)
	if err != nil {
		return nil, internal(err)
	}
	return raw, nil
}

// open reads an object. Not whole (nil, nil) is what is no JSON: it was cut off. A record
// of a newer format is fault.Unsupported, a whole one that was changed fault.Inconsistent.
func open(label string, o cryptoki.Object) (*entry, error) {
	raw := o.Bytes(cryptoki.CKA_VALUE)
	var head struct {
		Format int    `json:"format"`
		Sum    string `json:"sum"`
	}
	if !json.Valid(raw) {
		return nil, nil
	}
	if err := json.Unmarshal(raw, &head); err != nil || !utf8.Valid(raw) { // JSON would put something else for what is no text
		return nil, damaged(label, "It is not a record at all.")
	}
	if head.Format > format {
		return nil, &fault.Error{
			Kind: fault.Unsupported, Op: "read record", Subject: subject(label),
			Problem: fmt.Sprintf("It was written by a newer version of this provider (format %d, known here is %d).", head.Format, format),
			Hint:    "Use the newest version that was used with this token, or a later one.",
		}
	}
	e := entry{handles: []cryptoki.Handle{o.Handle}}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields() // what is not known is not summed, so it must not be there
	if err := d.Decode(&e.envelope); err != nil {
		return nil, damaged(label, "It has parts that do not belong there.")
	}
	sum, err := e.sum()
	switch {
	case err != nil || sum != e.Sum:
		return nil, damaged(label, "Its checksum is wrong.")
	case e.label() != label || e.Generation < 1:
		return nil, damaged(label, fmt.Sprintf("It is the record of %s, under another label.", subject(e.label())))
	}
	return &e, nil
}

func damaged(label, problem string) error {
	return &fault.Error{
		Kind: fault.Inconsistent, Op: "read record", Subject: subject(label),
		Problem: "The record was changed by something other than this provider. " + problem,
		Hint:    "Restore the token's backup, or remove the object; its CKA_APPLICATION is " + application + " and its CKA_LABEL " + label + ".",
	}
}

// newest returns the entry of the highest generation, nil if there is none. Two
// different ones are fault.Conflict; remains without a whole record are
// fault.Inconsistent.
func newest(label string, objects []cryptoki.Object) (*entry, error) {
	entries, remains, err := openAll(label, objects)
	if err != nil {
		return nil, err
	}
	top := highest(entries)
	switch {
	case len(top) == 0 && len(remains) > 0:
		return nil, damaged(label, "It is cut off.")
	case len(top) == 0:
		return nil, nil
	case len(top) > 1:
		return nil, &fault.Error{
			Kind: fault.Conflict, Op: "read record", Subject: subject(label),
			Problem: fmt.Sprintf("Two runs wrote generation %d of this record at the same time (%s), and neither has withdrawn.", top[0].Generation, writes(top)),
			Hint: "If no other run is at work, one was killed while it wrote. Compare the two data objects with CKA_LABEL " + label +
				" and remove the one that is wrong.",
		}
	}
	return &top[0], nil
}

// openAll sorts the objects of one record into whole ones and the rest. A record
// that shows twice with the same write is one.
func openAll(label string, objects []cryptoki.Object) (entries []entry, remains []cryptoki.Handle, err error) {
	for _, o := range objects {
		if !ours(o) {
			continue
		}
		e, err := open(label, o)
		if err != nil {
			return nil, nil, err
		}
		if e == nil {
			remains = append(remains, o.Handle)
			continue
		}
		switch known := slices.IndexFunc(entries, func(other entry) bool { return other.Write == e.Write }); {
		case known < 0:
			entries = append(entries, *e)
		case entries[known].Sum != e.Sum:
			return nil, nil, damaged(label, "There are two of it that claim to be the same, and differ.")
		default:
			entries[known].handles = append(entries[known].handles, o.Handle)
		}
	}
	return entries, remains, nil
}

// highest returns the entries of the highest generation.
func highest(entries []entry) []entry {
	var top []entry
	for _, e := range entries {
		if len(top) > 0 && e.Generation > top[0].Generation {
			top = nil
		}
		if len(top) == 0 || e.Generation == top[0].Generation {
			top = append(top, e)
		}
	}
	return top
}

func writes(entries []entry) string {
	var list []string
	for _, e := range entries {
		list = append(list, e.Write)
	}
	return strings.Join(list, " and ")
}
