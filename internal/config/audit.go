package config

import (
	"cmp"
	"fmt"
	"net/url"
	"path/filepath"
)

// Mirror is where the audit log is handed on to.
type Mirror struct {
	Syslog string // a URL; empty for a file
	File   string // absolute
	CAFile string // absolute; empty for the authorities that the system trusts
}

// resolveAudit completes what was written of the audit log.
func resolveAudit(in AuditInput, getenv func(string) string) (Audit, error) {
	dir := cmp.Or(in.Directory, getenv(envAudit))
	if dir == "" {
		if len(in.Mirrors) > 0 {
			return Audit{}, invalid("audit", "It has a mirror and no directory.", "Give the directory of the log, or set "+envAudit+": a mirror hands on what is in the log.")
		}
		return Audit{}, nil
	}
	directory, err := absolute(dir)
	if err != nil {
		return Audit{}, err
	}
	a := Audit{Directory: directory}
	known := map[string]bool{}
	for _, written := range in.Mirrors {
		m, err := written.resolve()
		if err != nil {
			return Audit{}, err
		}
		if inside(m.File, directory) {
			return Audit{}, invalid("audit", fmt.Sprintf("The mirror %s is in the directory of the log.", m.File), "Give a file elsewhere: who may read or rename the copy need not be able to touch the log.")
		}
		if known[m.Syslog+m.File] {
			return Audit{}, invalid("audit", fmt.Sprintf("There are two mirrors to %s.", m.Syslog+m.File), "Take one of them away.")
		}
		known[m.Syslog+m.File] = true
		a.Mirrors = append(a.Mirrors, m)
	}
	return a, nil
}

func (in MirrorInput) resolve() (m Mirror, err error) {
	if (in.Syslog == "") == (in.File == "") {
		return m, invalid("audit", "A mirror is either a syslog receiver or a file.", "Give exactly one of syslog and file.")
	}
	if in.File != "" {
		if in.CAFile != "" {
			return m, invalid("audit", "A mirror that is a file needs no ca_file.", "Take it away.")
		}
		m.File, err = absolute(in.File)
		return m, err
	}
	u, err := url.Parse(in.Syslog)
	var usable bool
	if err == nil {
		switch u.Scheme {
		case "unix":
			usable = u.Host == "" && filepath.IsAbs(u.Path)
		case "udp", "tcp", "tls":
			usable = u.Hostname() != "" && u.Path == ""
		}
		usable = usable && u.User == nil && u.RawQuery == "" && u.Fragment == ""
	}
	if !usable {
		return m, invalid("audit", fmt.Sprintf("%q is no syslog receiver.", in.Syslog), "Give it as unix:///dev/log, udp://host:514, tcp://host:601 or tls://host:6514.")
	}
	m.Syslog = in.Syslog
	if in.CAFile != "" {
		if u.Scheme != "tls" {
			return m, invalid("audit", "Only a mirror with tls:// takes a ca_file.", "Take it away, or use tls://.")
		}
		m.CAFile, err = absolute(in.CAFile)
	}
	return m, err
}

// inside reports whether a file, which there may not be, is somewhere below a directory.
func inside(file, directory string) bool {
	if file == "" {
		return false
	}
	below, err := filepath.Rel(directory, file)
	return err == nil && filepath.IsLocal(below)
}

func absolute(name string) (string, error) {
	full, err := filepath.Abs(name)
	if err != nil {
		return "", invalid("audit", fmt.Sprintf("%q cannot be found.", name), "Give an absolute path.")
	}
	return full, nil
}
