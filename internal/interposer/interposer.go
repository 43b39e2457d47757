//go:build unix

// Package interposer puts a PKCS#11 module between whoever loads it and another module,
// for tests: it counts calls, and makes chosen ones fail, wait or kill the process, with
// nothing of that in the program under test. It is steered through memory that it shares
// with the test, so that the test need not be in the same process.
package interposer

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

//go:embed module/interposer.c
var source string

// Module is an interposer of its own, in front of one module.
type Module struct {
	Path    string // of the library to load
	control *control
}

// control is struct control of module/interposer.c.
type control struct {
	counted, from, times, action, value, acted, actedOn, wait, lockAt, wrong, remote, most, lasting atomic.Uint64

	isCounted, calls [len(names)]atomic.Uint64
}

// Action is what happens to a call.
type Action uint64

// The actions. What fails before has done nothing, what fails after has been carried out
// and says nevertheless that it failed.
const (
	KillBefore Action = iota + 1
	KillAfter
	FailBefore
	FailAfter
)

// String says what the action does.
func (a Action) String() string {
	return [...]string{"nothing", "killed before", "killed after", "failed and did nothing", "did it and failed"}[a]
}

// New builds an interposer in front of the module at a path. It counts no function yet.
func New(tb testing.TB, path string) *Module {
	tb.Helper()
	dir := tb.TempDir()
	m := &Module{Path: filepath.Join(dir, "interposer.so")}
	shared := filepath.Join(dir, "control")
	if err := os.WriteFile(shared, make([]byte, unsafe.Sizeof(control{})), 0o600); err != nil {
		tb.Fatal(err)
	}
	m.build(tb, dir, path, shared)
	m.control = share(tb, shared)
	return m
}

func (m *Module) build(tb testing.TB, dir, path, shared string) {
	tb.Helper()
	code := filepath.Join(dir, "interposer.c")
	if err := os.WriteFile(code, []byte(source), 0o600); err != nil {
		tb.Fatal(err)
	}
	cc := exec.Command("cc", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-cast-function-type", "-shared", "-fPIC", "-fvisibility=hidden",
		fmt.Sprintf("-DREAL=%q", path), fmt.Sprintf("-DCONTROL=%q", shared), "-o", m.Path, code, "-ldl")
	if out, err := cc.CombinedOutput(); err != nil {
		tb.Fatalf("cc: %v\n%s\nA C compiler is needed: run `make tools`.", err, out)
	}
}

// share maps a file into memory.
func share(tb testing.TB, path string) *control {
	tb.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	size := int(unsafe.Sizeof(control{}))
	memory, err := syscall.Mmap(int(file.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		tb.Fatal(err)
	}
	// Not unmapped: the module may still be loaded when the test ends.
	return (*control)(unsafe.Pointer(&memory[0])) //nolint:gosec // G103: memory that C writes to as well
}

// Count counts all functions but those that only load a module, and starts from 0.
func (m *Module) Count() {
	m.count(0, func(f Function) bool { return !slices.Contains(loading, f) })
}

// CountWrites counts, from 0, the calls that make, change or destroy an object which
// outlives its session.
func (m *Module) CountWrites() {
	m.count(1, func(f Function) bool { return slices.Contains(writes, f) })
}

func (m *Module) count(lasting uint64, which func(Function) bool) {
	m.Behave()
	m.control.lasting.Store(lasting)
	for f := range names {
		var on uint64
		if which(Function(f)) {
			on = 1
		}
		m.control.isCounted[f].Store(on)
		m.control.calls[f].Store(0)
	}
	m.control.counted.Store(0)
	m.control.most.Store(0)
}

// Counted is how many calls were counted.
func (m *Module) Counted() int { return int(m.control.counted.Load()) }

// Calls is how often a function was called since counting began.
func (m *Module) Calls(f Function) int { return int(m.control.calls[f].Load()) }

// Act acts on the n-th counted call from now, from 1, and on those that follow, so many
// in all. value is the CKR_… that a failing call returns.
func (m *Module) Act(a Action, n, times int, value uint) {
	c := m.control
	c.from.Store(0)
	c.action.Store(uint64(a))
	c.times.Store(uint64(times))
	c.value.Store(uint64(value))
	c.acted.Store(0)
	c.actedOn.Store(0)
	c.from.Store(c.counted.Load() + uint64(n))
}

// Acted is how often Act has taken effect, and on which function first.
func (m *Module) Acted() (times int, first Function) {
	return int(m.control.acted.Load()), Function(m.control.actedOn.Load()) - 1
}

// Behave ends all misbehaviour but the PIN's lock.
func (m *Module) Behave() {
	m.control.from.Store(0)
	m.control.wait.Store(0)
}

// Delay makes each counted call take longer. Calls that overlap wait at the same time.
func (m *Module) Delay(by time.Duration) { m.control.wait.Store(uint64(by.Microseconds())) }

// Remote makes the module pass for one of an HSM in the network: it is thread-safe, and
// nobody can tell by its manufacturer which one is behind it.
func (m *Module) Remote() { m.control.remote.Store(1) }

// Overlapped is how many calls were delayed at the same time, at most.
func (m *Module) Overlapped() int { return int(m.control.most.Load()) }

// LockPIN makes the token lock its user PIN at the so-manieth wrong one in a row, and say
// so in its flags beforehand. wrong is how many were tried already.
func (m *Module) LockPIN(at, wrong int) {
	m.control.lockAt.Store(uint64(at))
	m.control.wrong.Store(uint64(wrong))
}

// WrongPINs is how many wrong PINs were tried in a row.
func (m *Module) WrongPINs() int { return int(m.control.wrong.Load()) }
