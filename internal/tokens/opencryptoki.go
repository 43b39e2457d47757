package tokens

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

const openCryptokiPackages = "opencryptoki"

// Where openCryptoki keeps things. The paths are compiled in; see Main for why they
// are nobody's but the test's.
const (
	ockConf   = "/etc/opencryptoki/opencryptoki.conf"
	ockStore  = "/var/lib/opencryptoki/swtok"
	ockLocks  = "/run/lock/opencryptoki"
	ockSocket = "/run/pkcsslotd.socket"
)

// startOpenCryptoki starts its slot daemon with the software token alone.
func startOpenCryptoki(tb testing.TB) *Token {
	tb.Helper()
	if !isPrivate() {
		tb.Fatalf("openCryptoki's paths are the machine's own here: the package of this test must run through tokens.Main, with %s=%s", variable, OpenCryptoki)
	}
	const pin, officer = "12341234", "56785678" // eight characters at most
	slotDaemon := program(tb, openCryptokiPackages, "pkcsslotd")
	for _, dir := range []string{ockStore, ockLocks} {
		if err := os.RemoveAll(dir); err != nil {
			tb.Fatal(err)
		}
	}
	for _, dir := range []string{filepath.Join(ockStore, "TOK_OBJ"), filepath.Join(ockLocks, "swtok")} {
		if err := os.MkdirAll(dir, 0o770); err != nil {
			tb.Fatal(err)
		}
	}
	daemon(tb, exec.Command(slotDaemon, "-f"), isSocket(ockSocket))
	tb.Cleanup(func() { _ = os.Remove(ockSocket) })
	t := &Token{
		Kind: OpenCryptoki, Module: library(tb, openCryptokiPackages, "pkcs11/libopencryptoki.so", "opencryptoki/libopencryptoki.so", "opencryptoki/libopencryptoki.so.0"),
		Label: label, Serial: "123", PIN: pin,
	}
	const delivered = "87654321" // the officer's PIN of a new token
	run(tb, openCryptokiPackages, []byte(label+"\n"), "pkcsconf", "-I", "-c", "0", "-S", delivered)
	run(tb, openCryptokiPackages, nil, "pkcsconf", "-P", "-c", "0", "-S", delivered, "-n", officer)
	run(tb, openCryptokiPackages, nil, "pkcsconf", "-u", "-c", "0", "-S", officer, "-n", pin)
	return t
}
