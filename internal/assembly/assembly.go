// Package assembly wires one configuration into a running whole: module, token,
// catalog, lifecycle, provider. It is the only place where the clock is chosen.
package assembly

import (
	"crypto/rand"
	"encoding/hex"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/provider"

	catalog "github.com/keystead/terraform-provider-hsm/internal/catalog/token"
	"github.com/keystead/terraform-provider-hsm/internal/config"
	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/environment"
	"github.com/keystead/terraform-provider-hsm/internal/hsm"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
	"github.com/keystead/terraform-provider-hsm/internal/policy"
	hsmprovider "github.com/keystead/terraform-provider-hsm/internal/provider"
)

// Provider returns the constructor of the Terraform provider, on the system's clock. The
// modules that it opens stay open until the process ends, as Terraform tells a provider
// nothing but that, or until shut is called: it waits for the operation that the HSM is
// about, and closes every session.
func Provider(version string) (construct func() provider.Provider, shut func()) {
	var mu sync.Mutex
	var open []func() error
	construct = hsmprovider.New(version, func(s config.Settings) *hsmprovider.Services {
		services, shut := servicesOf(s, time.Now, version)
		mu.Lock()
		defer mu.Unlock()
		open = append(open, shut)
		return services
	})
	return construct, func() {
		mu.Lock()
		defer mu.Unlock()
		for _, shut := range open {
			_ = shut() // the process ends in any case
		}
	}
}

// Services wires everything to the token that the settings select, on the given
// clock. It does no I/O: the module is opened when it is first needed, and closed,
// with every session, by the returned function.
func Services(s config.Settings, now func() time.Time) (services *hsmprovider.Services, shut func() error) {
	return servicesOf(s, now, "test")
}

func servicesOf(s config.Settings, now func() time.Time, version string) (services *hsmprovider.Services, shut func() error) {
	token, records := prepare(s)
	host, _ := os.Hostname() // only shown to people and compared with itself
	c := lifecycle.Config{
		Token: hsm.Healing(hsm.New(token)), Catalog: catalog.Of[*keyring.Key](records, catalog.Keys),
		Environment: environment.New(s.Environment, s.Actor, records), Actor: s.Actor, Now: now,
		Run: randomRun(), Host: host, PID: os.Getpid(),
		Alive: alive(host),
	}
	if s.Audit.Directory != "" {
		services, shut = underAudit(s, c, token, records, version)
		return services, both(shut, token.Close)
	}
	return Join(c, catalog.Of[*credential.Credential](records, catalog.Credentials), catalog.Of[*policy.Policy](records, catalog.Policies)), token.Close
}

// prepare returns the token that the settings select, and the records that are kept on it. It
// does no I/O.
func prepare(s config.Settings) (*cryptoki.Token, *catalog.Catalog) {
	token := cryptoki.New(cryptoki.Config{
		ModulePath: s.ModulePath, Parameters: s.ModuleParameters,
		Select: cryptoki.Selector{
			Label: s.TokenLabel, Serial: s.TokenSerial, Slot: s.SlotID, Manufacturer: s.TokenManufacturer, Model: s.TokenModel,
		},
		PIN: func() ([]byte, error) {
			pin, err := s.PIN()
			if err != nil {
				return nil, err
			}
			return pin.Reveal(), nil
		},
		MaxSessions: s.MaxSessions, Concurrent: s.ConcurrentCalls,
		Logger:  hsmprovider.LogProgress,
		Witness: catalog.Witness(),
	})
	return token, catalog.New(token)
}

// Join makes the services of one environment: that of keys as configured, those of
// credentials and policies to go with it, on their stores.
func Join(c lifecycle.Config, credentials credential.Store, policies policy.Store) *hsmprovider.Services {
	keys := lifecycle.New(c)
	callers := credential.New(credential.Config{
		Store: credentials, Deriver: keys, Environment: c.Environment, Actor: c.Actor, Now: c.Now, Run: c.Run,
	})
	rules := policy.New(policy.Config{
		Store: policies, Directory: directory{keys, callers}, Environment: c.Environment, Actor: c.Actor, Now: c.Now, Run: c.Run,
	})
	keys.NamedBy = rules.NamingKey
	return &hsmprovider.Services{Keys: keys, Credentials: callers, Policies: rules}
}

func randomRun() string {
	var run [8]byte
	_, _ = rand.Read(run[:]) // crypto/rand.Read never fails, it aborts the process
	return hex.EncodeToString(run[:])
}
