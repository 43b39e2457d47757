package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/history"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// Action is something to be done with a key.
type Action string

// The actions. SignDigest signs a digest that the caller computed, so that nobody on
// this side can know what is signed; no wildcard stands for it.
const (
	Sign         Action = "sign"
	SignDigest   Action = "sign_digest"
	Verify       Action = "verify"
	Encrypt      Action = "encrypt"
	Decrypt      Action = "decrypt"
	Wrap         Action = "wrap"
	Unwrap       Action = "unwrap"
	MAC          Action = "mac"
	Derive       Action = "derive"
	GetPublicKey Action = "get_public_key"
)

// Any stands for every principal, every key, or every action but SignDigest.
const Any = "any"

// Effect says what a statement does.
type Effect string

// The effects. One statement that forbids outweighs all that permit.
const (
	Permit Effect = "permit"
	Forbid Effect = "forbid"
)

// Spec is what an owner asks of a policy: Statements, or Cedar text, not both.
type Spec struct {
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
	Enabled     bool              `json:"enabled"`
	Statements  []Statement       `json:"statements,omitempty"`
	Cedar       string            `json:"cedar,omitempty"` // as written
}

// Digest is the SHA-256, in hexadecimal, of what the policy says, as JSON.
func (s Spec) Digest() string {
	text, err := json.Marshal(s)
	if err != nil { // there is nothing in it that has no JSON
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Statement permits or forbids. Whatever is in it has to apply.
type Statement struct {
	Effect     Effect     `json:"effect"`
	Principals []string   `json:"principals"` // names of credentials, "owner:NAME", "tag:KEY=VALUE", or Any; one of them
	Actions    []string   `json:"actions"`    // one of them
	Keys       []string   `json:"keys"`       // names of keys, "tag:KEY=VALUE", or Any; one of them
	Condition  *Condition `json:"condition,omitempty"`
}

// Condition narrows a statement; all that is set has to hold. About something that is not
// known of a request it holds in a statement that forbids, and does not in one that permits.
type Condition struct {
	SourceCIDRs     []string `json:"source_cidrs,omitempty"` // IPv4 or IPv6; the caller's address is in one of them
	NotBefore       string   `json:"not_before,omitempty"`   // RFC 3339
	NotAfter        string   `json:"not_after,omitempty"`    // RFC 3339; excluded
	Hours           *Hours   `json:"hours,omitempty"`
	MaxPayloadBytes *int64   `json:"max_payload_bytes,omitempty"`
	Mechanisms      []string `json:"mechanisms,omitempty"` // names of PKCS#11 mechanisms, "CKM_ECDSA"; one of them
}

// Hours is a part of the day on some days of the week, in the civil time of a zone.
// From later than To goes past midnight and belongs to the day on which it began.
type Hours struct {
	From     string   `json:"from"`               // "08:00"
	To       string   `json:"to"`                 // "18:30", excluded; "24:00" is the end of the day
	TimeZone string   `json:"time_zone"`          // IANA name, "Europe/Zurich"
	Weekdays []string `json:"weekdays,omitempty"` // "monday"…; empty is every day
}

// Policy is a policy as recorded.
type Policy struct {
	Spec      Spec          `json:"spec"`
	CreatedAt time.Time     `json:"created_at,omitzero"`
	Tombstone *Tombstone    `json:"tombstone,omitempty"`
	Chain     history.Chain `json:"chain,omitzero"`
	// Earlier is what was noted before there was a Chain, which takes it over with the next
	// entry.
	Earlier []keyring.Transition `json:"history,omitempty"`
}

// Tombstone says when and by whom a policy was removed.
type Tombstone struct {
	At    time.Time `json:"at"`
	Actor string    `json:"actor"`
}
