package audit_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/audit"
)

var noon = time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC)

// pen signs as the key in the HSM does.
type pen struct {
	mu    sync.Mutex
	keys  []crypto.Signer
	there bool // the first of the keys was made
	fails error
	next  crypto.Signer // the key after the last was lost
	made  int
	asked int // for its keys
}

func newEd25519(tb testing.TB) crypto.Signer {
	tb.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func newP256(tb testing.TB) crypto.Signer {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func (p *pen) Prepare(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.there = p.there || p.fails == nil
	return p.fails
}

func (p *pen) Check(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fails
}

func (p *pen) Renew(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys, p.fails = append(p.keys, p.next), nil
	return nil
}

func (p *pen) Sign(_ context.Context, message []byte) (audit.Key, []byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fails != nil {
		return audit.Key{}, nil, p.fails
	}
	p.made++
	key := p.keys[len(p.keys)-1]
	digest, options := message, crypto.SignerOpts(crypto.Hash(0))
	if _, ok := key.(*ecdsa.PrivateKey); ok {
		sum := sha256.Sum256(message)
		digest, options = sum[:], crypto.SHA256
	}
	signature, err := key.Sign(rand.Reader, digest, options)
	if err != nil {
		return audit.Key{}, nil, err
	}
	keys, err := p.all()
	return keys[len(keys)-1], signature, err
}

func (p *pen) Keys(context.Context) ([]audit.Key, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	if !p.there {
		return nil, nil
	}
	return p.all()
}

func (p *pen) all() ([]audit.Key, error) {
	var list []audit.Key
	for n, key := range p.keys {
		spki, err := x509.MarshalPKIXPublicKey(key.Public())
		if err != nil {
			return nil, err
		}
		list = append(list, audit.Key{Version: n + 1, SPKI: spki})
	}
	return list, nil
}

// desk is a directory with a log, and who signs it.
type desk struct {
	tb  testing.TB
	dir string
	pen *pen
	now time.Time
	// token is what is on it, by subject; nil if nobody asks.
	token map[string]audit.Event
}

func newDesk(tb testing.TB) *desk {
	tb.Helper()
	return &desk{tb: tb, dir: filepath.Join(tb.TempDir(), "log"), pen: &pen{keys: []crypto.Signer{newEd25519(tb)}}, now: noon}
}

func torn(size int64, digest string) ([]byte, error) {
	return audit.Encode(audit.Event{Operation: "close torn record", Subject: "log", Size: size, Digests: map[string]string{"torn": digest}, Phase: audit.Notice})
}

// log opens the log as a process of its own would.
func (d *desk) log() *audit.Log {
	d.tb.Helper()
	c := audit.Config{
		Open: func(ctx context.Context, torn func(int64, string) ([]byte, error)) (audit.Store, error) {
			return audit.OpenDirectory(ctx, d.dir, torn, nil)
		},
		Look:    func() (audit.Reader, error) { return audit.OpenView(d.dir) },
		Inspect: func(ctx context.Context) (audit.Store, error) { return audit.InspectDirectory(ctx, d.dir, nil) },
		Signer:  d.pen, Serial: func(context.Context) (string, error) { return "4711", nil }, Own: "key/.audit",
		Environment: "prod", Actor: "ada@build", Provider: "1.2.3", Run: "r", Host: "h", PID: os.Getpid(), Now: func() time.Time { return d.now },
	}
	if d.token != nil {
		c.Subjects = func(context.Context) ([]audit.Event, error) { return slices.Collect(maps.Values(d.token)), nil }
	}
	return audit.New(c)
}

// write does something to a subject, whose history then has so many entries.
func (d *desk) write(l *audit.Log, subject string, seq int, failure error) {
	d.tb.Helper()
	e := audit.Event{Operation: "rotate", Subject: subject, Steps: []audit.Step{{Seq: seq, What: "generated", Version: seq, Digest: "ab"}}, Head: fmt.Sprint(subject, seq)}
	operation, err := l.Begin(d.tb.Context(), e)
	if err != nil {
		d.tb.Fatal(err)
	}
	operation.End(d.tb.Context(), failure)
	d.put(e)
}

// put has a subject stand on the token as an event tells.
func (d *desk) put(e audit.Event) {
	if d.token != nil {
		e.Operation, e.Time = "baseline", d.now
		d.token[e.Subject] = e
	}
}

// standing is what verify is told of the token.
func (d *desk) standing(want *audit.Expectation) {
	want.Token = map[string]audit.Standing{}
	for subject, e := range d.token {
		if strings.HasPrefix(subject, "object/") {
			continue
		}
		want.Token[subject] = audit.Standing{Seq: e.Steps[len(e.Steps)-1].Seq, Head: e.Head}
	}
}

func (d *desk) close(l *audit.Log) {
	d.tb.Helper()
	if err := l.Close(context.Background()); err != nil {
		d.tb.Error(err)
	}
}

// fill writes so many changes, in runs of five.
func (d *desk) fill(changes int) {
	d.tb.Helper()
	for n := 0; n < changes; {
		l := d.log()
		for range 5 {
			if n++; n <= changes {
				d.now = d.now.Add(time.Second)
				d.write(l, "key/orders", n, nil)
			}
		}
		d.close(l)
	}
}

// verify returns what is wrong with the log, a problem a line.
func (d *desk) verify(change ...func(*audit.Expectation)) (audit.Summary, []string) {
	d.tb.Helper()
	keys, err := d.pen.all()
	if err != nil {
		d.tb.Fatal(err)
	}
	want := audit.Expectation{Environment: "prod", Keys: keys, Own: "key/.audit"}
	for _, each := range change {
		each(&want)
	}
	view, err := audit.OpenView(d.dir)
	if err != nil {
		return audit.Summary{}, []string{err.Error()}
	}
	summary, problems, err := audit.Verify(view, want)
	if err != nil {
		return summary, []string{err.Error()}
	}
	var list []string
	for _, p := range problems {
		list = append(list, fmt.Sprintf("%d: %s", p.Record, p.Text))
	}
	return summary, list
}

// segment is the path of the first file of records.
func (d *desk) segment() string { return filepath.Join(d.dir, "records-000000000000.jsonl") }

func (d *desk) lines() []string {
	d.tb.Helper()
	text, err := os.ReadFile(d.segment())
	if err != nil {
		d.tb.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

func (d *desk) setLines(lines []string) {
	d.tb.Helper()
	if err := os.WriteFile(d.segment(), []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		d.tb.Fatal(err)
	}
}
