package tokens

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

const tpmPackages = "swtpm tpm2-abrmd libtss2-tcti-tabrmd0 dbus libtpm2-pkcs11-1 opensc"

// startTPM starts a TPM 2.0 in software, and makes a token on it with tpm2-pkcs11,
// whose own store holds what a TPM has no room for.
//
// Between the two is a resource manager, as there is on every machine with a TPM: a
// TPM holds three keys at a time, and tpm2-pkcs11 does not put back what it has loaded.
// It is reached through a message bus, which is the test's own too.
func startTPM(tb testing.TB) *Token {
	tb.Helper()
	const pin, officer = "1234-user", "5678-officer"
	dir := scratch(tb)
	state, store := filepath.Join(dir, "tpm"), filepath.Join(dir, "store")
	for _, made := range []string{state, store} {
		if err := os.Mkdir(made, 0o700); err != nil {
			tb.Fatal(err)
		}
	}
	tpm, bus := filepath.Join(dir, "socket"), filepath.Join(dir, "bus")
	daemon(tb, exec.Command(program(tb, tpmPackages, "swtpm"), "socket", "--tpm2", "--tpmstate", "dir="+state,
		"--server", "type=unixio,path="+tpm, "--ctrl", "type=unixio,path="+tpm+".ctrl", "--flags", "not-need-init,startup-clear"), isSocket(tpm))
	daemon(tb, exec.Command(program(tb, tpmPackages, "dbus-daemon"), "--session", "--nofork", "--nopidfile", "--address=unix:path="+bus), isSocket(bus))
	tb.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+bus)
	daemon(tb, exec.Command(program(tb, tpmPackages, "tpm2-abrmd"), "--session", "--allow-root", "--tcti=swtpm:path="+tpm, "--max-transients=100"), func() bool {
		out, err := exec.Command(program(tb, tpmPackages, "dbus-send"), "--session", "--print-reply", "--dest=org.freedesktop.DBus",
			"/org/freedesktop/DBus", "org.freedesktop.DBus.NameHasOwner", "string:com.intel.tss2.Tabrmd").Output()
		return err == nil && bytes.Contains(out, []byte("true"))
	})
	tb.Setenv("TPM2_PKCS11_STORE", store)
	tb.Setenv("TPM2_PKCS11_TCTI", "tabrmd:bus_type=session")
	tb.Setenv("TPM2_PKCS11_LOG_LEVEL", "0") // it says much more, on standard error
	tb.Setenv("TSS2_LOG", "all+NONE")
	t := &Token{
		Kind: TPM, Module: library(tb, tpmPackages, "pkcs11/libtpm2_pkcs11.so", "libtpm2_pkcs11.so.1"),
		Label: label, Serial: "0000000000000000", PIN: pin,
	}
	run(tb, tpmPackages, nil, "pkcs11-tool", "--module", t.Module, "--slot-index", "0", "--init-token", "--so-pin", officer, "--label", label)
	run(tb, tpmPackages, nil, "pkcs11-tool", "--module", t.Module, "--token-label", label,
		"--login", "--login-type", "so", "--so-pin", officer, "--init-pin", "--pin", pin)
	return t
}
