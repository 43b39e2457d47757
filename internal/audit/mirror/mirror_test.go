package mirror_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/audit"
	"github.com/keystead/terraform-provider-hsm/internal/audit/mirror"
)

var noon = time.Date(2027, 1, 1, 12, 0, 0, 123456789, time.UTC)

// run is a run of the provider whose log has mirrors.
func run(dir string, mirrors ...mirror.Config) *audit.Log {
	c := audit.Config{
		Open: func(ctx context.Context, torn func(int64, string) ([]byte, error)) (audit.Store, error) {
			return audit.OpenDirectory(ctx, dir, torn, nil)
		},
		Serial:      func(context.Context) (string, error) { return "4711", nil },
		Environment: "prod", Actor: "ada@build", Provider: "1.2.3", Run: "r", Host: "build 7", PID: 4242, Now: func() time.Time { return noon },
	}
	for _, m := range mirrors {
		m.Directory = dir
		c.Mirrors = append(c.Mirrors, mirror.New(m))
	}
	return audit.New(c)
}

// note records something so many times.
func note(t *testing.T, l *audit.Log, times int) {
	t.Helper()
	for n := range times {
		e := audit.Event{Operation: "reveal", Subject: "credential/bot", Version: n + 1, Reason: "“quoted”"}
		if n%2 == 1 {
			e.Failure = &audit.Failure{Kind: "access denied", Problem: "No."}
		}
		if err := l.Note(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

func end(t *testing.T, l *audit.Log) {
	t.Helper()
	if err := l.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// records are the lines of a log.
func records(t *testing.T, dir string) (lines []string) {
	t.Helper()
	view, err := audit.OpenView(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := view.Lines(0, func(_ int64, line []byte) bool { lines = append(lines, string(line)); return true }); err != nil {
		t.Fatal(err)
	}
	return lines
}

// eventually waits for something that another goroutine does.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for !is() {
		select {
		case <-ctx.Done():
			t.Fatal(what)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// TestSyslog: a receiver of each kind gets every record of the log, those of an earlier run
// without a mirror included, once and in their order.
func TestSyslog(t *testing.T) {
	for name, listen := range receivers(t) {
		t.Run(name, func(t *testing.T) {
			r, to := listen(t)
			dir := filepath.Join(t.TempDir(), "log")
			earlier := run(dir)
			note(t, earlier, 3)
			end(t, earlier)
			for range 2 {
				l := run(dir, to)
				note(t, l, 40)
				end(t, l)
			}
			// The end of a run waits a moment only: on a busy machine a later one has to go on.
			for range 10 {
				if len(r.got()) < len(records(t, dir)) {
					l := run(dir, to)
					note(t, l, 1)
					end(t, l)
				}
			}
			want := records(t, dir)
			eventually(t, "not all has come", func() bool { return len(r.got()) >= len(want) })
			for n, m := range r.got() {
				checkMessage(t, m, n, want)
			}
		})
	}
}

func checkMessage(t *testing.T, m message, n int, want []string) {
	t.Helper()
	severity := 6
	if strings.Contains(want[n], "access denied") {
		severity = 4
	}
	is := m
	is.text = ""
	expected := message{
		facility: 13, severity: severity, at: "2027-01-01T12:00:00.123456Z", host: "build_7", app: "terraform-provider-hsm", process: "4242", id: "notice",
		data: fmt.Sprintf(`[meta sequenceId="%d"]`, n+1),
	}
	if is != expected || m.text != want[n] {
		t.Errorf("record %d: %+v", n, m)
	}
}

// TestEndOfARun: what is recorded while a mirror looks is delivered before the end of the run.
func TestEndOfARun(t *testing.T) {
	const times = 400
	dir := filepath.Join(t.TempDir(), "log")
	l := run(dir)
	note(t, l, 2*times)
	end(t, l)
	to := mirror.Config{Directory: dir, File: filepath.Join(t.TempDir(), "shipped")}
	for n := range times {
		m := mirror.New(to)
		m.Poke(int64(2*n + 1))
		time.Sleep(time.Duration(n) * time.Microsecond)
		m.Poke(int64(2*n + 2))
		m.Close(t.Context())
		if got := len(shipped(t, to.File)); got != 2*n+2 {
			t.Fatalf("%d records of %d were delivered", got, 2*n+2)
		}
	}
}

// shipped are the lines of a mirror's file; there may be none.
func shipped(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// TestTooLongForADatagram: what no datagram can hold is told by its number and hash, and
// what comes after it comes.
func TestTooLongForADatagram(t *testing.T) {
	r, to := receivers(t)["udp"](t)
	dir := filepath.Join(t.TempDir(), "log")
	l := run(dir, to)
	if err := l.Note(t.Context(), audit.Event{Operation: "write", Subject: "policy/p", Reason: strings.Repeat("x", 70_000)}); err != nil {
		t.Fatal(err)
	}
	note(t, l, 1)
	end(t, l)
	eventually(t, "not all has come", func() bool { return len(r.got()) == 2 })
	if text := r.got()[0].text; !strings.HasPrefix(text, "Record 0 is too long for a datagram.") {
		t.Error(text)
	}
	checkMessage(t, r.got()[1], 1, records(t, dir))
}

// TestUnreachable: where nobody listens, or nobody reads, changes go on, the end of the run
// does not wait, an operator is warned, and a later run delivers what no socket had taken.
func TestUnreachable(t *testing.T) {
	for name, listen := range map[string]func(l net.Listener) (stop func()){
		"nobody listens": func(l net.Listener) func() { _ = l.Close(); return func() {} },
		"nobody reads":   func(l net.Listener) func() { return func() { _ = l.Close() } },
	} {
		t.Run(name, func(t *testing.T) {
			silent, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			address := silent.Addr().String()
			stop := listen(silent)
			dir := filepath.Join(t.TempDir(), "log")
			l := run(dir, mirror.Config{Syslog: "tcp://" + address})
			large := audit.Event{Operation: "write", Subject: "policy/p", Reason: strings.Repeat("x", 1<<20)}
			for range 20 { // more than the sockets hold
				if err := l.Note(t.Context(), large); err != nil {
					t.Fatal(err)
				}
			}
			if name == "nobody listens" {
				eventually(t, "no warning", func() bool { return len(l.Warnings()) == 1 })
				if w := l.Warnings()[0]; !strings.Contains(w, address) || !strings.Contains(w, "connection refused") || !strings.Contains(w, "before record 0") {
					t.Error(w)
				}
			}
			ended := make(chan struct{})
			go func() { defer close(ended); end(t, l) }()
			select {
			case <-ended:
			case <-time.After(10 * time.Second):
				t.Fatal("the end of the run waits for the mirror")
			}
			stop()
			r := &receiver{t: t}
			listener, err := net.Listen("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			r.stream(listener)
			later := run(dir, mirror.Config{Syslog: "tcp://" + address})
			note(t, later, 1)
			want := records(t, dir)
			is := func(n int) bool { got := r.got(); return len(got) > 0 && got[len(got)-1].text == want[n] }
			eventually(t, "not all has come", func() bool { return is(len(want) - 1) })
			end(t, later)
			got := r.got()
			missing := len(want) - len(got) // what was in the sockets: nothing tells whether it was read
			if missing < 0 || missing > 0 && name == "nobody listens" || missing > 15 {
				t.Fatalf("%d of %d have come", len(got), len(want))
			}
			for n, m := range got {
				if m.text != want[missing+n] {
					t.Errorf("record %d is another one", missing+n)
				}
			}
		})
	}
}

// TestReceiverRestarts: a receiver that goes away and comes back misses nothing that came
// after it had gone.
func TestReceiverRestarts(t *testing.T) {
	r, to := receivers(t)["tcp"](t)
	dir := filepath.Join(t.TempDir(), "log")
	l := run(dir, to)
	note(t, l, 5)
	eventually(t, "nothing has come", func() bool { return len(r.got()) == 5 })
	r.hangUp()
	time.Sleep(50 * time.Millisecond) // the end of the connection arrives
	note(t, l, 5)
	eventually(t, "nothing comes after it was gone", func() bool { return len(r.got()) == 10 })
	end(t, l)
}

// TestFile: a file for a shipper has the lines of the log, whoever wrote them: of two runs at
// once neither repeats what the other has delivered.
func TestFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	to := mirror.Config{File: filepath.Join(t.TempDir(), "shipped")}
	a, b := run(dir, to), run(dir, to)
	var group sync.WaitGroup
	for _, l := range []*audit.Log{a, b} {
		group.Go(func() { note(t, l, 100) })
	}
	group.Wait()
	end(t, a)
	end(t, b)
	last := run(dir, to) // takes what is left
	note(t, last, 1)
	end(t, last)
	if got := shipped(t, to.File); !slices.Equal(got, records(t, dir)) {
		t.Errorf("%d lines of %d", len(got), len(records(t, dir)))
	}
}

// TestFileCannotBeWritten: it is a warning, and nothing of it stays.
func TestFileCannotBeWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	l := run(dir, mirror.Config{File: "/dev/full"})
	note(t, l, 1)
	eventually(t, "no warning", func() bool { return len(l.Warnings()) == 1 })
	end(t, l)
	if text, err := os.ReadFile(mirrorFile(t, dir)); err == nil && !bytes.Contains(text, []byte(`"next":0`)) {
		t.Errorf("%s", text)
	}
}

// TestNamedPipe: nobody waits for whoever reads a pipe, and nothing is written into one.
func TestNamedPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, read := range []bool{false, true} {
		dir := filepath.Join(t.TempDir(), "log")
		if read {
			reader, err := os.OpenFile(pipe, os.O_RDONLY|syscall.O_NONBLOCK, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = reader.Close() }()
		}
		l := run(dir, mirror.Config{File: pipe})
		note(t, l, 1)
		eventually(t, "no warning", func() bool { return len(l.Warnings()) == 1 })
		end(t, l)
		if got := strings.Contains(l.Warnings()[0], "named pipe"); got != read {
			t.Errorf("%q", l.Warnings())
		}
	}
}

// TestPositionLost: a mirror that does not know any more what it has delivered leaves nothing out.
func TestPositionLost(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	to := mirror.Config{File: filepath.Join(t.TempDir(), "shipped")}
	l := run(dir, to)
	note(t, l, 3)
	end(t, l)
	first := records(t, dir)
	if err := os.Truncate(mirrorFile(t, dir), 0); err != nil {
		t.Fatal(err)
	}
	l = run(dir, to)
	note(t, l, 2)
	end(t, l)
	if got, want := shipped(t, to.File), slices.Concat(first, records(t, dir)); !slices.Equal(got, want) || l.Warnings() != nil {
		t.Errorf("%d lines of %d, %q", len(got), len(want), l.Warnings())
	}
}

func mirrorFile(t *testing.T, dir string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "mirror-*.lock"))
	if err != nil || len(names) != 1 {
		t.Fatalf("%q, %v", names, err)
	}
	return strings.TrimSuffix(names[0], ".lock")
}

// TestRestarted: a log that was begun anew, or put back, is delivered from its first record on,
// however long it is by then, and an operator is told.
func TestRestarted(t *testing.T) {
	for name, again := range map[string]int{"shorter": 3, "as long": 10, "longer": 12} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "log")
			to := mirror.Config{File: filepath.Join(t.TempDir(), "shipped")}
			deliver := func() (warnings []string) {
				t.Helper()
				for range 10 { // the end of a run waits a moment only
					m := mirror.New(mirror.Config{Directory: dir, File: to.File})
					m.Poke(int64(len(records(t, dir))))
					m.Close(t.Context())
					warnings = append(warnings, m.Warnings()...)
				}
				return warnings
			}
			first := run(dir)
			note(t, first, 10)
			end(t, first)
			before := records(t, dir)
			if w := deliver(); w != nil {
				t.Errorf("%q", w)
			}
			for _, file := range []string{"records-000000000000.jsonl", "tree"} {
				if err := os.Remove(filepath.Join(dir, file)); err != nil {
					t.Fatal(err)
				}
			}
			second := run(dir)
			note(t, second, again)
			end(t, second)
			w := deliver()
			if want := append(before, records(t, dir)...); !slices.Equal(shipped(t, to.File), want) {
				t.Errorf("%d of %d records were delivered", len(shipped(t, to.File)), len(want))
			}
			if len(w) != 1 || !strings.Contains(w[0], "is not the one of which its mirror "+to.File+" was given 10 records") {
				t.Errorf("%q", w)
			}
		})
	}
}

