package policy

import (
	"net/netip"
	"time"

	"github.com/cedar-policy/cedar-go/types"
)

// Request asks whether something may be done now.
type Request struct {
	Environment string // of the caller's credential
	Principal   string // name of a credential
	// PrincipalVersion is which version the caller has proven itself with, KeyVersion
	// which version of the key is to be used; 0 is the newest, and the current one.
	PrincipalVersion int
	Action           Action
	Key              string // name
	KeyVersion       int
	Context          Context
}

// Context is what is known about a request. What is not known is left at its zero
// value, PayloadBytes at -1. It gets nothing permitted then: a condition about it does not
// hold in a statement that permits, and holds in one that forbids. Cedar text says itself
// what it makes of it, by `context has …`.
//
// The time is known of every real request, and nothing is to be gained by keeping it back:
// without it no permit that depends on it holds and every forbid that does, and whatever
// ends at some time is taken to have ended.
type Context struct {
	Time         time.Time
	SourceIP     netip.Addr
	PayloadBytes int64
	Mechanism    string // "CKM_ECDSA"
}

// record is the context as Cedar sees it, with the clocks of the given time zones.
func (c Context) record(zones []zone) types.Record {
	fields := types.RecordMap{}
	if !c.Time.IsZero() {
		fields["now"] = types.NewDatetime(c.Time)
		clocks := make(types.RecordMap, len(zones))
		for _, z := range zones {
			clocks[types.String(z.name)] = z.clock(c.Time)
		}
		fields["local"] = types.NewRecord(clocks)
	}
	if address := c.SourceIP.WithZone("").Unmap(); address.IsValid() {
		fields["source_ip"] = types.IPAddr(netip.PrefixFrom(address, address.BitLen()))
	}
	if c.PayloadBytes >= 0 {
		fields["payload_bytes"] = types.Long(c.PayloadBytes)
	}
	if c.Mechanism != "" {
		fields["mechanism"] = types.String(c.Mechanism)
	}
	return types.NewRecord(fields)
}

// zone is a time zone whose clocks policies read.
type zone struct {
	name string
	*time.Location
}

// clock is what the clocks of a zone show. In the night in which they are set back an
// hour comes twice, and in the night in which they are set forward one is missing.
func (z zone) clock(at time.Time) types.Record {
	at = at.In(z.Location)
	hour, minute, second := at.Clock()
	sinceMidnight := time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second + time.Duration(at.Nanosecond())
	return types.NewRecord(types.RecordMap{
		"time": types.NewDuration(sinceMidnight), "weekday": types.String(weekdays[at.Weekday()]),
	})
}
