package provider

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/keystead/terraform-provider-hsm/internal/secret"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/keystead/terraform-provider-hsm/internal/audit"
	"github.com/keystead/terraform-provider-hsm/internal/config"
	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
	"github.com/keystead/terraform-provider-hsm/internal/policy"
)

// Services is what an environment offers: everything that the resources do is done by
// one of them.
type Services struct {
	Keys        *lifecycle.Service
	Credentials *credential.Service
	Policies    *policy.Service
	Audit       Audit
}

// Audit is the log of what is done, if one is configured.
type Audit struct {
	Log       *audit.Log // nil without one
	Keys      AuditKeys
	Directory string
	// Rotate makes the next version of the key that signs the log.
	Rotate func(ctx context.Context, reason string) (version int, err error)
}

// AuditKeys are the keys that sign the log.
type AuditKeys interface {
	// Keys returns every version that there has ever been. It changes nothing.
	Keys(ctx context.Context) ([]audit.Key, error)
}

// client is what Configure hands to resources and data sources: the way to the
// token. Nothing is opened before somebody asks for the services, so that a
// configured provider without any work to do touches no token.
type client struct {
	// unknown names the provider arguments whose values are not known yet, because
	// they come from something that this plan is going to create. Nothing can be
	// said about the token then, and nothing is.
	unknown  []string
	settings config.Settings
	open     func(config.Settings) *Services

	mu       sync.Mutex
	services *Services
	token    *keyring.TokenInfo
	surfaced map[string]bool // warnings that were shown

	prospect prospect
	awaited  awaited
}

// clientFrom takes the client out of what the framework passes to Configure. It is
// nil before the provider is configured, as during validation.
func clientFrom(data any, diags *diag.Diagnostics) *client {
	if data == nil {
		return nil
	}
	c, ok := data.(*client)
	if !ok {
		diags.AddError("Cannot use the provider's configuration",
			fmt.Sprintf("It has the unexpected type %T.\n\nThis is a bug in the provider: please report it.", data))
	}
	return c
}

// isReady reports whether the token can be asked. When it is not, plan-time checks
// are left out and Read keeps what the state says.
func (c *client) isReady() bool { return c != nil && len(c.unknown) == 0 }

// begin returns the services, and a context in whose logs the PIN is masked. When
// the configuration is not known yet it appends an error and returns nil.
func (c *client) begin(ctx context.Context, diags *diag.Diagnostics) (context.Context, *Services) {
	if !c.isReady() {
		arguments := "its arguments"
		if c != nil {
			arguments = strings.Join(c.unknown, ", ")
		}
		diags.AddError("The provider's configuration is not known yet",
			fmt.Sprintf("The token is needed now, but the provider cannot select one before %s has a value. "+
				"The value comes from something that does not exist yet.\n\n"+
				"Create that first (`-target`), or give the provider values that are known at plan: a variable, or an environment variable such as HSM_URI.", arguments))
		return ctx, nil
	}
	ctx = c.masked(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.services == nil {
		c.services = c.open(c.settings)
	}
	return ctx, c.services
}

// masked hides the PIN in everything that is logged with the returned context. A
// PIN that cannot be read now is reported by whoever needs it to log in.
func (c *client) masked(ctx context.Context) context.Context {
	if c.settings.PIN == nil {
		return ctx
	}
	pin, err := c.settings.PIN()
	if err != nil {
		return ctx
	}
	return mask(ctx, pin)
}

func mask(ctx context.Context, hidden secret.Value) context.Context {
	if hidden.IsEmpty() { // an empty string would match between any two characters
		return ctx
	}
	text := string(hidden.Reveal())
	return tflog.MaskAllFieldValuesStrings(tflog.MaskLogStrings(ctx, text), text)
}

// identity describes the token, as asked once: label and serial of a configured
// token do not change.
func (c *client) identity(ctx context.Context) (keyring.TokenInfo, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token == nil {
		info, err := c.services.Keys.Info(ctx)
		if err != nil {
			return keyring.TokenInfo{}, err
		}
		c.token = &info
	}
	return *c.token, nil
}

// finish shows what an operator should know about the token, and writes down what was
// refused. It is called, by defer, by everything that has begun.
func (c *client) finish(diags *diag.Diagnostics) {
	for _, warning := range c.services.Keys.Warnings() {
		c.warnOnce(diags, "The token needs attention", warning)
	}
	log := c.services.Audit.Log
	if log == nil {
		return
	}
	for _, d := range *diags {
		if refused := refusal(d); refused != nil {
			// The call may be over for its caller; that it was refused is to be known all the same.
			if err := log.Refused(context.Background(), refused); err != nil {
				summary, detail := explain(err)
				c.warnOnce(diags, summary, "A refusal could not be written down. "+detail)
			}
		}
	}
	for _, warning := range log.Warnings() {
		c.warnOnce(diags, "The audit log needs attention", warning)
	}
}

// noteRefusals writes down what was refused before anything had begun.
func (c *client) noteRefusals(ctx context.Context, diags *diag.Diagnostics) {
	if c.isReady() && c.settings.Audit.Directory != "" && diags.HasError() {
		c.begin(ctx, diags)
		c.finish(diags)
	}
}

// noteImport writes down that something was imported. It changes nothing on the token, so
// it goes on without a log that can be written.
func (c *client) noteImport(ctx context.Context, subject, reason string, diags *diag.Diagnostics) {
	if log := c.services.Audit.Log; log != nil && !diags.HasError() {
		if err := log.Imported(ctx, subject, reason); err != nil {
			summary, detail := explain(err)
			c.warnOnce(diags, summary, "An import could not be written down. "+detail)
		}
	}
}

// warnOnce shows a warning the first time that it comes up: with a thousand keys
// the same warning a thousand times would bury every other one.
func (c *client) warnOnce(diags *diag.Diagnostics, summary, detail string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.surfaced == nil {
		c.surfaced = map[string]bool{}
	}
	if !c.surfaced[detail] {
		c.surfaced[detail] = true
		diags.AddWarning(summary, detail)
	}
}

// warnUnattested tells, once, that the birth certificates of new versions cannot
// be believed.
func (c *client) warnUnattested(diags *diag.Diagnostics, key *keyring.Key) {
	newest := key.Newest()
	if newest == nil || newest.Birth.Attested {
		return
	}
	c.warnOnce(diags, "Keys of this token are not attested",
		"Throw-away keys did not show that this token tells truthfully where a key was generated and whether it could ever be extracted "+
			"(CKA_LOCAL, CKA_NEVER_EXTRACTABLE, CKA_ALWAYS_SENSITIVE). The keys work; their versions say `attested = false`, "+
			"and `local`, `never_extractable` and `always_sensitive` are what the token claims.\n\n"+
			"Where it has to be proven that a key never was outside, use a token that attests it; the guide on tokens tells of those that were tried.")
}

// warnCautions tells, once, what is known against trusting keys to this kind of token.
func (c *client) warnCautions(diags *diag.Diagnostics, token keyring.TokenInfo) {
	for _, caution := range token.Cautions {
		c.warnOnce(diags, "This token is not for every purpose", caution)
	}
}