// TestFileOfTheLog: whatever it is called, no file of the log is written to as a mirror, and none
// is made through a link.
func TestFileOfTheLog(t *testing.T) {
	for name, link := range map[string]func(dir, path string) error{
		"symbolic link": func(dir, path string) error {
			return os.Symlink(filepath.Join(dir, "records-000000000000.jsonl"), path)
		},
		"hard link":   func(dir, path string) error { return os.Link(filepath.Join(dir, "records-000000000000.jsonl"), path) },
		"checkpoints": func(dir, path string) error { return os.Symlink(filepath.Join(dir, "tree"), path) },
		"to nothing": func(dir, path string) error {
			return os.Symlink(filepath.Join(dir, "records-000000000999.jsonl"), path)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "log")
			l := run(dir)
			note(t, l, 10)
			end(t, l)
			before := records(t, dir)
			path := filepath.Join(t.TempDir(), "shipped")
			if err := link(dir, path); err != nil {
				t.Fatal(err)
			}
			m := mirror.New(mirror.Config{Directory: dir, File: path})
			m.Poke(10)
			eventually(t, "no warning", func() bool { return len(m.Warnings()) == 1 })
			m.Close(t.Context())
			if after := records(t, dir); !slices.Equal(after, before) {
				t.Errorf("there are %d records, and there were %d", len(after), len(before))
			}
			if files, err := filepath.Glob(filepath.Join(dir, "records-*")); err != nil || len(files) != 1 {
				t.Errorf("%q, %v", files, err)
			}
			if w := m.Warnings()[0]; !strings.Contains(w, path+" does not take its records") {
				t.Error(w)
			}
		})
	}
}
