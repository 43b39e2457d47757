package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// lint finds what somebody should have a second look at.
func (c *checker) lint(rules, others []*rule) {
	for i, r := range rules {
		if r.effect == Permit {
			c.breadth(r)
			c.cover(r, i, rules, others)
		}
		c.groups(r)
		c.impossible(r)
	}
}

// breadth finds permits that are wider than they have to be, or narrower than they look.
func (c *checker) breadth(r *rule) {
	if r.principals == nil && r.reads&readsPrincipal == 0 {
		c.say(Caution, r, "principals", Any, "This permits every credential of the environment, those to come too.", "Name who needs it, an owner, or a tag.")
	}
	if r.keys == nil && r.reads&readsResource == 0 {
		c.say(Caution, r, "keys", Any, "This permits the use of every key of the environment, those to come too.", "Name the keys that are needed, or a tag.")
	}
	if r.actions.has(setOf(SignDigest)) {
		c.say(Caution, r, "actions", string(SignDigest), "This permits sign_digest: whoever has it can have anything signed, as only a digest of it is seen.",
			`Permit "sign" instead, if the caller can hand over what is to be signed.`)
	}
	if r.isAnyAction {
		c.say(Caution, r, "actions", "", "This permits every action but sign_digest, which no policy permits that does not name it in its scope.",
			"Name the actions that are needed.")
	}
}

// groups finds owners and tags that nobody and nothing has.
func (c *checker) groups(r *rule) {
	for _, e := range r.principals {
		c.group(r, "principals", "credential", e, c.people)
	}
	for _, e := range r.keys {
		c.group(r, "keys", "key", e, c.things)
	}
}

func (c *checker) group(r *rule, field, noun string, e entity, in members) {
	if e.Type != ownerType && e.Type != tagType || slices.Contains(in.of(e.Type), e.ID) {
		return
	}
	kind := strings.ToLower(string(e.Type))
	c.say(Caution, r, field, kind+":"+e.ID, fmt.Sprintf("No %s has the %s %q now: as long as that is so, it stands for nothing.", noun, kind, e.ID),
		suggestion(e.ID, in.of(e.Type), ""))
}

// impossible finds what can never hold: actions that none of a rule's keys can do in any
// state, and networks that no caller is in.
func (c *checker) impossible(r *rule) {
	var could actionSet
	isAbout := false
	for _, k := range c.world.Keys {
		if matches(r.keys, entity{keyType, k.Spec.Name}, c.things[k.Spec.Name]) {
			isAbout = true
			could |= capable(k)
		}
	}
	if isAbout && r.actions != anyAction && !r.isAnyAction {
		for _, a := range (r.actions &^ could).list() {
			c.say(Caution, r, "actions", string(a), fmt.Sprintf("None of the keys can do %s, in whatever state.", a), "Leave it out, or look at the keys' algorithms and operations.")
		}
	}
	if r.condition != nil && len(r.condition.SourceCIDRs) > 0 && !slices.ContainsFunc(r.condition.SourceCIDRs, isSource) {
		c.say(Caution, r, "condition.source_cidrs", "", "No caller has an address in these networks: the statement never applies.", "Name the networks that callers are in.")
	}
}

// matches reports whether a rule that names some entities, or everything, is about
// something that belongs to some groups.
func matches(named []entity, itself entity, groups []entity) bool {
	return named == nil || slices.Contains(named, itself) || slices.ContainsFunc(groups, func(g entity) bool { return slices.Contains(named, g) })
}

// capable returns what a key can do in the best of its states, with some version. Of one
// that is only known by name everything is expected.
func capable(k *keyring.Key) actionSet {
	if k.Spec.Algorithm == "" {
		return everyAction
	}
	set := capableAs(k.Spec.Algorithm, k.Spec.Operations)
	for _, v := range k.Versions {
		set |= capableAs(v.Algorithm, v.Operations)
	}
	return set
}

func capableAs(a keyring.Algorithm, operations keyring.Operations) actionSet {
	set := possible(a, operations)
	if a.IsPair() {
		set |= setOf(GetPublicKey)
	}
	return set
}

// isSource reports whether packets come from a network: multicast addresses and the
// unspecified ones are for other uses (RFC 5771, RFC 4291 sections 2.5.2 and 2.7).
func isSource(cidr string) bool {
	network, err := netip.ParsePrefix(cidr)
	return err == nil && !network.Addr().IsMulticast() && (!network.Addr().IsUnspecified() || !network.IsSingleIP())
}
