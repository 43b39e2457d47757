package audit

import (
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// Prove returns the line of a record, and the proof that it is in the tree of the newest
// checkpoint, as a text (C2SP tlog-proof) that ends with the checkpoint. A record that no
// checkpoint covers yet is fault.NotFound, one that the checkpoint's root does not go with
// fault.Inconsistent. Whose signature the checkpoint has is for whoever is given the proof.
func Prove(r Reader, index int64) (line []byte, proof string, err error) {
	notes, err := r.Checkpoints()
	if err != nil {
		return nil, "", err
	}
	subject := fmt.Sprintf("record %d", index)
	newest := notes.Newest()
	if newest == nil {
		return nil, "", &fault.Error{Kind: fault.NotFound, Op: "prove record", Subject: subject, Problem: "There is no checkpoint yet.", Hint: "A run that changes something signs one at its end."}
	}
	size := noteSize(newest)
	if index < 0 || index >= size {
		return nil, "", &fault.Error{
			Kind: fault.NotFound, Op: "prove record", Subject: subject, Problem: fmt.Sprintf("The newest checkpoint covers %d records, the first of which is record 0.", size),
			Hint: "Wait for the next checkpoint, or give another number.",
		}
	}
	v := &verification{}
	var failed error
	err = r.Lines(0, func(i int64, text []byte) bool {
		if i >= size {
			return false
		}
		if i == index {
			line = append([]byte(nil), text...)
		}
		var hashes []tlog.Hash
		if hashes, failed = tlog.StoredHashes(i, text, v); failed == nil {
			v.hashes = append(v.hashes, hashes...)
			v.Records = i + 1
		}
		return failed == nil
	})
	if err != nil {
		return nil, "", err
	}
	path, err := tlog.ProveRecord(size, index, v)
	if failed != nil || err != nil || v.Records < size {
		return nil, "", &fault.Error{
			Kind: fault.Inconsistent, Op: "prove record", Subject: subject, Problem: fmt.Sprintf("There are %d records, and a checkpoint of %d.", v.Records, size),
			Hint: "Look into it with `terraform-provider-hsm audit verify`.", Cause: err,
		}
	}
	if err := holds(path, line, index, newest); err != nil {
		return nil, "", &fault.Error{
			Kind: fault.Inconsistent, Op: "prove record", Subject: subject, Problem: fmt.Sprintf("It cannot be proved: the records are not those that were there when the checkpoint of %d records was signed.", size),
			Hint: "Look into it with `terraform-provider-hsm audit verify`.", Cause: err,
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "c2sp.org/tlog-proof@v1\nindex %d\n", index)
	for _, h := range path {
		b.WriteString(base64.StdEncoding.EncodeToString(h[:]) + "\n")
	}
	b.WriteString("\n" + string(newest))
	return line, b.String(), nil
}

// holds checks a proof as whoever is given it does.
func holds(path tlog.RecordProof, line []byte, index int64, note []byte) error {
	c, err := parseCheckpoint(string(note))
	if err != nil {
		return err
	}
	return tlog.CheckRecord(path, c.Size, c.Root, index, tlog.RecordHash(line))
}
