package acceptance_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// TestAuditReadOnly: a log that cannot be written to, whole or in part, is told by the doctor.
func TestAuditReadOnly(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	a := newAudited(t, token, orders(token, "", schedule))
	a.apply()
	binary := buildBinary(t, "1")
	for _, c := range []struct{ name, mount, says string }{
		{"as it was", "true", ""},
		{"all of it", `mount -o bind,ro "$log" "$log"`, "read-only file system"},
		{"the records", `mount -o bind,ro "$log/records-000000000000.jsonl" "$log/records-000000000000.jsonl"`, "The last records cannot be opened."},
		{"the hashes", `mount -o bind,ro "$log/tree" "$log/tree"`, "The tree cannot be opened."},
		{"the directory, and no file in it", `mkdir "$log.rw"; mount -o bind "$log" "$log.rw"; mount -o bind,ro "$log" "$log"
for file in "$log.rw"/*; do mount -o bind "$file" "$log/${file##*/}"; done`, "The directory cannot be made, or not be written to."},
	} {
		t.Run(c.name, func(t *testing.T) {
			script := fmt.Sprintf("set -eu\nlog=%s\n%s\nexec \"$@\"", a.dir, c.mount)
			cmd := exec.Command("unshare", "-rm", "sh", "-c", script, "sh", binary, "doctor", "-module-path", token.Module, "-token-label", token.Label)
			cmd.Env = append(os.Environ(), "HSM_PIN="+softhsm.PIN, "HSM_AUDIT_DIRECTORY="+a.dir)
			text, err := cmd.CombinedOutput()
			out := strings.Join(strings.Fields(string(text)), " ")
			if c.says == "" {
				expect(t, out, "The audit log can be written, is whole, and goes with the token.")
				return
			}
			if err == nil {
				t.Error("the doctor finds nothing")
			}
			expect(t, out, "FAILED", c.says, "The provider could not work.")
			_ = os.Remove(a.dir + ".rw")
		})
	}
}
