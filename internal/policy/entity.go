package policy

import (
	"strings"

	"github.com/cedar-policy/cedar-go/types"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// entityType is a type of entity in Cedar, see schemaText.
type entityType string

const (
	credentialType entityType = "Credential"
	keyType        entityType = "Key"
	ownerType      entityType = "Owner"
	tagType        entityType = "Tag"
	actionType     entityType = "Action"
)

// entity is the name of an entity in Cedar.
type entity struct {
	Type entityType
	ID   string
}

// String returns the entity as Cedar writes it.
func (e entity) String() string { return string(e.Type) + "::" + quoted(e.ID) }

func (e entity) uid() types.EntityUID {
	return types.NewEntityUID(types.EntityType(e.Type), types.String(e.ID))
}

// groups returns what a credential or key belongs to: its owner and its tags.
func groups(owner string, tags map[string]string) []entity {
	var all []entity
	if owner != "" {
		all = append(all, entity{ownerType, owner})
	}
	for key, value := range tags {
		if !strings.Contains(key, "=") { // see schemaText
			all = append(all, entity{tagType, key + "=" + value})
		}
	}
	return all
}

// entity returns a credential as Cedar sees it.
func (p *Principal) entity() types.Entity {
	return newEntity(entity{credentialType, p.Name}, groups(p.Owner, p.Tags), p.Tags, types.RecordMap{
		"name": types.String(p.Name), "owner": types.String(p.Owner),
	})
}

// keyEntity returns a key as Cedar sees it.
func keyEntity(k *keyring.Key) types.Entity {
	return newEntity(entity{keyType, k.Spec.Name}, groups("", k.Spec.Tags), k.Spec.Tags, types.RecordMap{
		"name": types.String(k.Spec.Name), "algorithm": types.String(k.Spec.Algorithm), "extractable": types.Boolean(k.Spec.Extractable),
	})
}

func newEntity(e entity, parents []entity, tags map[string]string, attributes types.RecordMap) types.Entity {
	uids := make([]types.EntityUID, len(parents))
	for i, p := range parents {
		uids[i] = p.uid()
	}
	values := make(types.RecordMap, len(tags))
	for key, value := range tags {
		values[types.String(key)] = types.String(value)
	}
	return types.Entity{UID: e.uid(), Parents: types.NewEntityUIDSet(uids...), Attributes: types.NewRecord(attributes), Tags: types.NewRecord(values)}
}

// quoted is a text as Cedar writes it.
func quoted(s string) string { return string(types.String(s).MarshalCedar()) }
