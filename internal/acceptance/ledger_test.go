package acceptance_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// ledger is all that is on a token, read past the catalog and the lifecycle: every
// record, and every key object. Each record's JSON is read with a reader of its own.
type ledger struct {
	records map[string][]page // by label
	objects []cryptoki.Object // of keys
	remnant bool              // there are objects without attributes
}

// page is one record's object. Of what it holds only what the checks need is read.
type page struct {
	damage     error  // it is no record
	ID         string `json:"id"`
	Generation int    `json:"generation"`
	Body       struct {
		Spec      struct{ Enabled bool }
		Counter   int
		Versions  map[int]leaf
		Tombstone *struct{ Action string }
		Work      *struct{ What string }
	} `json:"body"`
}

// leaf is a version of a key, or of a credential.
type leaf struct {
	Ref           keyring.Ref `json:"ref"`
	Pending       bool        `json:"pending"`
	Fingerprint   string      `json:"fingerprint"`
	ActivatedAt   string      `json:"activated_at"`
	DeactivatedAt string      `json:"deactivated_at"`
	RevokedAt     string      `json:"revoked_at"`
	DestroyedAt   string      `json:"destroyed_at"`
}

func (l leaf) isActive() bool {
	return !l.Pending && l.ActivatedAt != "" && l.DeactivatedAt == "" && l.DestroyedAt == "" && l.RevokedAt == ""
}

// opened opens the token by itself, as somebody with the PIN could, for as long as do
// takes.
func opened(t *testing.T, token *softhsm.Token, logger func(string), do func(hsm *cryptoki.Token)) {
	t.Helper()
	hsm := cryptoki.New(cryptoki.Config{
		ModulePath: token.Module, Select: cryptoki.Selector{Label: token.Label, Serial: token.Serial},
		PIN: func() ([]byte, error) { return []byte(softhsm.PIN), nil },
		Logger: func(_ context.Context, message string, _ map[string]any) {
			if logger != nil {
				logger(message)
			}
		},
	})
	defer func() {
		if err := hsm.Close(); err != nil {
			t.Error(err)
		}
	}()
	do(hsm)
}

// readLedger reads the whole token. Nobody else may be writing.
func readLedger(t *testing.T, token *softhsm.Token) ledger {
	t.Helper()
	l := ledger{records: map[string][]page{}}
	opened(t, token, func(message string) { l.remnant = l.remnant || strings.Contains(message, "no attributes") }, func(hsm *cryptoki.Token) {
		objects, err := hsm.Objects(t.Context())
		if err != nil {
			t.Fatalf("reading the token: %v", err)
		}
		for _, o := range objects {
			if o.Class != cryptoki.CKO_DATA {
				l.objects = append(l.objects, o)
				continue
			}
			label := string(o.Bytes(cryptoki.CKA_LABEL))
			var p page
			if err := json.Unmarshal(o.Bytes(cryptoki.CKA_VALUE), &p); err != nil {
				p.damage = err
			}
			l.records[label] = append(l.records[label], p)
		}
	})
	return l
}

// newest are the records of a name with the highest generation: one, if all is well.
func (l ledger) newest(label string) []page {
	var newest []page
	for _, p := range l.records[label] {
		if len(newest) > 0 && p.Generation > newest[0].Generation {
			newest = nil
		}
		if len(newest) == 0 || p.Generation == newest[0].Generation {
			newest = append(newest, p)
		}
	}
	return newest
}

// leftovers lists what a run that came to its end has removed: older generations.
func (l ledger) leftovers() []string {
	var bad []string
	for label, pages := range l.records {
		if older := len(pages) - len(l.newest(label)); older > 0 {
			bad = append(bad, fmt.Sprintf("%s has %d older records beside the newest", label, older))
		}
	}
	return bad
}

// lives reports whether there is a record of something that was not removed.
func (l ledger) lives(label string) bool {
	return slices.ContainsFunc(l.newest(label), func(p page) bool { return p.Body.Tombstone == nil })
}

