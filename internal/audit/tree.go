package audit

import (
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// hashed returns of how many lines the tree has the hashes, and cuts off the remains of
// another one's.
func (d *Directory) hashed() (int64, error) {
	size, err := d.treeBytes()
	if err != nil {
		return 0, err
	}
	n := linesOf(size / tlog.HashSize)
	if whole := tlog.StoredHashCount(n) * tlog.HashSize; whole != size && !d.looking {
		if err := d.tree.Truncate(whole); err != nil {
			return 0, unusable(d.dir, "The tree cannot be put right.", err)
		}
	}
	return n, nil
}

// treeBytes is how long the tree's file is.
func (d *Directory) treeBytes() (int64, error) {
	if d.tree == nil {
		return 0, nil
	}
	info, err := d.tree.Stat()
	if err != nil {
		return 0, unusable(d.dir, "The tree cannot be looked at.", err)
	}
	return info.Size(), nil
}

// linesOf returns of how many lines so many hashes are.
func linesOf(hashes int64) (n int64) {
	for tlog.StoredHashCount(n+1) <= hashes {
		step := int64(1)
		for tlog.StoredHashCount(n+2*step) <= hashes {
			step *= 2
		}
		n += step
	}
	return n
}

// rehash computes the hashes of all segments but the last, from a line on.
func (d *Directory) rehash(from int64) error {
	firsts, err := segments(d.dir)
	if err != nil {
		return err
	}
	var failed error
	err = readLines(d.dir, firsts[:len(firsts)-1], from, func(index int64, line []byte) bool {
		failed = d.hash(index, [][]byte{line})
		return failed == nil
	})
	return errors.Join(err, failed)
}

// hash computes the hashes of lines, the first of which has the index. They go to the file
// when there are many, or with a checkpoint: written with every record they would make the
// disk as busy as the records do, and whoever finds some missing can compute them.
func (d *Directory) hash(index int64, lines [][]byte) error {
	for n, line := range lines {
		hashes, err := tlog.StoredHashes(index+int64(n), line, d)
		if err != nil {
			return unusable(d.dir, "The tree cannot be read.", err)
		}
		d.hashing.Lock()
		d.fresh = append(d.fresh, hashes...)
		d.hashing.Unlock()
	}
	if len(d.fresh) >= 8192 && !d.looking && d.segment.Sync() == nil { // no hash is there without its line
		d.flush()
	}
	return nil
}

// flush writes the hashes to the file. Those that cannot be written are kept. The lock is
// held.
func (d *Directory) flush() {
	d.hashing.Lock()
	defer d.hashing.Unlock()
	text := make([]byte, 0, len(d.fresh)*tlog.HashSize)
	for _, h := range d.fresh {
		text = append(text, h[:]...)
	}
	if _, err := d.tree.WriteAt(text, d.base*tlog.HashSize); err == nil {
		d.base, d.fresh = d.base+int64(len(d.fresh)), nil
	}
}

// ReadHashes reads hashes of the tree, see Store.
func (d *Directory) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	d.hashing.RLock()
	defer d.hashing.RUnlock()
	hashes := make([]tlog.Hash, len(indexes))
	for n, i := range indexes {
		if i >= d.base {
			if i-d.base >= int64(len(d.fresh)) {
				return nil, unusable(d.dir, fmt.Sprintf("The tree has no hash %d.", i), nil)
			}
			hashes[n] = d.fresh[i-d.base]
			continue
		}
		if _, err := d.tree.ReadAt(hashes[n][:], i*tlog.HashSize); err != nil {
			return nil, unusable(d.dir, "The tree cannot be read.", err)
		}
	}
	return hashes, nil
}
