package lifecycle

import (
	"context"
	"fmt"
	"strings"

	"github.com/keystead/terraform-provider-hsm/internal/catalog"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// Known is what a caller remembers of a key from earlier: the evidence that the
// token has to account for before the key may be called gone.
type Known struct {
	Refs   []keyring.Ref // nothing is known of the key if there are none
	Serial string        // of the token that the key was last seen on; empty if unknown
	// Imported says that the caller has imported the key and changed nothing since:
	// to it a key that a removal disabled is a disabled key.
	Imported bool
}

// Read returns a key as it is now, each version with its enforcement as just
// tried. fault.NotFound means that the key was removed, to the end, or that there never
// was one: a removal always leaves a tombstone, so the record of a key that is known
// and has none was lost or taken away. That is fault.Inconsistent, like every
// other difference between what is known and what is there.
func (s *Service) Read(ctx context.Context, name string, known Known) (*keyring.Key, error) {
	defer s.lock(name)()
	if len(known.Refs) > 0 {
		if err := s.Environment.Require(ctx, subject(name)); err != nil {
			return nil, err
		}
	}
	stamped, err := s.Environment.Check(ctx)
	if err != nil {
		return nil, err
	}
	if !stamped {
		return nil, unstamped(name)
	}
	rec, err := s.Catalog.Load(ctx, name)
	if fault.Is(err, fault.NotFound) {
		return nil, s.gone(ctx, name, known, err)
	}
	if err != nil {
		return nil, err
	}
	if k := rec.Body; !k.Committed() || (k.Tombstone != nil && !(known.Imported && restorable(k)) && !leaving(k, known)) {
		return nil, removed(name, k)
	}
	return s.observed(ctx, rec)
}

func unstamped(name string) error {
	return &fault.Error{
		Kind: fault.NotFound, Op: "read key", Subject: subject(name),
		Problem: "There is no key of this name: the token bears no environment's stamp, so this provider has made no keys on it yet.",
		Hint:    "Check whether this is the token that was meant.",
	}
}

// leaving reports whether a removal was begun and not finished: to whoever knows the key
// it is there until then, or nobody would finish what a kill left, and a key that is said
// to be gone could go on signing.
func leaving(k *keyring.Key, known Known) bool {
	return k.Tombstone != nil && k.Work != nil && len(known.Refs) > 0
}

// observed returns the key with each version's enforcement as just tried. A key
// that a removal disabled is shown as what it is: disabled.
func (s *Service) observed(ctx context.Context, rec Record) (*keyring.Key, error) {
	k := rec.Body.Clone()
	for _, n := range k.Numbers() {
		v := k.Versions[n]
		var err error
		if v.Enforcement, err = s.observe(ctx, k, v); err != nil {
			return nil, err
		}
	}
	if k.Tombstone != nil {
		k.Spec.Enabled = false
	}
	return k, nil
}

// restorable reports whether a removed key can be taken back.
func restorable(k *keyring.Key) bool {
	return k.Committed() && k.Tombstone != nil && k.Tombstone.Action == keyring.DestroyDisables
}

// gone decides what a missing record means. The record may have been removed
// while the key is still there, or this may be another token altogether.
func (s *Service) gone(ctx context.Context, name string, known Known, absent error) error {
	if len(known.Refs) == 0 {
		return absent
	}
	info, err := s.Token.Info(ctx)
	if err != nil {
		return err
	}
	if known.Serial != "" && known.Serial != info.Serial {
		return &fault.Error{
			Kind: fault.Inconsistent, Op: "read key", Subject: subject(name),
			Problem: fmt.Sprintf("The key is not on this token (serial %s); it was last seen on a token with serial %s.", info.Serial, known.Serial),
			Hint:    "Check which token the provider selects. If the key was moved on purpose, remove it from the state with `terraform state rm`.",
		}
	}
	for _, ref := range known.Refs {
		seen, err := s.Token.Inspect(ctx, ref, keyring.None)
		if err != nil {
			return err
		}
		if seen.Secrets+seen.Publics > 0 {
			return &fault.Error{
				Kind: fault.Inconsistent, Op: "read key", Subject: subject(name),
				Problem: fmt.Sprintf("The key's record was removed from the token, but the object with CKA_ID %s is still there.", ref.ID),
				Hint: fmt.Sprintf("Restore the record from the HSM's backup, or take the key back: `terraform state rm` the resource, then "+
					"`terraform import ADDRESS %q`.", "pkcs11:id="+percent(ref.ID)+"?x-name="+name),
			}
		}
	}
	return lost(name)
}

// lost is the fault of a key that is known and has no record, not even of its removal.
func lost(name string) error {
	return &fault.Error{
		Kind: fault.Inconsistent, Op: "find key", Subject: subject(name),
		Problem: "The key's record and its objects are no longer on the token. It was not removed by this provider, which would have left a record of that: somebody removed it with other tools, or the HSM was restored from an older backup.",
		Hint:    "Restore the HSM from a backup that has the key. If it is lost for good, agree to that with `terraform state rm`; then a new one can be made.",
	}
}

// percent writes hexadecimal as a percent-encoded byte string (RFC 3986, section 2.1).
func percent(id string) string {
	var b strings.Builder
	for i := 0; i+2 <= len(id); i += 2 {
		b.WriteString("%" + strings.ToUpper(id[i:i+2]))
	}
	return b.String()
}

// removed says that a name has a record but no living key.
func removed(name string, k *keyring.Key) error {
	problem, hint := "There is no key of this name: its creation was never completed.", ""
	if restorable(k) {
		hint = "To take it back, import it as hsm_key and apply."
	}
	if k.Tombstone != nil {
		problem = fmt.Sprintf("The key was removed on %s by %s (on_destroy = %q).", k.Tombstone.At.Format("2006-01-02"), k.Tombstone.Actor, k.Tombstone.Action)
	}
	return &fault.Error{Kind: fault.NotFound, Op: "read key", Subject: subject(name), Problem: problem, Hint: hint}
}

// List returns every living key that has an owner, by name, as recorded. The objects
// are not looked at.
func (s *Service) List(ctx context.Context) ([]*keyring.Key, error) {
	if err := s.Guard(ctx); err != nil {
		return nil, err
	}
	records, err := s.Catalog.List(ctx)
	if err != nil {
		return nil, err
	}
	var keys []*keyring.Key
	for _, rec := range records {
		if rec.Body.Committed() && rec.Body.Tombstone == nil && !keyring.IsReserved(rec.Body.Spec.Name) {
			keys = append(keys, rec.Body.Clone())
		}
	}
	return keys, nil
}

// Mark returns what tells the record of a name, as it is now, from older ones and from
// others, for Follows; empty if there is none.
func (s *Service) Mark(ctx context.Context, name string) string {
	rec, err := s.Catalog.Load(ctx, name)
	if err != nil {
		return ""
	}
	return rec.Mark()
}

// Follows refuses (fault.Inconsistent) a record that is older than a mark that was seen
// of it, or another one. It is asked before Read, which would take either for the truth.
func (s *Service) Follows(ctx context.Context, name, mark string) error {
	if stamped, err := s.Environment.Check(ctx); err != nil || !stamped {
		return err
	}
	return catalog.Follows(ctx, s.Catalog, name, mark, subject(name))
}
