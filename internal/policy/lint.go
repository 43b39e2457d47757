package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// lint finds what somebody should have a second look at.
func (c *checker) lint(rules []*rule) {
	for i, r := range rules {
		before := len(c.findings)
		c.groups(r)
		c.impossible(r)
		c.never(r)
		isIdle := len(c.findings) > before // there is no need to say once more that it does nothing
		if r.effect == Permit {
			c.breadth(r)
			c.cover(r, i, rules)
			if !isIdle {
				c.idle(r)
			}
		}
	}
}

// breadth finds permits that are wider than they have to be, or narrower than they look.
func (c *checker) breadth(r *rule) {
	if r.principals == nil && r.clause.reads&readsPrincipal == 0 {
		c.caution(r, "principals", Any, "permits every credential", "This permits every credential of the environment, those to come too.", "Name who needs it, an owner, or a tag.")
	}
	if r.keys == nil && r.clause.reads&readsResource == 0 {
		c.caution(r, "keys", Any, "permits every key", "This permits the use of every key of the environment, those to come too.", "Name the keys that are needed, or a tag.")
	}
	if r.actions.has(setOf(SignDigest)) {
		c.caution(r, "actions", string(SignDigest), "permits sign_digest",
			"This permits sign_digest: whoever has it can have anything signed, as only a digest of it is seen.",
			`Permit "sign" instead, if the caller can hand over what is to be signed.`)
	}
	if r.isAnyAction {
		c.caution(r, "actions", "", "permits every action", "This permits every action but sign_digest, which no policy permits that does not name it in its scope.",
			"Name the actions that are needed.")
	}
}

// groups finds owners and tags that nobody and nothing has.
func (c *checker) groups(r *rule) {
	for _, e := range r.principals {
		c.group(r, "principals", "credential", e, credentialType)
	}
	for _, e := range r.keys {
		c.group(r, "keys", "key", e, keyType)
	}
}

func (c *checker) group(r *rule, field, noun string, e entity, of entityType) {
	if e.Type != ownerType && e.Type != tagType || c.engine.has(of, e) {
		return
	}
	kind := strings.ToLower(string(e.Type))
	title := fmt.Sprintf("no %s has the %s %q now", noun, kind, e.ID)
	c.say(Finding{
		Severity: Caution, IsPassing: true, Title: title, Problem: "N" + title[1:] + ": as long as that is so, it stands for nothing.",
		Hint: suggestion(e.ID, c.engine.knownGroups(of, e.Type), ""),
	}, r, field, kind+":"+e.ID)
}

// impossible finds what can never hold: actions that none of a rule's keys can do in any
// state, or not by the mechanisms that are asked for, networks that no caller is in, and
// times that have gone by.
func (c *checker) impossible(r *rule) {
	if r.actions != anyAction && !r.isAnyAction {
		could, isAbout := c.capable(r, nil)
		for _, a := range (r.actions &^ could).list() {
			if isAbout {
				c.caution(r, "actions", string(a), "no key can do "+string(a), fmt.Sprintf("None of the keys can do %s, in whatever state.", a),
					"Leave it out, or look at the keys' algorithms and operations.")
			}
		}
	}
	if r.condition == nil {
		return
	}
	if len(r.condition.SourceCIDRs) > 0 && !slices.ContainsFunc(r.condition.SourceCIDRs, isSource) {
		c.caution(r, "condition.source_cidrs", "", "no caller is in its networks", "No caller has an address in these networks: the statement never applies.",
			"Name the networks that callers are in.")
	}
	if end, err := time.Parse(time.RFC3339, r.condition.NotAfter); err == nil && !c.now.Before(end) {
		c.caution(r, "condition.not_after", "", "its time is over", fmt.Sprintf("The statement applied before %s only, which has gone by: it never applies any more.", r.condition.NotAfter),
			"Leave the statement out, or correct the time.")
	}
	c.mechanisms(r)
}

