package mirror_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/audit/mirror"
)

// message is what RFC 5424 makes of one.
type message struct {
	facility, severity                     int
	at, host, app, process, id, data, text string
}

// The grammar of RFC 5424, section 6, with the lengths that it allows.
var grammar = regexp.MustCompile(`^<(\d{1,3})>1 (-|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)) ([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) ` +
	`(-|(?:\[[!-~]{1,32}(?: [!-~]{1,32}="(?:[^"\\\]]|\\.)*")*\])+) `)

func parse(text []byte) (message, error) {
	f := grammar.FindSubmatch(text)
	if f == nil {
		return message{}, fmt.Errorf("no message of RFC 5424: %q", text)
	}
	priority, err := strconv.Atoi(string(f[1]))
	if err != nil || priority > 191 {
		return message{}, fmt.Errorf("priority %d: %w", priority, err)
	}
	return message{
		priority / 8, priority % 8, string(f[2]), string(f[3]), string(f[4]), string(f[5]), string(f[6]), string(f[7]), string(text[len(f[0]):]),
	}, nil
}

// receiver takes messages.
type receiver struct {
	t *testing.T

	mu       sync.Mutex
	messages []message
	conns    []net.Conn
}

func (r *receiver) got() []message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.messages)
}

func (r *receiver) take(text []byte) {
	m, err := parse(text)
	if err != nil {
		r.t.Error(err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.messages = append(r.messages, m)
}

// hangUp closes the connections that there are.
func (r *receiver) hangUp() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, conn := range r.conns {
		_ = conn.Close()
	}
	r.conns = nil
}

// stream takes messages with their length before them (RFC 6587).
func (r *receiver) stream(l net.Listener) {
	r.t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			r.mu.Lock()
			r.conns = append(r.conns, conn)
			r.mu.Unlock()
			go func() {
				in := bufio.NewReader(conn)
				for {
					digits, err := in.ReadString(' ')
					if err != nil {
						return
					}
					n, err := strconv.Atoi(digits[:len(digits)-1])
					if err != nil {
						r.t.Error(err)
						return
					}
					text := make([]byte, n)
					if _, err := io.ReadFull(in, text); err != nil {
						return // torn: what was on its way when the sender gave up
					}
					r.take(text)
				}
			}()
		}
	}()
}

func (r *receiver) datagrams(conn net.PacketConn) {
	r.t.Cleanup(func() { _ = conn.Close() })
	go func() {
		text := make([]byte, 1<<16)
		for {
			n, _, err := conn.ReadFrom(text)
			if err != nil {
				return
			}
			r.take(text[:n])
		}
	}()
}

// receivers start one of each kind.
func receivers(t *testing.T) map[string]func(t *testing.T) (*receiver, mirror.Config) {
	t.Helper()
	listen := func(t *testing.T, network, address string) net.Listener {
		t.Helper()
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	packets := func(t *testing.T, network, address string) net.PacketConn {
		t.Helper()
		conn, err := net.ListenPacket(network, address)
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	return map[string]func(t *testing.T) (*receiver, mirror.Config){
		"unix": func(t *testing.T) (*receiver, mirror.Config) {
			r, path := &receiver{t: t}, filepath.Join(t.TempDir(), "s")
			r.datagrams(packets(t, "unixgram", path))
			return r, mirror.Config{Syslog: "unix://" + path}
		},
		"unix stream": func(t *testing.T) (*receiver, mirror.Config) {
			r, path := &receiver{t: t}, filepath.Join(t.TempDir(), "s")
			r.stream(listen(t, "unix", path))
			return r, mirror.Config{Syslog: "unix://" + path}
		},
		"udp": func(t *testing.T) (*receiver, mirror.Config) {
			r, conn := &receiver{t: t}, packets(t, "udp", "127.0.0.1:0")
			r.datagrams(conn)
			return r, mirror.Config{Syslog: "udp://" + conn.LocalAddr().String()}
		},
		"tcp": func(t *testing.T) (*receiver, mirror.Config) {
			l := listen(t, "tcp", "127.0.0.1:0")
			r := &receiver{t: t}
			r.stream(l)
			return r, mirror.Config{Syslog: "tcp://" + l.Addr().String()}
		},
		"tls": func(t *testing.T) (*receiver, mirror.Config) {
			certificate, authorities := certify(t)
			r, l := &receiver{t: t}, listen(t, "tcp", "127.0.0.1:0")
			r.stream(tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}))
			return r, mirror.Config{Syslog: "tls://" + l.Addr().String(), Authorities: authorities}
		},
	}
}

// certify makes a certificate for 127.0.0.1, and a file that holds it.
func certify(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, name
}
