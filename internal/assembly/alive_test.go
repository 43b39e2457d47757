package assembly

import (
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

func TestAlive(t *testing.T) {
	ended := exec.Command("true")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	zombie := exec.Command("true")
	if err := zombie.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = zombie.Wait() }()
	for end := time.Now().Add(10 * time.Second); !exited(zombie.Process.Pid) && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	for name, tc := range map[string]struct {
		work keyring.Work
		want bool
	}{
		"another host cannot be asked":       {keyring.Work{Host: "elsewhere", PID: ended.Process.Pid}, true},
		"a process that runs":                {keyring.Work{Host: "here", PID: os.Getppid()}, true},
		"a process that has ended":           {keyring.Work{Host: "here", PID: ended.Process.Pid}, false},
		"one that nobody has waited for":     {keyring.Work{Host: "here", PID: zombie.Process.Pid}, runtime.GOOS != "linux"},
		"an earlier service of this process": {keyring.Work{Host: "here", PID: os.Getpid()}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := alive("here")(tc.work); got != tc.want {
				t.Errorf("alive = %v, want %v", got, tc.want)
			}
		})
	}
}
