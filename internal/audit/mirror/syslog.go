package mirror

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/audit"
)

// syslog is a connection to a receiver. In a stream each message has its length before it
// (RFC 6587, section 3.4.1; RFC 5425); a datagram is one message (RFC 5426).
type syslog struct {
	conn   net.Conn
	stream bool
	gone   chan struct{} // closed when the receiver has ended a stream
}

// dial connects to a receiver.
func dial(ctx context.Context, receiver, authorities string) (sink, error) {
	u, err := url.Parse(receiver)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	switch u.Scheme {
	case "unix":
		conn, err := d.DialContext(ctx, "unixgram", u.Path)
		if err == nil {
			return &syslog{conn: conn}, nil
		}
		if !errors.Is(err, syscall.EPROTOTYPE) { // a socket of another type
			return nil, err
		}
		conn, err = d.DialContext(ctx, "unix", u.Path)
		return newStream(conn, err)
	case "udp":
		conn, err := d.DialContext(ctx, "udp", address(u, "514"))
		if err != nil {
			return nil, err
		}
		return &syslog{conn: conn}, nil
	case "tcp":
		conn, err := d.DialContext(ctx, "tcp", address(u, "601"))
		return newStream(conn, err)
	}
	settings := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: u.Hostname()}
	if authorities != "" {
		text, err := os.ReadFile(authorities)
		if err != nil {
			return nil, err
		}
		settings.RootCAs = x509.NewCertPool()
		if !settings.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s holds no certificate", authorities)
		}
	}
	secure := tls.Dialer{Config: settings}
	conn, err := secure.DialContext(ctx, "tcp", address(u, "6514"))
	return newStream(conn, err)
}

func address(u *url.URL, port string) string {
	if u.Port() != "" {
		port = u.Port()
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// newStream watches the other end: what is written to a stream that is closed there gets
// lost without an error.
func newStream(conn net.Conn, err error) (sink, error) {
	if err != nil {
		return nil, err
	}
	s := &syslog{conn: conn, stream: true, gone: make(chan struct{})}
	go func() {
		_, _ = io.Copy(io.Discard, conn)
		close(s.gone)
	}()
	return s, nil
}

// send sends a message for each record.
func (s *syslog) send(ctx context.Context, entries []entry) error {
	stop := context.AfterFunc(ctx, func() { _ = s.conn.SetDeadline(time.Unix(1, 0)) }) // whoever never reads
	defer stop()
	if !s.stream {
		for _, e := range entries {
			text := message(e, e.line)
			_, err := s.conn.Write(text)
			if errors.Is(err, syscall.EMSGSIZE) {
				_, err = s.conn.Write(message(e, tooLong(e)))
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	select {
	case <-s.gone:
		return errors.New("the receiver has closed the connection")
	default:
	}
	var text []byte
	for _, e := range entries {
		m := message(e, e.line)
		text = append(append(strconv.AppendInt(text, int64(len(m)), 10), ' '), m...)
	}
	_, err := s.conn.Write(text)
	return err
}

func (s *syslog) close() { _ = s.conn.Close() }

// tooLong stands for a record that no datagram can hold.
func tooLong(e entry) []byte {
	return fmt.Appendf(nil, "Record %d is too long for a datagram. It has %d bytes; their SHA-256 is %x.", e.index, len(e.line), sha256.Sum256(e.line))
}

// The facility "log audit" (13), with the severities warning and informational.
const (
	facility      = 13 * 8
	warning       = 4
	informational = 6
)

// message is a record by RFC 5424. The sequence is the record's number, from 1.
func message(e entry, text []byte) []byte {
	severity, at, host, process, kind := informational, "-", "-", "-", "-"
	if event, err := audit.Decode(e.line); err == nil { // otherwise it says nothing of itself
		if event.Failure != nil {
			severity = warning
		}
		at = event.Time.UTC().Format("2006-01-02T15:04:05.000000Z")
		host, kind = word(event.Host, 255), word(string(event.Phase), 32)
		if event.PID != 0 {
			process = strconv.Itoa(event.PID)
		}
	}
	head := fmt.Sprintf(`<%d>1 %s %s terraform-provider-hsm %s %s [meta sequenceId="%d"] `, facility+severity, at, host, process, kind, e.index%(1<<31-1)+1)
	return append([]byte(head), text...)
}

// word is a text as a header can hold it: of printable ASCII without spaces, and not empty.
func word(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '_'
		}
		return r
	}, text)
	if text == "" {
		return "-"
	}
	return text[:min(len(text), most)]
}
