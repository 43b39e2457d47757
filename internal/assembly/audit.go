package assembly

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/audit"
	"github.com/keystead/terraform-provider-hsm/internal/audit/mirror"
	"github.com/keystead/terraform-provider-hsm/internal/catalog/audited"
	catalog "github.com/keystead/terraform-provider-hsm/internal/catalog/token"
	"github.com/keystead/terraform-provider-hsm/internal/config"
	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/environment"
	"github.com/keystead/terraform-provider-hsm/internal/history"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
	"github.com/keystead/terraform-provider-hsm/internal/policy"
	hsmprovider "github.com/keystead/terraform-provider-hsm/internal/provider"
)

// patience is how long the end of a run waits for the last checkpoint: Terraform kills a
// provider that has not ended two seconds after it was asked to.
const patience = 1500 * time.Millisecond

// underAudit wires the services so that everything is written down in the log before it is
// done. c is as without a log. shut signs what is left to sign.
func underAudit(s config.Settings, c lifecycle.Config, token *cryptoki.Token, on *catalog.Catalog, version string) (services *hsmprovider.Services, shut func() error) {
	signing := &signer{}
	var mirrors []audit.Mirror
	for _, m := range s.Audit.Mirrors {
		mirrors = append(mirrors, mirror.New(mirror.Config{Directory: s.Audit.Directory, Syslog: m.Syslog, File: m.File, Authorities: m.CAFile}))
	}
	waiting := func(ctx context.Context, holder string) {
		hsmprovider.LogProgress(ctx, "waiting for the audit log, which another process has locked", map[string]any{"directory": s.Audit.Directory, "held_by": holder})
	}
	log := audit.New(audit.Config{
		Open: func(ctx context.Context, torn func(int64, string) ([]byte, error)) (audit.Store, error) {
			return audit.OpenDirectory(ctx, s.Audit.Directory, torn, waiting)
		},
		Look: func() (audit.Reader, error) { return audit.OpenView(s.Audit.Directory) },
		Inspect: func(ctx context.Context) (audit.Store, error) {
			return audit.InspectDirectory(ctx, s.Audit.Directory, waiting)
		},
		Signer: signing,
		Serial: func(ctx context.Context) (string, error) {
			info, err := c.Token.Info(ctx)
			return info.Serial, err
		},
		Subjects:    func(ctx context.Context) ([]audit.Event, error) { return subjects(ctx, token, on) },
		Mirrors:     mirrors,
		Own:         string(catalog.Keys) + "/" + keyring.AuditKeyName,
		Running:     running(c),
		Environment: s.Environment, Actor: s.Actor, Provider: version, Run: c.Run, Host: c.Host, PID: c.PID, Now: c.Now,
	})
	chain := func(k *keyring.Key) history.Chain { return k.Chain }
	plain := c.Catalog
	// The stamp may be what is written first, before there is a key to sign the log by, and
	// so is that key.
	c.Environment = environment.New(s.Environment, s.Actor, audited.Marker{Marker: on, Begin: log.BeginUnprepared})
	c.Catalog = &audited.Records[*keyring.Key]{Records: plain, Kind: string(catalog.Keys), Begin: log.BeginUnprepared, Chain: chain}
	signing.keys = lifecycle.New(c)
	c.Catalog = &audited.Records[*keyring.Key]{Records: plain, Kind: string(catalog.Keys), Begin: log.Begin, Chain: chain}
	access := &accessOf{now: c.Now}
	services = Join(c, &audited.Records[*credential.Credential]{
		Records: catalog.Of[*credential.Credential](on, catalog.Credentials), Kind: string(catalog.Credentials), Begin: log.Begin,
		Chain: func(c *credential.Credential) history.Chain { return c.Chain },
	}, &audited.Records[*policy.Policy]{
		Records: catalog.Of[*policy.Policy](on, catalog.Policies), Kind: string(catalog.Policies), Begin: log.Begin,
		Chain: func(p *policy.Policy) history.Chain { return p.Chain }, Detail: access.change,
	})
	access.policies = services.Policies
	services.Credentials.Revealing = func(ctx context.Context, name string, version int) error {
		return log.Disclose(ctx, audit.Event{Operation: "reveal", Subject: string(catalog.Credentials) + "/" + name, Version: version})
	}
	services.Keys.Signing = func(ctx context.Context, use lifecycle.Use) error { return log.Disclose(ctx, signatureOf(use)) }
	services.Audit = hsmprovider.Audit{Log: log, Keys: signing, Directory: s.Audit.Directory, Rotate: func(ctx context.Context, reason string) (int, error) {
		if err := log.Prepare(ctx); err != nil {
			return 0, err
		}
		if err := log.Explain(ctx, reason); err != nil {
			return 0, err
		}
		v, err := signing.keys.RotateAuditKey(ctx)
		if err != nil {
			return 0, err
		}
		return v.Number, nil
	}}
	return services, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		return log.Close(ctx)
	}
}

