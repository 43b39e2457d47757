package audit_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/audit"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// TestMain runs the tests or, started by one of them, a process that writes to a log.
func TestMain(m *testing.M) {
	if os.Getenv("AUDIT_WRITER") != "" {
		write()
		return
	}
	os.Exit(m.Run())
}

// write appends from several goroutines until it is killed, and prints each operation as
// soon as its outcome was acknowledged, or why one was refused.
func write() {
	seed, err := hex.DecodeString(os.Getenv("AUDIT_SEED"))
	if err != nil {
		panic(err)
	}
	if limit := os.Getenv("AUDIT_LIMIT"); limit != "" {
		// No file may grow any more: as on a disk that is full, and without a disk of one's own.
		signal.Ignore(syscall.SIGXFSZ)
		n, err := strconv.ParseUint(limit, 10, 64)
		if err != nil || syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: n, Max: n}) != nil {
			panic("no limit")
		}
	}
	l := audit.New(audit.Config{
		Open: func(torn func(int64, string) ([]byte, error)) (audit.Store, error) {
			return audit.OpenDirectory(os.Getenv("AUDIT_WRITER"), torn)
		},
		Signer: &pen{keys: []crypto.Signer{ed25519.NewKeyFromSeed(seed)}, there: true}, Serial: func(context.Context) (string, error) { return "4711", nil },
		Running:     func(e audit.Event) bool { return syscall.Kill(e.PID, 0) == nil },
		Environment: "prod", Actor: "ada@build", Run: fmt.Sprint(os.Getpid()), Host: "h", PID: os.Getpid(), Now: time.Now,
	})
	var group sync.WaitGroup
	for writer := range 8 {
		group.Go(func() {
			for n := 0; ; n++ {
				name := fmt.Sprintf("%d.%d.%d", os.Getpid(), writer, n)
				operation, err := l.Begin(context.Background(), audit.Event{Operation: "rotate", Subject: "key/orders", Reason: name})
				if err != nil {
					fmt.Println("refused " + fault.KindOf(err).String() + ": " + err.Error()) //nolint:forbidigo // it is for the test
					return
				}
				operation.End(context.Background(), nil)
				if w := l.Warnings(); len(w) > 0 && os.Getenv("AUDIT_LIMIT") != "" {
					fmt.Println("warned " + strings.Join(w, " "))
					return
				}
				fmt.Println("done " + name)
			}
		})
	}
	group.Wait()
}

// writer starts a process that writes.
func (d *desk) writer(limit string) (*exec.Cmd, *bytes.Buffer) {
	d.tb.Helper()
	key, ok := d.pen.keys[0].(ed25519.PrivateKey)
	if !ok {
		d.tb.Fatal("no seed")
	}
	var out bytes.Buffer
	cmd := exec.Command(os.Args[0]) //nolint:gosec // G702: it is this test itself
	cmd.Env = append(os.Environ(), "AUDIT_WRITER="+d.dir, "AUDIT_SEED="+hex.EncodeToString(key.Seed()), "AUDIT_LIMIT="+limit)
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Start(); err != nil {
		d.tb.Fatal(err)
	}
	return cmd, &out
}

// acknowledged lists what a process printed, but for a line that it was killed in.
func acknowledged(out *bytes.Buffer) (names []string) {
	for s := bufio.NewScanner(bytes.NewReader(out.Bytes()[:bytes.LastIndexByte(out.Bytes(), '\n')+1])); s.Scan(); {
		if name, ok := strings.CutPrefix(s.Text(), "done "); ok {
			names = append(names, name)
		}
	}
	return names
}

// outcomes counts the records of outcomes by the name of the operation.
func (d *desk) outcomes() map[string]int {
	d.tb.Helper()
	view, err := audit.OpenView(d.dir)
	if err != nil {
		d.tb.Fatal(err)
	}
	found, unreadable, err := audit.Select(view, audit.Query{})
	if err != nil || unreadable != nil {
		d.tb.Fatal(err)
	}
	counts := map[string]int{}
	for _, f := range found {
		if f.Event.Phase == audit.Outcome && f.Event.Failure == nil {
			counts[f.Event.Reason]++
		}
	}
	return counts
}

