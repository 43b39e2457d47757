package audit

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Examine comes to the verdict that the next change will: its error is the one that Prepare
// would refuse it with. Nothing is written, neither to the log nor to the token. begun reports
// whether there is a log already.
func (l *Log) Examine(ctx context.Context) (begun bool, err error) {
	l.preparing.Lock()
	defer l.preparing.Unlock()
	if l.ready.Load() || l.trusted { // that was looked at, and the log is being written since
		return true, nil
	}
	l.opening.Lock()
	err = l.identify(ctx)
	l.opening.Unlock()
	if err != nil {
		return false, err
	}
	store, err := l.Inspect(ctx)
	if err != nil {
		return false, err
	}
	defer func() { _ = store.Close(ctx) }() // nothing was written
	f, err := l.look(ctx, store)
	if err == nil {
		err = f.trustworthy()
	}
	if err == nil {
		err = l.Signer.Check(ctx)
	}
	return f.state == sound, err
}

// cutBack reports whether behind the newest checkpoint, which covers so many records, are
// changes that there should be another one of: somebody may have put an older one back.
func cutBack(r Reader, own string) (covered int64, is bool, err error) {
	for size := none; ; {
		notes, err := r.Checkpoints()
		if err != nil || notes.Newest() == nil {
			return 0, false, err
		}
		if noteSize(notes.Newest()) == size { // nobody signed while the records were read
			return size, true, nil
		}
		size = noteSize(notes.Newest())
		v := newVerification(Expectation{Own: own})
		v.good, v.Checkpoints = size, 1
		err = r.Lines(size, func(index int64, line []byte) bool {
			if e, err := Decode(line); err == nil { // one that cannot be read is for verify to find
				v.cover(index, e)
			}
			return !v.runs.said
		})
		if err != nil || !v.runs.said {
			return size, false, err
		}
	}
}

// InspectDirectory is OpenDirectory for whoever wants to know what the next change will find.
// Files are opened as for writing, so that one which cannot be written to is told, and nothing
// is made, mended or written. A directory that there is not yet is a log without records, as
// long as it can be made. Nothing may be appended.
func InspectDirectory(ctx context.Context, dir string, waiting func(ctx context.Context, holder string)) (*Directory, error) {
	d := &Directory{dir: dir, looking: true}
	switch there, err := mayBeMade(dir); {
	case err != nil:
		return nil, unusable(dir, "The directory cannot be made, or not be written to.", err)
	case !there:
		return d, nil
	}
	file, err := d.openFile(lockName)
	if err != nil {
		return nil, unusable(dir, "The directory cannot be written to.", err)
	}
	if file != nil {
		d.lock = newLock(file, patience{noticed, longest, waiting})
	}
	if err := d.locked(ctx, d.open); err != nil {
		_ = d.Close(ctx)
		return nil, err
	}
	return d, nil
}

// mayBeMade makes sure that files can be made in a directory, or the directory where it is to
// be, and reports whether it is there.
func mayBeMade(dir string) (there bool, err error) {
	for at := dir; ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		switch {
		case errors.Is(err, fs.ErrNotExist) && at != filepath.Dir(at):
			continue
		case err != nil:
			return false, err
		case !info.IsDir():
			return false, syscall.ENOTDIR
		}
		return at == dir, mayAddTo(at)
	}
}

// openFile opens a file to write to, which is made if need be.
func (d *Directory) openFile(name string) (*os.File, error) {
	if !d.looking {
		return os.OpenFile(filepath.Join(d.dir, name), os.O_RDWR|os.O_CREATE, 0o600)
	}
	file, err := os.OpenFile(filepath.Join(d.dir, name), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return file, err
}