// secrets lists the CKA_IDs of private and secret keys, one for each object.
func (l ledger) secrets() []string {
	var ids []string
	for _, o := range l.objects {
		if o.Class != cryptoki.CKO_PUBLIC_KEY {
			ids = append(ids, hex.EncodeToString(o.Bytes(cryptoki.CKA_ID)))
		}
	}
	slices.Sort(ids)
	return ids
}

// violations lists what is not as it must be when no run is at work.
func (l ledger) violations() []string {
	var bad []string
	say := func(format string, args ...any) { bad = append(bad, fmt.Sprintf(format, args...)) }
	if l.remnant {
		say("there are objects without attributes")
	}
	recorded := map[string]bool{}
	for _, label := range slices.Sorted(maps.Keys(l.records)) {
		newest := l.newest(label)
		if len(newest) != 1 {
			say("%s has %d records of the same generation", label, len(newest))
		}
		for _, p := range newest {
			if p.damage != nil {
				say("%s is damaged: %v", label, p.damage)
			}
			for n := range p.Body.Versions {
				if n > p.Body.Counter {
					say("%s: version %d is above the counter %d", label, n, p.Body.Counter)
				}
			}
			if strings.HasPrefix(label, "key/") {
				for _, v := range p.Body.Versions {
					recorded[v.Ref.ID] = true
				}
				bad = append(bad, l.keyViolations(label, p)...)
			}
		}
	}
	for _, o := range l.objects {
		if id := hex.EncodeToString(o.Bytes(cryptoki.CKA_ID)); !recorded[id] {
			say("object %q (class %d, CKA_ID %s) has no record", o.Bytes(cryptoki.CKA_LABEL), o.Class, id)
		}
	}
	return bad
}

// keyViolations looks at the versions of one key and at their objects.
func (l ledger) keyViolations(label string, p page) []string {
	var bad []string
	say := func(format string, args ...any) { bad = append(bad, label+": "+fmt.Sprintf(format, args...)) }
	active := 0
	for _, n := range slices.Sorted(maps.Keys(p.Body.Versions)) {
		v := p.Body.Versions[n]
		if v.Pending {
			say("version %d is pending", n)
			continue
		}
		if v.isActive() {
			active++
		}
		var privates, publics, signs int
		for _, o := range l.objects {
			switch {
			case hex.EncodeToString(o.Bytes(cryptoki.CKA_ID)) != v.Ref.ID:
			case o.Class == cryptoki.CKO_PUBLIC_KEY:
				publics++
			default:
				privates++
				if o.Bool(cryptoki.CKA_SIGN) || o.Bool(cryptoki.CKA_ENCRYPT) {
					signs++
				}
			}
		}
		wantPublic := 0
		if v.Ref.Pair {
			wantPublic = 1
		}
		switch {
		case v.DestroyedAt != "" && privates > 0:
			say("version %d is destroyed and has %d keys", n, privates)
		case v.DestroyedAt == "" && (privates != 1 || publics != wantPublic):
			say("version %d has %d private or secret and %d public objects", n, privates, publics)
		}
		if may := v.isActive() && p.Body.Tombstone == nil && p.Body.Spec.Enabled; may != (signs > 0) {
			say("version %d should protect: %t; its objects do: %t", n, may, signs > 0)
		}
	}
	if p.Body.Tombstone == nil && active != 1 {
		say("%d versions are active", active)
	}
	if p.Body.Work != nil {
		say("work is open: %s", p.Body.Work.What)
	}
	return bad
}

// past remembers which version had which number, to see numbers that are used again
// and versions that got lost.
type past map[string]string // by label and number: the CKA_ID, or a credential's fingerprint

func (seen past) violations(l ledger) []string {
	var bad []string
	now := past{}
	for label := range l.records {
		for _, p := range l.newest(label) {
			for n, v := range p.Body.Versions {
				if !v.Pending {
					now[fmt.Sprintf("%s version %d", label, n)] = v.Ref.ID + v.Fingerprint
				}
			}
		}
	}
	for what, was := range seen {
		switch is, there := now[what]; {
		case !there:
			bad = append(bad, what+" is lost")
		case is != was:
			bad = append(bad, what+" is another one than before: its number was used again")
		}
	}
	maps.Copy(seen, now)
	return bad
}