// signatureOf is the record of a signature: it tells what was signed by its hash alone, also
// where that is a digest already, as anything may be given as one.
func signatureOf(use lifecycle.Use) audit.Event {
	what := "message"
	if use.IsDigest {
		what = "digest"
	}
	return audit.Event{
		Operation: "sign", Subject: string(catalog.Keys) + "/" + use.Key, Version: use.Version, Algorithm: string(use.Scheme),
		Digests: map[string]string{what: fmt.Sprintf("%x", sha256.Sum256(use.Input))},
	}
}

// running asks of an intent in the log what is asked of one on the token.
func running(c lifecycle.Config) func(audit.Event) bool {
	return func(e audit.Event) bool {
		return c.Now().Sub(e.Time) < lease && c.Alive(keyring.Work{Host: e.Host, PID: e.PID})
	}
}

// lease is how long an intent of a run that cannot be asked is respected.
const lease = 10 * time.Minute

// signer is the audit key in the HSM.
type signer struct{ keys *lifecycle.Service }

var _ audit.Signer = (*signer)(nil)

func (s *signer) Prepare(ctx context.Context) error { return s.keys.PrepareAuditKey(ctx) }

func (s *signer) Check(ctx context.Context) error { return s.keys.CheckAuditKey(ctx) }

func (s *signer) Renew(ctx context.Context) error { return s.keys.RenewAuditKey(ctx) }

func (s *signer) Sign(ctx context.Context, message []byte) (audit.Key, []byte, error) {
	v, signature, err := s.keys.SignAudit(ctx, message)
	if err != nil {
		return audit.Key{}, nil, err
	}
	return audit.Key{Version: v.Number, SPKI: v.PublicKey}, signature, nil
}

func (s *signer) Keys(ctx context.Context) ([]audit.Key, error) {
	versions, err := s.keys.AuditKeys(ctx)
	var keys []audit.Key
	for _, v := range versions {
		keys = append(keys, audit.Key{Version: v.Number, SPKI: v.PublicKey})
	}
	return keys, err
}

// accessOf tells what a change of policies means.
type accessOf struct {
	policies *policy.Service
	now      func() time.Time
}

// most bounds what a record lists; how many there are is told in any case.
const most = 500

func (a *accessOf) change(ctx context.Context, was, is *policy.Policy, e *audit.Event) error {
	e.Digests = map[string]string{}
	if was != nil && was.Tombstone == nil {
		e.Digests["before"] = was.Spec.Digest()
	}
	if is.Tombstone == nil {
		e.Digests["after"] = is.Spec.Digest()
	}
	world, policies, err := a.policies.World(ctx)
	if err != nil {
		return err
	}
	outlook := policy.NewOutlook(world, policies)
	if err := outlook.Err(); err != nil {
		e.Reason = "what access it changes cannot be told: " + err.Error()
		return nil //nolint:nilerr // it is no reason to keep a policy from being corrected
	}
	var shift policy.Shift
	if is.Tombstone == nil {
		shift = outlook.SetPolicy(is.Spec, a.now())
	} else {
		shift = outlook.RemovePolicy(is.Spec.Name, a.now())
	}
	before, after := lines(shift.Before), lines(shift.After)
	e.Gained, e.Lost = missing(after, before), missing(before, after)
	return nil
}

// missing lists what one list has and another one has not.
func missing(from, in []string) []string {
	there := map[string]bool{}
	for _, line := range in {
		there[line] = true
	}
	var list []string
	for _, line := range from {
		if !there[line] {
			list = append(list, line)
		}
	}
	if len(list) > most {
		list = append(list[:most], fmt.Sprintf("and %d more", len(list)-most))
	}
	return list
}

func lines(grants []policy.Grant) []string {
	var list []string
	for _, g := range grants {
		line := fmt.Sprintf("%s may %s with %s", g.Principal, g.Action, g.Key)
		if g.Conditional {
			line += " under a condition"
		}
		list = append(list, line)
	}
	return list
}

// both ends one after the other.
func both(first, second func() error) func() error {
	return func() error { return errors.Join(first(), second()) }
}
