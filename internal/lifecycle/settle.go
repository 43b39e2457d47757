package lifecycle

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// lease is how long an intent of a run that cannot be asked is respected. A
// generation takes seconds, even of the largest RSA key.
const lease = 10 * time.Minute

func subject(name string) string { return fmt.Sprintf("key %q", name) }

func versionSubject(name string, number int) string {
	return fmt.Sprintf("key %q version %d", name, number)
}

// begin notes, in a record about to be written, what this run is going to change.
func (s *Service) begin(k *keyring.Key, what string, versions ...int) {
	k.Work = &keyring.Work{What: what, Versions: versions, Run: s.Run, Host: s.Host, PID: s.PID, Since: s.now()}
}

// open loads a record and settles it, so that a verb starts from a key on which
// nothing is half done.
func (s *Service) open(ctx context.Context, name string) (Record, error) {
	rec, err := s.Catalog.Load(ctx, name)
	if err != nil {
		return Record{}, err
	}
	if w := rec.Key.Work; w != nil && w.Run != s.Run && s.now().Sub(w.Since) < lease && s.Alive(*w) {
		return Record{}, &fault.Error{
			Kind: fault.Conflict, Op: w.What + " key", Subject: subject(name),
			Problem: fmt.Sprintf("Another run is working on this key (process %d on %s, since %s).", w.PID, w.Host, w.Since.Format(time.RFC3339)),
			Hint:    fmt.Sprintf("Wait for it to finish and run again. If it was killed, its claim lapses %s after it began.", lease),
		}
	}
	return s.settle(ctx, rec)
}

// settle brings the HSM in line with the record and closes the intent. It is the
// last step of every verb and the first of the next one, so that a verb that was
// killed anywhere is finished, or undone if it had not been committed, by whatever
// comes next. It can be killed anywhere itself: everything it does can be done twice.
func (s *Service) settle(ctx context.Context, rec Record) (Record, error) {
	if rec.Key.Work == nil {
		return rec, nil
	}
	k := rec.Key.Clone()
	for _, n := range successorsFirst(k) {
		v := k.Versions[n]
		if err := s.conform(ctx, k, v); err != nil {
			return rec, err
		}
		if v.Pending { // never shown to anyone; its number stays used
			delete(k.Versions, n)
		}
	}
	k.Work = nil
	return s.Catalog.Replace(ctx, rec, k)
}

// successorsFirst lists the versions under work, those that are to protect first:
// killed between two of them, the token then holds two versions that can sign,
// never none.
func successorsFirst(k *keyring.Key) []int {
	var protect, others []int
	for _, n := range k.Work.Versions {
		switch v := k.Versions[n]; {
		case v == nil: // settled by a run that was killed before it could say so
		case k.Permitted(v)&keyring.Protecting != 0 && !v.Pending:
			protect = append(protect, n)
		default:
			others = append(others, n)
		}
	}
	return append(protect, others...)
}

// conform makes the objects of one version what the record says.
func (s *Service) conform(ctx context.Context, k *keyring.Key, v *keyring.Version) error {
	switch {
	case v.Pending:
		return s.Token.Destroy(ctx, v.Ref, true)
	case !v.DestroyedAt.IsZero():
		// A version that was retired by destruction keeps its public object, so
		// that old signatures can be checked on the token, until the key goes too.
		keyGoes := k.Tombstone != nil && k.Tombstone.Action == keyring.DestroyDestroys
		return s.Token.Destroy(ctx, v.Ref, keyGoes || v.RetiredBy != keyring.RetireDestroys)
	default:
		enforcement, err := s.Token.Permit(ctx, v.Ref, k.Permitted(v))
		if fault.Is(err, fault.NotFound) {
			return nil // lost: nothing is left to be put right; observe reports it, revoking writes it off
		}
		if err != nil {
			return err
		}
		v.Enforcement = enforcement
		return nil
	}
}

// drifted lists the versions whose objects allow something else than the record
// says. It fails if an object is missing, doubled or replaced.
func (s *Service) drifted(ctx context.Context, k *keyring.Key) ([]int, error) {
	var numbers []int
	for _, n := range k.Numbers() {
		enforcement, err := s.observe(ctx, k, k.Versions[n])
		if err != nil {
			return nil, err
		}
		if enforcement == keyring.EnforcementDrifted {
			numbers = append(numbers, n)
		}
	}
	return numbers, nil
}

// observe compares a version's objects with its record and reports who enforces
// what it may not do. Versions without objects are passed over.
func (s *Service) observe(ctx context.Context, k *keyring.Key, v *keyring.Version) (keyring.Enforcement, error) {
	if v.Pending || !v.DestroyedAt.IsZero() {
		return v.Enforcement, nil
	}
	allowed := k.Permitted(v)
	possible := v.Algorithm.Operations()
	seen, err := s.Token.Inspect(ctx, v.Ref, v.Operations&keyring.Protecting&^allowed)
	if err != nil {
		return "", err
	}
	underWork := k.Work != nil && slices.Contains(k.Work.Versions, v.Number)
	if err := verdict(k, v, seen, underWork); err != nil {
		return "", err
	}
	switch {
	case seen.Permitted&possible != allowed:
		return keyring.EnforcementDrifted, nil
	case seen.Performed != 0:
		return keyring.EnforcedAdvisory, nil
	case seen.Refused != 0:
		return keyring.EnforcedByHSM, nil
	default: // nothing was forbidden, so nothing was tried
		return v.Enforcement, nil
	}
}

// verdict turns what the token holds for a version into an error unless it is
// what the record says. Doubles are accepted while work on the version is open:
// a killed copy leaves them, and settle cleans them up.
func verdict(k *keyring.Key, v *keyring.Version, seen Sighting, underWork bool) error {
	broken := func(problem, hint string) error {
		return &fault.Error{
			Kind: fault.Inconsistent, Op: "inspect key", Subject: versionSubject(k.Spec.Name, v.Number),
			Problem: problem, Hint: hint + " The record and the state are kept as they are.",
		}
	}
	wantPublic := 0
	if v.Ref.Pair {
		wantPublic = 1
	}
	switch {
	case seen.Secrets == 0:
		return broken(fmt.Sprintf("The private or secret key object (CKA_ID %s) is no longer on the token, though its record is: somebody removed it.", v.Ref.ID),
			"Restore the object from the HSM's backup. If it is lost for good, add the version to the rotation's revoke map and run `terraform apply -refresh=false`: a new version takes over.")
	case underWork:
		return nil
	case seen.Secrets > 1 || seen.Publics > wantPublic:
		return broken(fmt.Sprintf("There are %d private or secret and %d public objects with CKA_ID %s; there must be exactly one of each kind.", seen.Secrets, seen.Publics, v.Ref.ID),
			"Find out which one is the impostor (compare the public key with public_key_pem in the state) and remove it with the token's own tools.")
	case seen.Publics < wantPublic:
		return broken(fmt.Sprintf("The public key object (CKA_ID %s) is no longer on the token: somebody removed it.", v.Ref.ID),
			"Write it back from public_key_pem in the state, for example with `pkcs11-tool --write-object … --type pubkey --id …`.")
	case v.Ref.Pair && !slices.Equal(seen.PublicKey, v.PublicKey):
		return broken(fmt.Sprintf("The public key object with CKA_ID %s is not the one that was recorded: somebody replaced it.", v.Ref.ID),
			"Put the recorded public key (public_key_pem in the state) back, and find out who changed it.")
	}
	return nil
}