// TestKilled kills processes while they write, two at a time, and holds the log to what
// they had acknowledged. The long form, which takes half a minute, is part of `make torture`.
func TestKilled(t *testing.T) {
	kills, seed := 40, uint64(time.Now().UnixNano())
	if os.Getenv("TORTURE") != "" {
		kills = 500
	}
	if text := os.Getenv("TORTURE_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("TORTURE_SEED=%d", seed)
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // G404: any time will do
	d := newDesk(t)
	d.fill(1) // so that the log's key is known
	var told []string
	for n := 0; n < kills; n += 2 {
		a, fromA := d.writer("")
		b, fromB := d.writer("")
		for _, cmd := range []*exec.Cmd{a, b} {
			time.Sleep(time.Duration(5+random.IntN(60)) * time.Millisecond)
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
		told = append(told, append(acknowledged(fromA), acknowledged(fromB)...)...)
	}
	l := d.log() // closes what they left
	d.write(l, "key/orders", 2, nil)
	d.close(l)
	outcomes := d.outcomes()
	lost, twice := 0, 0
	for _, name := range told {
		switch outcomes[name] {
		case 0:
			lost++
		case 1:
		default:
			twice++
		}
	}
	summary, problems := d.verify()
	t.Logf("%d kills, %d operations acknowledged, %d records, %d checkpoints, %d interrupted", kills, len(told), summary.Records, summary.Checkpoints, len(summary.Interrupted))
	if lost+twice > 0 || len(problems) > 0 || len(told) < kills {
		t.Errorf("%d lost, %d there twice; %q", lost, twice, problems[:min(len(problems), 5)])
	}
	verdict := "0 violations"
	if t.Failed() {
		verdict = "VIOLATIONS"
	}
	fmt.Printf("torture: kills of writers to the audit log: %d cases, %d operations acknowledged and none of them lost, %s\n", kills, len(told), verdict) //nolint:forbidigo // read by tools/torture.sh
}

// TestFullDisk: what cannot be written is refused, and leaves nothing behind.
func TestFullDisk(t *testing.T) {
	for _, more := range []int64{0, 1, 100, 700, 2000, 20_000} {
		t.Run(fmt.Sprint(more), func(t *testing.T) {
			d := newDesk(t)
			d.fill(20)
			info, err := os.Stat(d.segment())
			if err != nil {
				t.Fatal(err)
			}
			cmd, out := d.writer(fmt.Sprint(info.Size() + more))
			if err := cmd.Wait(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if !strings.Contains(out.String(), "refused "+fault.Exhausted.String()) && !strings.Contains(out.String(), "warned ") {
				t.Errorf("it says %s", out)
			}
			outcomes := d.outcomes()
			for _, name := range acknowledged(out) {
				if outcomes[name] != 1 {
					t.Errorf("%s was acknowledged", name)
				}
			}
			l := d.log() // now there is room again
			d.write(l, "key/orders", 21, nil)
			d.close(l)
			if _, problems := d.verify(); len(problems) > 0 {
				t.Errorf("%q", problems)
			}
		})
	}
}

// TestTorn: what a kill left of a line is taken away, and a record says so.
func TestTorn(t *testing.T) {
	d := newDesk(t)
	d.fill(2)
	file, err := os.OpenFile(d.segment(), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(`{"time":17`); err != nil {
		t.Fatal(err)
	}
	_ = file.Close()
	l := d.log()
	d.write(l, "key/orders", 3, nil)
	d.close(l)
	if text, err := os.ReadFile(filepath.Join(d.dir, "torn-000000000004")); err != nil || string(text) != `{"time":17` {
		t.Errorf("put aside is %q, %v", text, err)
	}
	if lines := d.lines(); len(lines) != 7 || !strings.Contains(lines[4], `"torn_bytes":10`) || !strings.Contains(lines[4], "close torn record") {
		t.Errorf("%q", lines)
	}
	if _, problems := d.verify(); problems != nil {
		t.Errorf("%q", problems)
	}
}

// TestTornSince: a line that was whole once, by its hash or by a checkpoint, was not left by a
// kill. Its bytes stay, and nothing is done under such a log.
func TestTornSince(t *testing.T) {
	for name, by := range map[string]struct {
		bytes string
		files []string
	}{
		"in the middle, by both":           {bytes: `"}}`},
		"its newline, by both":             {bytes: ""},
		"in the middle, by the tree":       {bytes: `"}}`, files: []string{"checkpoint", "checkpoints"}},
		"its newline, by the tree":         {bytes: "", files: []string{"checkpoint", "checkpoints"}},
		"in the middle, by the checkpoint": {bytes: `"}}`, files: []string{"tree"}},
		"its newline, by the checkpoint":   {bytes: "", files: []string{"tree"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.fill(3)
			for _, file := range by.files {
				if err := os.Remove(filepath.Join(d.dir, file)); err != nil {
					t.Fatal(err)
				}
			}
			info, err := os.Stat(d.segment())
			if err != nil {
				t.Fatal(err)
			}
			left := info.Size() - 1 - int64(len(by.bytes))
			if err := os.Truncate(d.segment(), left); err != nil {
				t.Fatal(err)
			}
			if _, problems := d.verify(); len(problems) == 0 || !strings.HasPrefix(problems[0], "5: it is missing") {
				t.Errorf("%q", problems)
			}
			d.refused("Record 5 was cut off after it had been written")
			d.discloses(false)
			if info, err := os.Stat(d.segment()); err != nil || info.Size() != left {
				t.Errorf("%d bytes are %+v, %v", left, info, err)
			}
		})
	}
}

// TestTreeSpoilt: the file of hashes is told from the records by what was signed.
func TestTreeSpoilt(t *testing.T) {
	for name, spoil := range map[string]func(tree []byte) []byte{
		"random bytes":   func(tree []byte) []byte { return bytes.Repeat([]byte("x"), len(tree)) },
		"a leaf":         func(tree []byte) []byte { tree[5]++; return tree },
		"an inner hash":  func(tree []byte) []byte { tree[2*32+5]++; return tree },
		"more than ever": func(tree []byte) []byte { return bytes.Repeat([]byte("x"), 1<<15) },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.fill(7)
			tree := filepath.Join(d.dir, "tree")
			text, err := os.ReadFile(tree)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(tree, spoil(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, problems := d.verify(); len(problems) != 1 || !strings.HasPrefix(problems[0], "-1: the file tree is wrong") {
				t.Errorf("%q", problems)
			}
			if name != "an inner hash" { // which no change needs
				d.refused("file tree")
			}
			if err := os.Remove(tree); err != nil {
				t.Fatal(err)
			}
			l := d.log()
			d.write(l, "key/orders", 8, nil)
			d.close(l)
			if _, problems := d.verify(); problems != nil {
				t.Errorf("%q", problems)
			}
		})
	}
}

// TestTakenAway: whatever is done to the files while they are open, or between two runs,
// keeps the next change from being made.
func TestTakenAway(t *testing.T) {
	for name, take := range map[string]func(d *desk) error{
		"truncated": func(d *desk) error { return os.Truncate(d.segment(), 100) },
		"removed":   func(d *desk) error { return os.Remove(d.segment()) },
		"emptied":   func(d *desk) error { return os.Truncate(d.segment(), 0) },
		"replaced": func(d *desk) error {
			text, err := os.ReadFile(d.segment())
			if err == nil {
				err = os.Remove(d.segment())
			}
			if err == nil {
				err = os.WriteFile(d.segment(), bytes.Replace(text, []byte("ada@build"), []byte("eve@build"), 1), 0o600)
			}
			return err
		},
		"lock removed": func(d *desk) error { return os.Remove(filepath.Join(d.dir, "lock")) },
		"all removed":  func(d *desk) error { return os.RemoveAll(d.dir) },
		"all removed, and an empty directory made": func(d *desk) error {
			return errors.Join(os.RemoveAll(d.dir), os.Mkdir(d.dir, 0o700))
		},
		"all removed, and something refused since": func(d *desk) error {
			err := os.RemoveAll(d.dir)
			l := d.log()
			return errors.Join(err, l.Note(d.tb.Context(), audit.Event{Operation: "log in", Subject: "token"}), l.Close(d.tb.Context()))
		},
	} {
		t.Run("while open: "+name, func(t *testing.T) {
			d := newDesk(t)
			d.fill(3)
			l := d.log()
			d.write(l, "key/orders", 4, nil)
			if err := take(d); err != nil {
				t.Fatal(err)
			}
			if _, err := l.Begin(t.Context(), audit.Event{Operation: "rotate", Subject: "key/orders"}); !fault.Is(err, fault.Inconsistent) {
				t.Errorf("the next change: %v", err)
			}
			_ = l.Close(t.Context())
		})
		if name != "lock removed" { // by then it is another lock
			t.Run("between two runs: "+name, func(t *testing.T) { betweenRuns(t, take) })
		}
	}
	for name, take := range map[string]func(d *desk) error{ // which the next run notices, by what was signed
		"checkpoints removed": func(d *desk) error { return os.Remove(filepath.Join(d.dir, "checkpoints")) },
		"changed, and the tree made to go with it": func(d *desk) error {
			lines := d.lines()
			lines[1] = strings.Replace(lines[1], "ada@build", "eve@build", 1)
			d.setLines(lines)
			return os.Remove(filepath.Join(d.dir, "tree"))
		},
	} {
		t.Run("between two runs: "+name, func(t *testing.T) { betweenRuns(t, take) })
	}
}

func betweenRuns(t *testing.T, take func(d *desk) error) {
	t.Helper()
	d := newDesk(t)
	d.fill(3)
	if err := take(d); err != nil {
		t.Fatal(err)
	}
	l := d.log()
	if _, err := l.Begin(t.Context(), audit.Event{Operation: "rotate", Subject: "key/orders"}); !fault.Is(err, fault.Inconsistent) {
		t.Errorf("the next change: %v", err)
	}
	_ = l.Close(t.Context())
}

// TestNoRecord: what others write into the files and is no record is refused before it is signed;
// from then on it would stay. One that is covered is for verify.
func TestNoRecord(t *testing.T) {
	for name, line := range map[string]string{"text": "garbage", "nothing": "", "another object": `{"class_uid":6002}`} {
		t.Run("between two runs: "+name, func(t *testing.T) {
			d := newDesk(t)
			d.fill(3)
			checkpoints, err := os.ReadFile(filepath.Join(d.dir, "checkpoints"))
			if err != nil {
				t.Fatal(err)
			}
			if err := appendTo(d.segment(), line+"\n"); err != nil {
				t.Fatal(err)
			}
			d.refused("Record 6 is none")
			d.discloses(false)
			if _, problems := d.verify(); len(problems) == 0 || !strings.HasPrefix(problems[0], "6: it cannot be read") {
				t.Errorf("%q", problems)
			}
			if after, err := os.ReadFile(filepath.Join(d.dir, "checkpoints")); err != nil || !bytes.Equal(after, checkpoints) {
				t.Errorf("%v, it was signed:\n%s", err, after)
			}
		})
		t.Run("while open: "+name, func(t *testing.T) {
			d := newDesk(t)
			d.fill(3)
			l := d.log()
			d.write(l, "key/orders", 4, nil)
			if err := appendTo(d.segment(), line+"\n"); err != nil {
				t.Fatal(err)
			}
			if _, err := l.Begin(t.Context(), audit.Event{Operation: "rotate", Subject: "key/orders"}); !fault.Is(err, fault.Inconsistent) {
				t.Errorf("the next change: %v", err)
			}
			_ = l.Close(t.Context())
		})
	}
	t.Run("in a segment before the last", func(t *testing.T) {
		d := newDesk(t)
		d.fill(3)
		if err := errors.Join(appendTo(d.segment(), "garbage\n"), os.Remove(filepath.Join(d.dir, "tree")),
			os.WriteFile(filepath.Join(d.dir, "records-000000000007.jsonl"), nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		d.refused("Record 6 is none")
	})
}

// TestTreeIsMadeAnew: the file of hashes is only a help.
func TestTreeIsMadeAnew(t *testing.T) {
	d := newDesk(t)
	d.fill(7)
	tree := filepath.Join(d.dir, "tree")
	for _, size := range []int64{0, 1, 32, 100, 600} {
		if err := os.Truncate(tree, size); err != nil {
			t.Fatal(err)
		}
		d.fill(1)
		if _, problems := d.verify(); len(problems) > 0 && !strings.Contains(problems[0], "repeats") {
			t.Errorf("%d: %q", size, problems)
		}
	}
}

// TestSegments: records go on in the next file, for those who have the log open too.
func TestSegments(t *testing.T) {
	dir := t.TempDir()
	open := func() *audit.Directory {
		d, err := audit.OpenDirectory(dir, torn)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	a, b := open(), open()
	long := strings.Repeat("x", 3<<19)
	names := "abcdefghijklmnopqrst"
	for n := range int64(20) {
		each := a
		if n%3 == 0 {
			each = b
		}
		line, err := audit.Encode(audit.Event{Operation: "log in", Subject: "token", Reason: long, Run: names[n : n+1], Phase: audit.Notice})
		if err != nil {
			t.Fatal(err)
		}
		if index, err := each.Append(line); err != nil || index != n {
			t.Fatalf("record %d is %d, %v", n, index, err)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "records-*"))
	if err != nil || len(files) != 4 {
		t.Errorf("%q, %v", files, err)
	}
	_, _ = a.Close(), b.Close()
	count := int64(0)
	if err := open().Lines(0, func(index int64, line []byte) bool {
		if e, err := audit.Decode(line); err != nil || index != count || e.Run != names[index:index+1] {
			t.Errorf("record %d is %d", index, count)
		}
		count++
		return true
	}); err != nil || count != 20 {
		t.Errorf("%d records, %v", count, err)
	}
	for name, spoil := range map[string]func() error{
		"the first is missing":    func() error { return os.Remove(files[0]) },
		"a file is missing":       func() error { return os.Remove(files[1]) },
		"the one before the last": func() error { return os.Remove(files[2]) },
		"a file was cut off":      func() error { return os.Truncate(files[1], 4<<20) },
		"a line more":             func() error { return appendTo(files[1], "{}\n") },
	} {
		t.Run(name, func(t *testing.T) {
			kept := t.TempDir()
			if err := os.CopyFS(kept, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			if err := spoil(); err != nil {
				t.Fatal(err)
			}
			if d, err := audit.OpenDirectory(dir, torn); !fault.Is(err, fault.Inconsistent) {
				t.Errorf("the next change: %v, %v", d, err)
			}
			if view, err := audit.OpenView(dir); err != nil {
				t.Error(err)
			} else if err := view.Lines(0, func(int64, []byte) bool { return true }); !fault.Is(err, fault.Inconsistent) {
				t.Errorf("to look at: %v", err)
			} else if first := "Records 0 to 5 are missing"; strings.Contains(err.Error(), first) != (name == "the first is missing") {
				t.Errorf("to look at: %v", err)
			}
			if err := errors.Join(os.RemoveAll(dir), os.CopyFS(dir, os.DirFS(kept))); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func appendTo(name, text string) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Close())
}