// mechanisms finds mechanisms that there are not, and actions that no key can do by any of
// those that are asked for.
func (c *checker) mechanisms(r *rule) {
	const field = "condition.mechanisms"
	if len(r.condition.Mechanisms) == 0 {
		return
	}
	for _, m := range r.condition.Mechanisms {
		if !keyring.Mechanism(m).IsKnown() {
			c.caution(r, field, m, "mechanism "+m+" is not known", fmt.Sprintf("PKCS#11 has no mechanism %s by which keys like these do anything: no request is made with it.", m),
				suggestion(m, keyring.KnownMechanisms(), "If it is the vendor's own, all is well. Otherwise correct or remove it."))
		}
	}
	if r.keys == nil { // keys to come are meant as well
		return
	}
	could, isAbout := c.capable(r, nil)
	by, _ := c.capable(r, r.condition.Mechanisms)
	could &^= setOf(GetPublicKey) // takes no mechanism
	if void := r.actions & could &^ by; isAbout && void != 0 && (r.actions != anyAction || void == r.actions&could) {
		actions := make([]string, 0, len(void.list()))
		for _, a := range void.list() {
			actions = append(actions, string(a))
		}
		c.caution(r, field, "", "no key can do "+strings.Join(actions, ", ")+" by its mechanisms",
			fmt.Sprintf("None of the keys can do %s by %s: for that the statement never applies.", strings.Join(actions, " or "), strings.Join(r.condition.Mechanisms, " or ")),
			"Name mechanisms that fit the keys' algorithms and the action.")
	}
}

// capable returns what the keys of a rule can do, by any mechanism or by some. isAbout
// tells whether there are any.
func (c *checker) capable(r *rule, by []string) (could actionSet, isAbout bool) {
	for t := range c.engine.targetsUnder(r) {
		isAbout = true
		could |= capable(t.Key, by)
	}
	return could, isAbout
}

// never finds conditions of which it can be told without any request that they do not hold,
// or come to an error.
func (c *checker) never(r *rule) {
	for _, p := range r.clause.parts {
		switch p.always(c.engine.entities) {
		case holdsNot:
			c.caution(r, "condition", "", "never applies", "Its condition can never hold, whatever the request is: it never applies.", "Correct the condition, or leave this out.")
			return
		case fails:
			c.caution(r, "condition", "", "comes to an error", "Its condition cannot be evaluated, whatever the request is. An error denies: every request that gets as far as "+
				"this condition is denied, whatever else permits it.", "Correct the condition.")
			return
		}
	}
}

// idle finds permits that nothing of what there is now gets anything by. What depends on a
// request is taken to hold, and of what is only known by name everything is expected.
func (c *checker) idle(r *rule) {
	isAbout := false
	for t := range c.engine.targetsUnder(r) {
		able := t.able(c.now) & r.actions
		for caller := range c.engine.callersUnder(r) {
			if isAbout = true; t.Spec.Algorithm == "" || len(caller.Versions) == 0 {
				return
			}
			for _, a := range actionsByName {
				if able&(1<<a) != 0 && c.survey.outcomes(r, pairing{caller, t, a})&holds != 0 {
					return
				}
			}
		}
	}
	if isAbout {
		c.say(Finding{
			Severity: Caution, IsPassing: true, Title: "permits nothing now",
			Problem: "This permits nothing of what there is now: none of the credentials that it is about may do anything by it with any of the keys.",
			Hint:    "Look at the condition, and at what the keys can do in their states.",
		}, r, "", "")
	}
}

// matches reports whether a rule that names some entities, or everything, is about
// something that belongs to some groups.
func matches(named []entity, itself entity, groups []entity) bool {
	return named == nil || slices.Contains(named, itself) || slices.ContainsFunc(groups, func(g entity) bool { return slices.Contains(named, g) })
}

// capable returns what a key can do in the best of its states, with some version, by one
// of some mechanisms; by any for nil. Of one that is only known by name everything is
// expected.
func capable(k *keyring.Key, by []string) actionSet {
	if k.Spec.Algorithm == "" {
		return everyAction
	}
	set := capableAs(k.Spec.Algorithm, k.Spec.Operations, by)
	for _, v := range k.Versions {
		set |= capableAs(v.Algorithm, v.Operations, by)
	}
	return set
}

func capableAs(a keyring.Algorithm, operations keyring.Operations, by []string) actionSet {
	set := possible(a, operations)
	if a.IsPair() {
		set |= setOf(GetPublicKey)
	}
	if by == nil {
		return set
	}
	for _, n := range needs {
		if !slices.ContainsFunc(by, func(m string) bool { return keyring.Mechanism(m).Serves(a, n.operation) }) {
			set &^= setOf(n.action)
		}
	}
	return set
}

// isSource reports whether packets come from a network: multicast addresses and the
// unspecified ones are for other uses (RFC 5771, RFC 4291 sections 2.5.2 and 2.7).
func isSource(cidr string) bool {
	network, err := netip.ParsePrefix(cidr)
	return err == nil && !network.Addr().IsMulticast() && (!network.Addr().IsUnspecified() || !network.IsSingleIP())
}
