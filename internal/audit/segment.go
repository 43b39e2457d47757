package audit

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// segmentBytes is how long a segment grows before the next one is begun.
const segmentBytes = 16 << 20

const (
	segmentPrefix = "records-"
	segmentSuffix = ".jsonl"
)

// segments lists the indexes that the segments begin with, ascending.
func segments(dir string) ([]int64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, unusable(dir, "The directory cannot be read.", err)
	}
	var firsts []int64
	for _, entry := range entries {
		digits, isSegment := strings.CutPrefix(entry.Name(), segmentPrefix)
		digits, isOne := strings.CutSuffix(digits, segmentSuffix)
		first, err := strconv.ParseInt(digits, 10, 64)
		if isSegment && isOne && err == nil && segmentName(first) == entry.Name() {
			firsts = append(firsts, first)
		}
	}
	slices.Sort(firsts)
	return firsts, nil
}

func segmentName(first int64) string {
	return fmt.Sprintf("%s%012d%s", segmentPrefix, first, segmentSuffix)
}

// begin makes the segment of a first index.
func (d *Directory) begin(first int64) error {
	if d.segment != nil {
		if err := d.segment.Sync(); err != nil { // lines of other processes too
			return unusable(d.dir, "The last records cannot be made durable.", err)
		}
		d.undurable = false
	}
	file, err := os.OpenFile(filepath.Join(d.dir, segmentName(first)), os.O_RDWR|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return unusable(d.dir, "The file for the next records cannot be made.", err)
	}
	if err := syncDirectory(d.dir); err != nil {
		_ = file.Close()
		return unusable(d.dir, "The directory cannot be made durable.", err)
	}
	if d.segment != nil {
		_ = d.segment.Close()
	}
	d.segment, d.first, d.size, d.end = file, first, first, 0
	return nil
}

func syncDirectory(dir string) error {
	file, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	return file.Sync()
}

// sequence makes sure that each segment but the last ends with the line before the first one
// of the next: that none is missing, and none was cut off. It reads the ends only; what is in
// between is for verify.
func (d *Directory) sequence(firsts []int64) error {
	for n, first := range firsts[:len(firsts)-1] {
		line, err := lastLine(filepath.Join(d.dir, segmentName(first)))
		if err != nil {
			return unusable(d.dir, "The records cannot be read.", err)
		}
		leaf, err := d.ReadHashes([]int64{tlog.StoredHashIndex(0, firsts[n+1]-1)})
		if err != nil || tlog.RecordHash(line) != leaf[0] {
			return d.tampered(fmt.Sprintf("The file %s does not end with record %d, the one before the next file: records are missing, or were changed.", segmentName(first), firsts[n+1]-1))
		}
	}
	return nil
}

// lastLine reads the last line of a file that ends with one.
func lastLine(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	for length := int64(64 << 10); ; length *= 2 {
		length = min(length, info.Size())
		text := make([]byte, length)
		if _, err := file.ReadAt(text, info.Size()-length); err != nil {
			return nil, err
		}
		text = bytes.TrimSuffix(text, []byte("\n"))
		if n := bytes.LastIndexByte(text, '\n'); n >= 0 || length == info.Size() {
			return text[n+1:], nil
		}
	}
}

// Lines reads lines, see Store.
func (d *Directory) Lines(from int64, f func(index int64, line []byte) bool) error {
	if d.looking && d.segment == nil { // there are none yet
		return nil
	}
	firsts, err := segments(d.dir)
	if err != nil {
		return err
	}
	return readLines(d.dir, firsts, from, f)
}

// readLines reads the whole lines of segments. Those that do not follow each other are an
// error.
func readLines(dir string, firsts []int64, from int64, f func(index int64, line []byte) bool) error {
	if len(firsts) > 0 && from < firsts[0] {
		return &fault.Error{
			Kind: fault.Inconsistent, Op: "read audit log", Subject: subject(dir),
			Problem: fmt.Sprintf("Records 0 to %d are missing: the first file of records that is there begins with record %d.", firsts[0]-1, firsts[0]),
			Hint:    "Restore the directory from a copy, and find out who can write to it.",
		}
	}
	for n, first := range firsts {
		if n+1 < len(firsts) && firsts[n+1] <= from {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, segmentName(first)))
		if err != nil {
			return unusable(dir, "The records cannot be read.", err)
		}
		index := first
		for {
			line, rest, whole := bytes.Cut(text, []byte("\n"))
			if !whole {
				break
			}
			if index >= from && !f(index, line) {
				return nil
			}
			text = rest
			index++
		}
		if n+1 < len(firsts) && firsts[n+1] != index {
			return &fault.Error{
				Kind: fault.Inconsistent, Op: "read audit log", Subject: subject(dir),
				Problem: fmt.Sprintf("Record %d is the last before record %d: some are missing, or there are too many.", index-1, firsts[n+1]),
				Hint:    "Restore the directory from a copy, and find out who can write to it.",
			}
		}
	}
	return nil
}
