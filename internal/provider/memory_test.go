package provider_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/config"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

// memory is a token with its catalog in memory, for what a real token does not do
// on demand: fail in a chosen way, have a bad birth certificate, drift. It is in
// line with the ports' contracts as far as these tests go; what a real token does
// is the acceptance tests' business.
type memory struct {
	mu      sync.Mutex
	objects map[string]*object
	records map[string]lifecycle.Record
	stamp   string
	clock   time.Time

	trouble  error // what everything fails with, nil for nothing
	lies     bool  // about where keys come from
	warnings []string
}

type object struct {
	order     lifecycle.Generation
	allowed   keyring.Operations
	publicKey keyring.PublicKey
}

var newYear = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)

func newMemory() *memory {
	return &memory{objects: map[string]*object{}, records: map[string]lifecycle.Record{}, clock: newYear}
}

// serve returns a configured provider on the memory.
func (m *memory) serve(t *testing.T) *server {
	t.Helper()
	clearEnvironment(t)
	s := newServerWith(t, func(c config.Settings) *lifecycle.Service {
		return lifecycle.New(lifecycle.Config{
			Token: memoryToken{m}, Catalog: memoryCatalog{m}, Environment: c.Environment, Actor: c.Actor, Run: "run", Host: "here", PID: 1,
			Now: func() time.Time { return m.clock }, Alive: func(keyring.Work) bool { return false },
		})
	})
	noErrors(t, s.configure(t, values{"module_path": "/m", "token_label": "memory", "environment": "test"}))
	return s
}

func (m *memory) enter() (leave func(), err error) {
	m.mu.Lock()
	return m.mu.Unlock, m.trouble
}

type memoryToken struct{ *memory }

func (m memoryToken) Warnings() []string { return m.warnings }

func (m memoryToken) Info(context.Context) (keyring.TokenInfo, error) {
	leave, err := m.enter()
	defer leave()
	return keyring.TokenInfo{Label: "memory", Serial: "0815", Model: "m", Sessions: 1, MaxSessions: 10, FreePublicMemory: -1, FreePrivateMemory: 5}, err
}

func (m memoryToken) Capabilities(context.Context) (keyring.Capabilities, error) {
	leave, err := m.enter()
	defer leave()
	return keyring.Capabilities{
		Algorithms: map[keyring.Algorithm]keyring.Operations{
			keyring.ECP256: keyring.Sign | keyring.Verify, keyring.AES256: keyring.Encrypt | keyring.Decrypt,
		},
		RestrictsMechanisms: true,
		Mechanisms:          map[keyring.Mechanism]keyring.MechanismInfo{"CKM_ECDSA": {MinKeySize: 256, MaxKeySize: 521, Uses: []string{"sign", "verify"}}},
		Enforcement:         keyring.EnforcedByHSM, Attests: !m.lies,
	}, err
}

func (m memoryToken) Generate(_ context.Context, order lifecycle.Generation) (lifecycle.Generated, error) {
	leave, err := m.enter()
	defer leave()
	if err != nil {
		return lifecycle.Generated{}, err
	}
	o := &object{order: order, allowed: order.Operations}
	m.objects[order.Ref.ID] = o
	made := lifecycle.Generated{Fingerprint: "c0ffee", Birth: keyring.Birth{Local: true, NeverExtractable: !order.Extractable, AlwaysSensitive: true, Attested: !m.lies}}
	if order.Ref.Pair {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return lifecycle.Generated{}, err
		}
		point, err := key.PublicKey.Bytes()
		if err != nil {
			return lifecycle.Generated{}, err
		}
		if o.publicKey, err = keyring.NewECPublicKey(keyring.ECP256, point); err != nil {
			return lifecycle.Generated{}, err
		}
		made.PublicKey, made.Fingerprint = o.publicKey, o.publicKey.Fingerprint()
	}
	return made, nil
}

func (m memoryToken) Inspect(_ context.Context, ref keyring.Ref, try keyring.Operations) (lifecycle.Sighting, error) {
	leave, err := m.enter()
	defer leave()
	o := m.objects[ref.ID]
	if o == nil || err != nil {
		return lifecycle.Sighting{}, err
	}
	seen := lifecycle.Sighting{Secrets: 1, Permitted: o.allowed, Refused: try &^ o.allowed, PublicKey: o.publicKey}
	if ref.Pair {
		seen.Publics, seen.Fingerprint = 1, o.publicKey.Fingerprint()
	}
	return seen, nil
}

