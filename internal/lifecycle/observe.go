package lifecycle

import (
	"context"
	"fmt"
	"slices"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

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
//
// Whether the objects are there and are the recorded key is asked of every version
// that has not been revoked. Revoking is the way out for one that was lost or
// replaced: what is under its CKA_ID is then switched off, whosever it is.
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
	if v.RevokedAt.IsZero() {
		if err := verdict(k, v, seen, underWork); err != nil {
			return "", err
		}
		if !underWork {
			if err := s.identify(ctx, k, v, seen); err != nil {
				return "", err
			}
			s.notice(k, v, seen)
		}
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
	broken := func(problem, hint string) error { return broken(k, v, problem, hint) }
	wantPublic := 0
	if v.Ref.Pair {
		wantPublic = 1
	}
	switch {
	case seen.Secrets == 0:
		return broken(fmt.Sprintf("The private or secret key object (CKA_ID %s) is no longer on the token, though its record is: somebody removed it, or gave it another CKA_ID.", v.Ref.ID),
			"Restore the object from the HSM's backup. If it is lost for good, add the version to the revoke map of its hsm_key_rotation (make one if there is none) and run `terraform apply -refresh=false`: a new version takes over.")
	case underWork:
		return nil
	case seen.Secrets > 1 || seen.Publics > wantPublic:
		return broken(fmt.Sprintf("There are %d private or secret and %d public objects with CKA_ID %s; there must be exactly one of each kind.", seen.Secrets, seen.Publics, v.Ref.ID),
			"Find out which one is the impostor (compare the public key with public_key_pem in the state) and remove it with the token's own tools.")
	case seen.Publics < wantPublic:
		return broken(fmt.Sprintf("The public key object (CKA_ID %s) is no longer on the token: somebody removed it, or gave it another CKA_ID.", v.Ref.ID),
			"Write it back from public_key_pem in the state, for example with `pkcs11-tool --write-object … --type pubkey --id …`.")
	case v.Ref.Pair && !slices.Equal(seen.PublicKey, v.PublicKey):
		return broken(fmt.Sprintf("The public key object with CKA_ID %s is not the one that was recorded: somebody replaced it.", v.Ref.ID),
			"Put the recorded public key (public_key_pem in the state) back, and find out who changed it. If the whole pair was replaced and the recorded key is lost for good, "+
				"add the version to the revoke map of its hsm_key_rotation (make one if there is none) and run `terraform apply -refresh=false`: a new version takes over, and what is under this CKA_ID is switched off.")
	}
	return nil
}

// identify fails unless the objects of a version are the recorded key, by what the
// token says of their origin and by using them.
func (s *Service) identify(ctx context.Context, k *keyring.Key, v *keyring.Version, seen Sighting) error {
	replaced := func(evidence string) error {
		return broken(k, v, fmt.Sprintf("The private or secret key object with CKA_ID %s is not the key that was recorded: somebody replaced it. %s", v.Ref.ID, evidence),
			"Restore the object from the HSM's backup, and find out who replaced it. If the recorded key is lost for good, add the version to the revoke map of its hsm_key_rotation (make one if there is none) "+
				"and run `terraform apply -refresh=false`: a new version takes over, and what is under this CKA_ID is switched off.")
	}
	if seen.Algorithm != v.Algorithm {
		return replaced(fmt.Sprintf("It is of %s, recorded is %s.", seen.Algorithm, v.Algorithm))
	}
	if seen.Extractable && !v.Extractable {
		return replaced("It is extractable, the recorded one is not, and that cannot be changed.")
	}
	if was, is := v.Birth, seen.Birth; was.Attested {
		for _, each := range []struct {
			attribute string
			was, is   bool
		}{
			{"CKA_LOCAL", was.Local, is.Local},
			{"CKA_ALWAYS_SENSITIVE", was.AlwaysSensitive, is.AlwaysSensitive},
			{"CKA_NEVER_EXTRACTABLE", was.NeverExtractable, is.NeverExtractable},
		} {
			if each.was != each.is {
				return replaced(fmt.Sprintf("Its %s is %t, recorded is %t, and that never changes.", each.attribute, each.is, each.was))
			}
		}
	}
	proof, err := s.Token.Prove(ctx, v.Ref, v.PublicKey, v.Fingerprint)
	switch {
	case err != nil:
		return err
	case proof == Disproven && v.Ref.Pair:
		return replaced("What it signs, decrypts or derives does not go with the recorded public key.")
	case proof == Disproven:
		return replaced("Its check value is not the recorded fingerprint.")
	}
	return nil
}

// notice warns of what somebody changed that neither makes another key of it nor can be
// put right.
func (s *Service) notice(k *keyring.Key, v *keyring.Version, seen Sighting) {
	warn := func(format string, args ...any) {
		s.warn(fmt.Sprintf("Key %q version %d: ", k.Spec.Name, v.Number) + fmt.Sprintf(format, args...))
	}
	// The halves of a key that was made elsewhere may have had different labels always.
	ours := v.Ref.Label == keyring.NewRef(k.Spec.Name, v.Number, v.Algorithm).Label
	for _, each := range []struct {
		what, label string
		is          bool
	}{{"private or secret key", seen.SecretLabel, true}, {"public key", seen.PublicLabel, v.Ref.Pair && ours}} {
		if each.is && each.label != v.Ref.Label {
			warn("The %s object with CKA_ID %s is labelled %q, recorded is %q: somebody renamed it. Here it is found by its CKA_ID; "+
				"programs that look for the label do not find it any more. Name it as recorded again, with pkcs11-tool or the vendor's tool.", each.what, v.Ref.ID, each.label, v.Ref.Label)
		}
	}
	if v.Extractable && !seen.Extractable {
		warn("Somebody switched off CKA_EXTRACTABLE of the object with CKA_ID %s, and that is for good: it can no longer be wrapped. "+
			"Rotate the key for a version that can.", v.Ref.ID)
	}
}

func broken(k *keyring.Key, v *keyring.Version, problem, hint string) error {
	return &fault.Error{
		Kind: fault.Inconsistent, Op: "inspect key", Subject: versionSubject(k.Spec.Name, v.Number),
		Problem: problem, Hint: hint + " The record and the state are kept as they are.",
	}
}
