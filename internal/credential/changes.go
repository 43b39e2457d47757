package credential

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/keystead/terraform-provider-hsm/internal/history"
)

// changes tells in words what a spec asks otherwise than the one before. What another public
// key or algorithm leads to, and a revocation, the history tells by itself.
func (s Spec) changes(was Spec) string {
	var c history.Changes
	c.Flag("enabled", was.Enabled, s.Enabled)
	c.List("recipients", fingerprints(was.Recipients), fingerprints(s.Recipients))
	c.Value("owner", was.Owner, s.Owner)
	c.Value("expires_at", at(was.ExpiresAt), at(s.ExpiresAt))
	c.Value("valid_for", duration(was.ValidFor), duration(s.ValidFor))
	c.Value("rotate_every", duration(was.RotateEvery), duration(s.RotateEvery))
	c.Value("overlap", duration(was.Overlap), duration(s.Overlap))
	c.Value("algorithm", string(was.Algorithm), string(s.Algorithm))
	c.Names("rotate_when_changed", was.RotateWhenChanged, s.RotateWhenChanged)
	c.Names("tags", was.Tags, s.Tags)
	return c.String()
}

// fingerprints names recipients: an SSH key as `ssh-keygen -l` does, an age1… as it is, and one
// that is too long for that by its SHA-256.
func fingerprints(recipients []string) (list []string) {
	for _, text := range recipients {
		_, canonical, err := parseRecipient(text)
		if err != nil { // of an older record; whatever it is, it is not repeated
			canonical = text
		}
		sum := sha256.Sum256([]byte(canonical))
		name := "SHA-256=" + hex.EncodeToString(sum[:])
		if key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(canonical)); err == nil {
			name = ssh.FingerprintSHA256(key)
		} else if err := ParseRecipient(text); err == nil && len(canonical) < len(name) {
			name = canonical
		}
		list = append(list, name)
	}
	return list
}

func at(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func duration(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}
