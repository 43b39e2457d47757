package policy

import (
	"fmt"
	"net/netip"
	"regexp"
	"time"
)

var mechanismPattern = regexp.MustCompile(`^CKM_[A-Z0-9_]+$`)

// condition reads a condition, and returns what it means in Cedar: expressions that all
// have to hold.
func (r *reader) condition(c *Condition) []doc {
	if c == nil {
		return nil
	}
	if len(c.SourceCIDRs)+len(c.Mechanisms) == 0 && c.NotBefore == "" && c.NotAfter == "" && c.Hours == nil && c.MaxPayloadBytes == nil {
		r.wrong("condition", "", "The condition is empty: it would change nothing.", "Set something in it, or leave it out.")
		return nil
	}
	var all []doc
	all = append(all, r.sourceCIDRs(c.SourceCIDRs)...)
	all = append(all, r.period(c.NotBefore, c.NotAfter)...)
	if c.Hours != nil {
		all = append(all, r.hours(c.Hours)...)
	}
	all = append(all, r.maxPayload(c.MaxPayloadBytes)...)
	return append(all, r.mechanisms(c.Mechanisms)...)
}

func (r *reader) sourceCIDRs(cidrs []string) []doc {
	const field = "condition.source_cidrs"
	r.unique(field, cidrs)
	var ranges []doc
	for _, cidr := range cidrs {
		network, err := netip.ParsePrefix(cidr)
		address, isAddress := netip.ParseAddr(cidr)
		switch {
		case isAddress == nil && address.Zone() == "":
			r.wrong(field, cidr, fmt.Sprintf("%q is an address and not a network.", cidr),
				fmt.Sprintf("For this address alone write %q.", netip.PrefixFrom(address, address.BitLen())))
		case err != nil:
			r.wrong(field, cidr, fmt.Sprintf("%q is not a network.", cidr), `Write it in CIDR notation, "10.1.0.0/16" or "2001:db8::/32".`)
		case network.Addr().Is4In6():
			r.wrong(field, cidr, fmt.Sprintf("%q is written as an IPv6 network and means an IPv4 one, which callers' addresses are never compared with.", cidr),
				`Write it as an IPv4 network, "10.1.0.0/16".`)
		case network.Masked() != network:
			r.wrong(field, cidr, fmt.Sprintf("%q is not a network: it has bits set behind its prefix.", cidr),
				fmt.Sprintf("The network is %q, the address alone %q.", network.Masked(), netip.PrefixFrom(network.Addr(), network.Addr().BitLen())))
		}
		ranges = append(ranges, text("context.source_ip.isInRange(ip("+quoted(network.String())+"))"))
	}
	if len(ranges) == 0 {
		return nil
	}
	return []doc{r.known("source_ip", either(ranges, true))}
}

// known is a test of something that not every request tells. What is not known does not
// get a request permitted, nor does it spare it from being forbidden.
func (r *reader) known(attribute string, test doc) doc {
	if r.effect == Forbid {
		// As "!(context has it) || test" Cedar's validator would not have it.
		return group{body: seq{text("if context has " + attribute), brk(" "), nest{seq{text("then "), test}}, brk(" "), text("else true")}}
	}
	return both(text("context has "+attribute), test)
}

// period reads the times that a statement holds between. Cedar's times are as precise as
// a millisecond, so more precise ones would come out as something else.
func (r *reader) period(notBefore, notAfter string) []doc {
	var bounds []doc
	from, isFrom := r.instant("condition.not_before", notBefore)
	if isFrom {
		bounds = append(bounds, text("context.now >= "+datetime(from)))
	}
	to, isTo := r.instant("condition.not_after", notAfter)
	if isTo {
		bounds = append(bounds, text("context.now < "+datetime(to)))
	}
	if isFrom && isTo && !from.Before(to) {
		r.wrong("condition.not_after", "", "not_after is not later than not_before: the statement would never hold.", "Swap or correct the times.")
	}
	if len(bounds) == 0 {
		return nil
	}
	return []doc{both(bounds...)}
}

func (r *reader) instant(field, word string) (t time.Time, isGiven bool) {
	if word == "" {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339, word)
	t = t.UTC()
	switch {
	case err != nil:
		r.wrong(field, "", fmt.Sprintf("%q is not a time.", word), `Write it as in RFC 3339, "2026-01-31T17:00:00Z".`)
	case t.Year() < 0 || t.Year() > 9999:
		r.wrong(field, "", fmt.Sprintf("%q is not in a year of four digits.", word), "Leave it out if it means never, or always.")
	case t.Nanosecond()%int(time.Millisecond) != 0:
		r.wrong(field, "", fmt.Sprintf("%q is more precise than a millisecond.", word), "Leave out the digits behind the millisecond.")
	default:
		return t, true
	}
	return time.Time{}, false
}

// datetime is a time as Cedar writes it.
func datetime(t time.Time) string {
	layout := "2006-01-02T15:04:05Z"
	if t.Nanosecond() != 0 {
		layout = "2006-01-02T15:04:05.000Z"
	}
	return "datetime(" + quoted(t.Format(layout)) + ")"
}

func (r *reader) maxPayload(limit *int64) []doc {
	if limit == nil {
		return nil
	}
	if *limit < 0 {
		r.wrong("condition.max_payload_bytes", "", fmt.Sprintf("A payload cannot be as short as %d bytes.", *limit), "Use 0 or more.")
	}
	return []doc{r.known("payload_bytes", text(fmt.Sprintf("context.payload_bytes <= %d", *limit)))}
}

func (r *reader) mechanisms(names []string) []doc {
	const field = "condition.mechanisms"
	r.unique(field, names)
	set := make([]string, len(names))
	for i, name := range names {
		if !mechanismPattern.MatchString(name) {
			r.wrong(field, name, fmt.Sprintf("%q is not the name of a PKCS#11 mechanism.", name), `Use names as in the standard, for example "CKM_ECDSA".`)
		}
		set[i] = quoted(name)
	}
	switch len(names) {
	case 0:
		return nil
	case 1:
		return []doc{r.known("mechanism", text("context.mechanism == "+set[0]))}
	default:
		return []doc{r.known("mechanism", seq{list(set), text(".contains(context.mechanism)")})}
	}
}
