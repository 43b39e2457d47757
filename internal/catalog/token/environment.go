package token

import (
	"context"
	"fmt"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// stamp is the body of the environment's marker. The marker is also the witness
// that a token shows its private objects at all, see Witness.
type stamp struct {
	Environment string `json:"environment"`
	StampedBy   string `json:"stamped_by"`
}

// Environment returns the name on the token's stamp as of the last scan, see
// environment.Marker. A token without one on which none can be set is
// fault.Unsupported.
func (c *Catalog) Environment(ctx context.Context) (string, error) {
	// By label, as this is asked before everything else: of a thousand keys, a
	// thousand times.
	markers, err := c.store.Lookup(ctx, cryptoki.CKA_LABEL, []byte(environmentLabel))
	if err != nil {
		return "", err
	}
	name, err := c.stamped(markers)
	if err != nil { // in dispute or damaged, as of some time ago
		name, err = c.settledStamp(ctx)
	}
	if name == "" && err == nil {
		name, err = c.unclaimed(ctx)
	}
	if name == "" && err == nil {
		err = c.usable(ctx)
	}
	return name, err
}

// usable refuses (fault.Unsupported) a token on which no record can be kept, before
// anything is planned for it.
func (c *Catalog) usable(ctx context.Context) error {
	keeps, err := c.store.KeepsData(ctx)
	if err != nil || keeps {
		return err
	}
	return &fault.Error{
		Kind: fault.Unsupported, Op: "use token", Subject: "records",
		Problem: "This token keeps no private data objects. The provider records keys, credentials and policies on the token itself, as such objects, " +
			"so it has no place for them here.",
		Hint: "Use a token that keeps private data objects: SoftHSM, openCryptoki, a TPM with tpm2-pkcs11 and most hardware modules do, NSS softokn does not. " +
			"Records in a database beside the token are planned, and not there yet.",
	}
}

// settledStamp looks at the token until its stamps agree; empty if none shows.
// Rivals that are alive settle their dispute in far less time than is waited here.
func (c *Catalog) settledStamp(ctx context.Context) (string, error) {
	for n := 1; ; n++ {
		markers, err := c.store.Search(ctx, Witness())
		if err != nil {
			return "", err
		}
		name, err := c.stamped(markers)
		if err == nil || !fault.Is(err, fault.Inconsistent) || n == patience {
			return name, err
		}
		if err := rest(ctx); err != nil {
			return "", err
		}
	}
}

// unstamped returns the name on the token's stamp as it is now, empty on positive
// evidence only that there is none: a second stamp must not be set because the
// first one did not show.
func (c *Catalog) unstamped(ctx context.Context) (string, error) {
	name, err := c.Environment(ctx)
	for n := 1; name == "" && err == nil; n++ {
		err = c.store.ConfirmAbsent(ctx, Witness())
		if err == nil {
			return "", nil
		}
		if !fault.Is(err, fault.Conflict) || n == attempts {
			return "", err
		}
		name, err = c.settledStamp(ctx) // another run stamped it since the scan
	}
	return name, err
}

// attempts is how often a stamp is looked for that shows and hides.
const attempts = 3

// stamped returns the name that all stamps agree on, empty if there are none. Two
// runs that stamped the same name at once, one of them killed, leave two.
func (c *Catalog) stamped(markers []cryptoki.Object) (string, error) {
	entries, remains, err := openAll(environmentLabel, markers)
	if err != nil {
		return "", err
	}
	if len(entries) == 0 && len(remains) > 0 {
		return "", damaged(environmentLabel, "It is cut off.")
	}
	name := ""
	for _, e := range entries {
		var s stamp
		if err := e.decode(&s); err != nil {
			return "", err
		}
		if s.Environment == "" {
			return "", damaged(environmentLabel, "It names no environment.")
		}
		if name != "" && name != s.Environment {
			return "", &fault.Error{
				Kind: fault.Inconsistent, Op: "read environment", Subject: subject(environmentLabel),
				Problem: fmt.Sprintf("The token is stamped for two environments, %q and %q.", name, s.Environment),
				Hint:    "Find out which one is right, and remove the other data object with CKA_LABEL " + environmentLabel + ".",
			}
		}
		name = s.Environment
	}
	return name, nil
}

// unclaimed returns the name that a token without a stamp, as of the last scan, got
// since; empty if it has none and no records either. Records without a stamp are
// fault.Inconsistent.
func (c *Catalog) unclaimed(ctx context.Context) (string, error) {
	objects, err := c.store.Objects(ctx)
	if err != nil {
		return "", err
	}
	records := 0
	for _, o := range objects {
		if _, _, ok := kindOf(string(o.Bytes(cryptoki.CKA_LABEL))); ok && ours(o) {
			records++
		}
	}
	if records == 0 {
		return "", nil
	}
	// The records may be newer than the look at the stamp: the first change of a token
	// stamps it and writes them, while others plan. A stamp always comes before them, so
	// this look tells.
	if name, err := c.settledStamp(ctx); name != "" || err != nil {
		return name, err
	}
	return "", &fault.Error{
		Kind: fault.Inconsistent, Op: "read environment", Subject: subject(environmentLabel),
		Problem: fmt.Sprintf("The token holds %d records, but not the marker that says which environment they belong to.", records),
		Hint:    "Somebody removed the marker. Restore the token's backup.",
	}
}

// Stamp marks the token as an environment's, see environment.Marker. Of two runs
// that stamp at once one wins; the other one is told fault.Environment if it meant
// another name.
func (c *Catalog) Stamp(ctx context.Context, environment, actor string) error {
	if environment == "" {
		return &fault.Error{Kind: fault.Invalid, Op: "stamp token", Problem: "An environment needs a name.", Hint: "Set environment."}
	}
	there, err := c.unstamped(ctx)
	if err != nil {
		return err
	}
	if there == "" {
		e := envelope{Kind: kindEnvironment, Generation: 1, ID: random(), Write: random()}
		mine, err := c.put(ctx, e, stamp{Environment: environment, StampedBy: actor})
		if err != nil {
			return err
		}
		err = c.defend(ctx, mine, func([]entry) bool { return true })
		if !fault.Is(err, fault.Conflict) {
			return err
		}
		if there, err = c.settledStamp(ctx); err != nil {
			return err
		}
	}
	if there != environment {
		return &fault.Error{
			Kind: fault.Environment, Op: "stamp token", Subject: subject(environmentLabel),
			Problem: fmt.Sprintf("The token belongs to the environment %q, not to %q.", there, environment),
			Hint:    "Use the token of the environment that you mean, or set the provider's environment to the token's.",
		}
	}
	return nil
}
