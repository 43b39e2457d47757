package assembly

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/keystead/terraform-provider-hsm/internal/audit"
	"github.com/keystead/terraform-provider-hsm/internal/catalog/audited"
	catalog "github.com/keystead/terraform-provider-hsm/internal/catalog/token"
	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// subjects tells the audit log of all that there is on a token: where the history of each
// record stands, and which keys have no record.
func subjects(ctx context.Context, token *cryptoki.Token, on *catalog.Catalog) ([]audit.Event, error) {
	stamp, err := on.Environment(ctx)
	if err != nil || stamp == "" { // nothing is there yet
		return nil, err
	}
	histories, err := histories(ctx, on)
	if err != nil {
		return nil, err
	}
	var events []audit.Event
	for _, name := range slices.Sorted(maps.Keys(histories)) {
		kind, rest, _ := strings.Cut(name, "/")
		e := audited.Event(kind, rest, histories[name], 0)
		e.Operation = "baseline"
		if all := histories[name].All(); len(all) > 0 {
			e.Time = all[len(all)-1].At
		}
		events = append(events, e)
	}
	strangers, err := foreign(ctx, token, on)
	for _, name := range slices.Sorted(maps.Keys(strangers)) {
		events = append(events, audit.Event{Operation: "baseline", Subject: name, Steps: []audit.Step{{What: "found", Reason: strangers[name]}}})
	}
	return events, err
}

// versions lists, by subject and number, the versions whose keys should be on the token, with
// their fingerprints.
func versions(ctx context.Context, on *catalog.Catalog) (map[string]map[int]string, error) {
	list, err := catalog.Of[*keyring.Key](on, catalog.Keys).List(ctx)
	all := map[string]map[int]string{}
	for _, rec := range list {
		of := map[int]string{}
		for n, v := range rec.Body.Versions {
			if !v.Pending && v.DestroyedAt.IsZero() {
				of[n] = v.Fingerprint
			}
		}
		all[string(catalog.Keys)+"/"+rec.Body.Spec.Name] = of
	}
	return all, err
}

var keyClasses = map[uint]string{
	cryptoki.CKO_PUBLIC_KEY: "public key", cryptoki.CKO_PRIVATE_KEY: "private key", cryptoki.CKO_SECRET_KEY: "secret key",
}

// foreign describes the keys on a token that no record is about, and those that are there
// more than once, by "object/" and their CKA_ID. Of a key that a run has begun to change there
// may be two for a while: what may be done is switched off in a copy that takes the place of
// the object.
func foreign(ctx context.Context, token *cryptoki.Token, on *catalog.Catalog) (map[string]string, error) {
	list, err := catalog.Of[*keyring.Key](on, catalog.Keys).List(ctx)
	if err != nil {
		return nil, err
	}
	recorded, changing := map[string]bool{}, map[string]bool{}
	for _, rec := range list {
		for _, v := range rec.Body.Versions {
			recorded[v.Ref.ID], changing[v.Ref.ID] = true, rec.Body.Work != nil
		}
	}
	objects, err := token.Objects(ctx)
	counts := map[string]map[string]int{}
	for _, o := range objects {
		class, isKey := keyClasses[o.Class]
		if !isKey {
			continue
		}
		id := hex.EncodeToString(o.Bytes(cryptoki.CKA_ID))
		if counts[id] == nil {
			counts[id] = map[string]int{}
		}
		counts[id][fmt.Sprintf("%s %q", class, o.Bytes(cryptoki.CKA_LABEL))]++
	}
	found := map[string]string{}
	for id, of := range counts {
		var words []string
		for _, what := range slices.Sorted(maps.Keys(of)) {
			switch n := of[what]; {
			case n > 1 && !changing[id]:
				words = append(words, fmt.Sprintf("%s %d times", what, n))
			case !recorded[id]:
				words = append(words, what)
			}
		}
		if len(words) > 0 {
			found["object/"+id] = strings.Join(words, ", ")
		}
	}
	return found, err
}