func (m memoryToken) Permit(_ context.Context, ref keyring.Ref, allowed keyring.Operations) (keyring.Enforcement, error) {
	leave, err := m.enter()
	defer leave()
	if err != nil {
		return "", err
	}
	m.objects[ref.ID].allowed = allowed
	return keyring.EnforcedByHSM, nil
}

func (m memoryToken) Destroy(_ context.Context, ref keyring.Ref, _ bool) error {
	leave, err := m.enter()
	defer leave()
	if err == nil {
		delete(m.objects, ref.ID)
	}
	return err
}

func (m memoryToken) Find(_ context.Context, where lifecycle.Locator) (lifecycle.Found, error) {
	leave, err := m.enter()
	defer leave()
	if err != nil {
		return lifecycle.Found{}, err
	}
	for id, o := range m.objects {
		if (where.ID == "" || where.ID == id) && (where.Label == "" || where.Label == o.order.Ref.Label) {
			return lifecycle.Found{
				Ref: o.order.Ref, Algorithm: o.order.Algorithm, Operations: o.allowed, PublicKey: o.publicKey, Fingerprint: o.publicKey.Fingerprint(),
			}, nil
		}
	}
	return lifecycle.Found{}, &fault.Error{Kind: fault.NotFound, Op: "find key", Problem: "There is no such object."}
}

// makeElsewhere puts a pair on the token that no record knows.
func (m *memory) makeElsewhere(t *testing.T, id, label string) {
	t.Helper()
	ref := keyring.Ref{ID: hex.EncodeToString([]byte(id)), Label: label, Pair: true}
	if _, err := (memoryToken{m}).Generate(t.Context(), lifecycle.Generation{Ref: ref, Algorithm: keyring.ECP256, Operations: keyring.Sign | keyring.Verify}); err != nil {
		t.Fatal(err)
	}
}

type memoryCatalog struct{ *memory }

func (m memoryCatalog) Environment(context.Context) (string, error) {
	leave, err := m.enter()
	defer leave()
	return m.stamp, err
}

func (m memoryCatalog) Stamp(_ context.Context, environment, _ string) error {
	leave, err := m.enter()
	defer leave()
	if err == nil {
		m.stamp = environment
	}
	return err
}

func (m memoryCatalog) Load(_ context.Context, name string) (lifecycle.Record, error) {
	leave, err := m.enter()
	defer leave()
	if err != nil {
		return lifecycle.Record{}, err
	}
	rec, ok := m.records[name]
	if !ok {
		return rec, &fault.Error{Kind: fault.NotFound, Op: "read key", Subject: `key "` + name + `"`, Problem: "There is no key of this name."}
	}
	rec.Key = rec.Key.Clone()
	return rec, nil
}

func (m memoryCatalog) List(context.Context) ([]lifecycle.Record, error) {
	leave, err := m.enter()
	defer leave()
	var all []lifecycle.Record
	for _, name := range slices.Sorted(maps.Keys(m.records)) {
		all = append(all, m.records[name])
	}
	return all, err
}

func (m memoryCatalog) Create(_ context.Context, key *keyring.Key) (lifecycle.Record, error) {
	leave, err := m.enter()
	defer leave()
	if _, taken := m.records[key.Spec.Name]; taken && err == nil {
		err = &fault.Error{Kind: fault.Exists, Op: "create key", Problem: "The name is taken."}
	}
	if err != nil {
		return lifecycle.Record{}, err
	}
	m.records[key.Spec.Name] = lifecycle.Record{Key: key.Clone(), Generation: 1}
	return lifecycle.Record{Key: key.Clone(), Generation: 1}, nil
}

func (m memoryCatalog) Replace(_ context.Context, old lifecycle.Record, key *keyring.Key) (lifecycle.Record, error) {
	leave, err := m.enter()
	defer leave()
	if m.records[key.Spec.Name].Generation != old.Generation && err == nil {
		err = &fault.Error{Kind: fault.Conflict, Op: "change key", Problem: "Somebody else changed it."}
	}
	if err != nil {
		return lifecycle.Record{}, err
	}
	m.records[key.Spec.Name] = lifecycle.Record{Key: key.Clone(), Generation: old.Generation + 1}
	return lifecycle.Record{Key: key.Clone(), Generation: old.Generation + 1}, nil
}
