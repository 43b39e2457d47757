package cryptoki

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"os"
	"path/filepath"
	"time"
)

// turnstile lets the processes of one host write to a token one after the other, and
// tells each whether another one has written since it looked at the token last.
//
// SoftHSM's file store needs it. A process learns of objects that others made by a
// counter on the disk, which every write raises and every writer takes for the state of
// its own knowledge. So whoever writes without having looked at what was written just
// before is blind to that, not for milliseconds but until somebody else writes again: of
// two runs that record one name, both see themselves alone. Writing one after the
// other, and looking before writing, leaves nothing to be blind to.
//
// It is a file with a counter, locked while it is read and raised. What is killed lets
// go of it. Without it (another host, no place for the file) the provider works as
// before, and looks before each write.
type turnstile struct {
	path    string
	counted uint64 // the counter as of the last write of this attachment
	known   bool   // counted means something
}

// newTurnstile returns the turnstile of a token. All processes of the host have to find
// the same file, whoever runs them. Tokens share 256 of them, so that no more are ever
// left behind: whoever shares one with another token looks or waits in vain at times.
func newTurnstile(i tokenInfo) *turnstile {
	name := sha256.Sum256([]byte(i.Manufacturer + "\x00" + i.Model + "\x00" + i.Serial))
	return &turnstile{path: filepath.Join(os.TempDir(), "terraform-provider-hsm-"+hex.EncodeToString(name[:1])+".lock")}
}

const (
	// A write takes milliseconds. Whoever is stopped while it writes does not keep the
	// others waiting for longer than this.
	turnstilePatience = 5 * time.Second
	turnstilePause    = time.Millisecond
)

// pass writes, alone on this host, after a look at the token if there is something that
// was not seen yet. The gate of the module is held.
func (s *turnstile) pass(ctx context.Context, look, write func() error) error {
	file, err := openShared(s.path)
	if err != nil {
		return s.unguarded(look, write)
	}
	defer func() { _ = file.Close() }() // and with it the lock
	for waited := time.Duration(0); ; waited += turnstilePause {
		if err := lockFile(file); err == nil {
			break
		}
		if waited >= turnstilePatience {
			return s.unguarded(look, write)
		}
		if err := sleep(ctx, turnstilePause); err != nil {
			return err
		}
	}
	var raw [8]byte
	_, _ = file.ReadAt(raw[:], 0) // a new file is empty
	now := binary.BigEndian.Uint64(raw[:])
	if !s.known || now != s.counted {
		if err := look(); err != nil {
			return err
		}
	}
	binary.BigEndian.PutUint64(raw[:], now+1)
	if _, err := file.WriteAt(raw[:], 0); err != nil { // the others would not know of this write
		return s.unguarded(look, write)
	}
	s.counted, s.known = now+1, true
	return write()
}

func (s *turnstile) unguarded(look, write func() error) error {
	s.known = false
	if err := look(); err != nil {
		return err
	}
	return write()
}

// inTurn is a write of an attachment, in its turn where the token needs that. What is
// looked for is nothing: that it is looked for makes the token read what is there.
func (a *attachment) inTurn(ctx context.Context, d driver, write func() error) error {
	if a.turnstile == nil {
		return write()
	}
	return a.turnstile.pass(ctx, func() error {
		_, err := d.FindObjects(a.held, []Attribute{Ulong(CKA_CLASS, CKO_DOMAIN_PARAMETERS)})
		return err
	}, write)
}
