package tokens

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

const nssPackages = "libnss3 libnss3-tools"

// startNSS makes an NSS database. Its module is told by parameters of C_Initialize
// where it is, and what to call the token.
func startNSS(tb testing.TB) *Token {
	tb.Helper()
	const pin = "1234-user"
	dir := scratch(tb)
	file := filepath.Join(dir, "pin")
	if err := os.WriteFile(file, []byte(pin+"\n"), 0o600); err != nil {
		tb.Fatal(err)
	}
	run(tb, nssPackages, nil, "certutil", "-N", "-d", "sql:"+dir, "-f", file)
	return &Token{
		Kind: NSS, Module: library(tb, nssPackages, "libsoftokn3.so", "nss/libsoftokn3.so"),
		Parameters: fmt.Sprintf("configdir='sql:%s' certPrefix='' keyPrefix='' secmod='secmod.db' dbTokenDescription='%s'", dir, label),
		Label:      label, Serial: "0000000000000000", PIN: pin,
	}
}
