package lifecycletest

import (
	"fmt"
	"sync"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/environment"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

// Memory is a token and its catalog. What is stored is open to tests, to look at
// and to tamper with while no verb is under way.
type Memory struct {
	Objects map[string]*Objects         // by CKA_ID
	Records map[string]lifecycle.Record // by name
	Stamp   string                      // the environment, empty for none

	Trouble  error    // what everything fails with, nil for nothing
	Lies     bool     // about where keys come from
	Warnings []string // what an operator should know

	mu      sync.Mutex
	given   map[string]string // version numbers that were ever recorded, and the CKA_ID of each
	twice   []string          // those that were recorded for another one, too
	brought *Objects          // what was unwrapped last
	clock   time.Time
	runs    int
	last    *run
}

// Objects are those of one CKA_ID.
type Objects struct {
	Order            lifecycle.Generation // what they were made from
	Birth            keyring.Birth
	Secrets, Publics int                // how many there are, as in lifecycle.Sighting
	Allowed          keyring.Operations // the flags of all of them together
	PublicKey        keyring.PublicKey  // what the public ones hold
	Material         string             // the fingerprint of what the secret ones really are
}

// New returns an empty token without a stamp. Its clock stands still.
func New(clock time.Time) *Memory {
	return &Memory{Objects: map[string]*Objects{}, Records: map[string]lifecycle.Record{}, given: map[string]string{}, clock: clock}
}

// Now tells the time.
func (m *Memory) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.clock
}

// Pass lets time go by.
func (m *Memory) Pass(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clock = m.clock.Add(d)
}

// Key returns the stored key of a name itself, nil if there is none.
func (m *Memory) Key(name string) *keyring.Key { return m.Records[name].Body }

// ObjectsOf returns the objects of a recorded version, nil if there are none.
func (m *Memory) ObjectsOf(name string, version int) *Objects {
	return m.Objects[m.Key(name).Versions[version].Ref.ID]
}

// When is the moment of a kill.
type When string

// The moments: the token has not seen the write, or has carried it out.
const (
	Before When = "before"
	After  When = "after"
)

// run is one process and its way to the memory. What kills it ends the process;
// what is stored stays, for the next one.
type run struct {
	*Memory
	number int
	killAt int // the write that it does not survive, 0 is none
	when   When
	writes int
	dead   bool
}

func (m *Memory) start(killAt int, when When) *run {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.runs++
	m.last = &run{Memory: m, number: m.runs, killAt: killAt, when: when}
	return m.last
}

func (r *run) config(name, actor string) lifecycle.Config {
	return lifecycle.Config{
		Token: token{r}, Catalog: r.records(), Environment: environment.New(name, actor, marker{r}), Actor: actor,
		Run: fmt.Sprintf("run %d", r.number), Host: "here", PID: r.number,
		Now: r.Now, Alive: func(keyring.Work) bool { return false },
	}
}

// Config is for a process of its own in the environment "test". It holds the
// processes of all intents that it finds for dead.
func (m *Memory) Config() lifecycle.Config { return m.ConfigIn("test", "ada@example") }

// ConfigIn is Config in another environment, for another actor.
func (m *Memory) ConfigIn(environment, actor string) lifecycle.Config {
	return m.start(0, "").config(environment, actor)
}

// Run starts a process, see Config.
func (m *Memory) Run() *lifecycle.Service { return lifecycle.New(m.Config()) }

// Doomed starts a process that is killed at its nth write, from 1, and stays dead.
func (m *Memory) Doomed(nth int, when When) *lifecycle.Service {
	return lifecycle.New(m.start(nth, when).config("test", "ada@example"))
}

// Writes counts the writes of the process that was started last.
func (m *Memory) Writes() int { return m.last.writes }

// enter begins a call. The caller leaves in any case.
func (r *run) enter() (leave func(), err error) {
	r.mu.Lock()
	if r.dead {
		return r.mu.Unlock, killed()
	}
	return r.mu.Unlock, r.Trouble
}

// write carries out one change, unless the run is killed at it.
func (r *run) write(change func()) error {
	r.writes++
	if r.writes != r.killAt {
		change()
		r.audit()
		return nil
	}
	r.dead = true
	if r.when == After {
		change()
		r.audit()
	}
	return killed()
}

// audit notes which numbers were given to versions, those included of which nothing came.
func (m *Memory) audit() {
	for name, rec := range m.Records {
		for n, v := range rec.Body.Versions {
			number := fmt.Sprintf("%s version %d", name, n)
			if id, ok := m.given[number]; ok && id != v.Ref.ID {
				m.twice = append(m.twice, number)
			}
			m.given[number] = v.Ref.ID
		}
	}
}

func killed() error {
	return &fault.Error{Kind: fault.Unavailable, Op: "use token", Problem: "The process was killed."}
}
