package assembly

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/audit"
	records "github.com/keystead/terraform-provider-hsm/internal/catalog"
	catalog "github.com/keystead/terraform-provider-hsm/internal/catalog/token"
	"github.com/keystead/terraform-provider-hsm/internal/command"
	"github.com/keystead/terraform-provider-hsm/internal/config"
	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/history"
	"github.com/keystead/terraform-provider-hsm/internal/hsm"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
	"github.com/keystead/terraform-provider-hsm/internal/policy"
	hsmprovider "github.com/keystead/terraform-provider-hsm/internal/provider"
)

// Command carries out what an operator asks the binary for, and returns the exit code, see
// command.Run.
func Command(ctx context.Context, version string, args []string, stdout, stderr io.Writer) int {
	return command.Run(ctx, command.Config{
		Version: version, Stdout: stdout, Stderr: stderr, Getenv: os.Getenv,
		Open: func(s config.Settings) (command.Token, func() error) {
			token, records := prepare(s)
			return looked{hsm.Healing(hsm.New(token)), records, token}, token.Close
		},
		RotateAuditKey: func(ctx context.Context, s config.Settings, reason string) (int, error) {
			services, shut := servicesOf(s, time.Now, version)
			if err := services.Keys.Guard(ctx); err != nil { // before a log is begun
				return 0, errors.Join(err, shut())
			}
			v, err := services.Audit.Rotate(ctx, reason)
			return v, errors.Join(err, shut())
		},
		SettleAudit: func(ctx context.Context, s config.Settings, reason string) (audit.Settlement, error) {
			services, shut := servicesOf(s, time.Now, version)
			if err := services.Keys.Guard(ctx); err != nil {
				return audit.Settlement{}, errors.Join(err, shut())
			}
			settled, err := services.Audit.Log.Settle(ctx, reason)
			return settled, errors.Join(err, shut())
		},
		ExamineAudit: func(ctx context.Context, s config.Settings) (bool, error) {
			services, shut := servicesOf(s, time.Now, version)
			begun, err := services.Audit.Log.Examine(ctx)
			return begun, errors.Join(err, shut())
		},
		Refuse: func(ctx context.Context, s config.Settings, refused error) error {
			services, shut := servicesOf(s, time.Now, version)
			return errors.Join(services.Audit.Log.Refused(ctx, refused), shut())
		},
		User: hsmprovider.UserAtHost,
	}, args)
}

// looked is a token as an operator's tool looks at it.
type looked struct {
	lifecycle.Token
	*catalog.Catalog
	token *cryptoki.Token
}

// Versions reads the records of keys.
func (l looked) Versions(ctx context.Context) (map[string]map[int]string, error) {
	return versions(ctx, l.Catalog)
}

// Unsound tries every key, as a refresh does.
func (l looked) Unsound(ctx context.Context) (map[string]map[int]string, error) {
	keys := lifecycle.New(lifecycle.Config{Token: l.Token, Catalog: catalog.Of[*keyring.Key](l.Catalog, catalog.Keys), Now: time.Now})
	unsound, err := keys.Examine(ctx)
	all := map[string]map[int]string{}
	for name, versions := range unsound {
		subject := string(catalog.Keys) + "/" + name
		all[subject] = map[int]string{}
		for n, broken := range versions {
			all[subject][n] = broken.Problem
		}
	}
	return all, err
}

// Foreign looks for keys without a record.
func (l looked) Foreign(ctx context.Context) (map[string]string, error) {
	return foreign(ctx, l.token, l.Catalog)
}

// AuditKeys reads the record of the key that signs the log.
func (l looked) AuditKeys(ctx context.Context) ([]audit.Key, error) {
	rec, err := catalog.Of[*keyring.Key](l.Catalog, catalog.Keys).Load(ctx, keyring.AuditKeyName)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var keys []audit.Key
	for _, n := range rec.Body.Numbers() {
		if v := rec.Body.Versions[n]; !v.Pending {
			keys = append(keys, audit.Key{Version: n, SPKI: v.PublicKey})
		}
	}
	return keys, nil
}

// Histories reads the records of every kind.
func (l looked) Histories(ctx context.Context) (map[string]history.Chain, error) {
	return histories(ctx, l.Catalog)
}

func histories(ctx context.Context, on *catalog.Catalog) (map[string]history.Chain, error) {
	all := map[string]history.Chain{}
	err := errors.Join(
		gather(ctx, on, catalog.Keys, all, func(k *keyring.Key) history.Chain { return k.Chain }),
		gather(ctx, on, catalog.Credentials, all, func(c *credential.Credential) history.Chain { return c.Chain }),
		gather(ctx, on, catalog.Policies, all, func(p *policy.Policy) history.Chain { return p.Chain }),
	)
	return all, err
}

func gather[T records.Body[T]](ctx context.Context, c *catalog.Catalog, kind catalog.Kind, all map[string]history.Chain, of func(T) history.Chain) error {
	list, err := catalog.Of[T](c, kind).List(ctx)
	for _, rec := range list {
		all[string(kind)+"/"+rec.Body.RecordName()] = of(rec.Body)
	}
	return err
}
