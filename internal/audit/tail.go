package audit

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Tail reads the lines of a directory in their order, as they come.
type Tail struct {
	dir    string
	next   int64 // index of the next line
	file   *os.File
	offset int64 // of the next line in it
}

// OpenTail begins with the line of an index. If there are fewer lines it is fault.NotFound.
func OpenTail(dir string, from int64) (*Tail, error) {
	t := &Tail{dir: dir, next: from}
	firsts, err := segments(dir)
	if err != nil {
		return nil, err
	}
	for n, first := range firsts {
		if first > from || n+1 < len(firsts) && firsts[n+1] <= from {
			continue
		}
		t.next = first
		if err := t.open(first); err != nil {
			return nil, err
		}
		for t.next < from {
			lines, err := t.Next(from, 1<<20)
			if err == nil && len(lines) == 0 || errors.Is(err, fs.ErrNotExist) { // nor a next file
				err = notFound(dir)
			}
			if err != nil {
				_ = t.Close()
				return nil, err
			}
		}
		return t, nil
	}
	return nil, notFound(dir)
}

func (t *Tail) open(first int64) error {
	file, err := os.Open(filepath.Join(t.dir, segmentName(first)))
	if err != nil {
		return unusable(t.dir, "The records cannot be read.", err)
	}
	_ = t.Close()
	t.file, t.offset = file, 0
	return nil
}

// Index is that of the next line.
func (t *Tail) Index() int64 { return t.next }

// Next reads the next lines: those before an index, which have to be durable, and at least
// one if there is one, but not many more bytes than are asked for.
func (t *Tail) Next(until int64, size int) ([][]byte, error) {
	if t.next >= until {
		return nil, nil
	}
	for ; ; size *= 2 {
		text := make([]byte, size)
		n, err := t.file.ReadAt(text, t.offset)
		if err != nil && err != io.EOF {
			return nil, unusable(t.dir, "The records cannot be read.", err)
		}
		text = text[:n]
		if n == 0 { // this segment is at its end
			if err := t.open(t.next); err != nil {
				return nil, err
			}
			continue
		}
		var lines [][]byte
		for t.next < until {
			line, rest, whole := bytes.Cut(text, []byte("\n"))
			if !whole {
				break
			}
			lines, text = append(lines, line), rest
			t.next++
			t.offset += int64(len(line)) + 1
		}
		if len(lines) > 0 || err == io.EOF {
			return lines, nil
		}
	}
}

// Close lets go of the file.
func (t *Tail) Close() error {
	if t.file == nil {
		return nil
	}
	return t.file.Close()
}
