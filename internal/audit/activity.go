package audit

import "strings"

// Activity is what OCSF's class 6003 (API activity) calls an event.
type Activity int

// The activities of the class.
const (
	ActivityCreate Activity = 1
	ActivityRead   Activity = 2
	ActivityUpdate Activity = 3
	ActivityDelete Activity = 4
	ActivityOther  Activity = 99
)

// activities holds the word that each operation begins with, and each step of a history. What
// was refused is what it would have been. A word that is missing here is found by a test that
// reads every operation from the source.
var activities = map[string]Activity{
	// What is done to what is on the token, by its history.
	"generated": ActivityCreate, "imported": ActivityCreate, "adopted": ActivityCreate, "created": ActivityCreate, "issued": ActivityCreate,
	"begun": ActivityUpdate, "abandoned": ActivityUpdate, "settled": ActivityUpdate, "activated": ActivityUpdate, "deactivated": ActivityUpdate,
	"suspended": ActivityUpdate, "resumed": ActivityUpdate, "retired": ActivityUpdate, "revoked": ActivityUpdate, "disabled": ActivityUpdate,
	"claimed": ActivityUpdate, "released": ActivityUpdate, "updated": ActivityUpdate,
	"destroyed": ActivityDelete, "removed": ActivityDelete,

	// What somebody asks for.
	"adopt": ActivityCreate, "copy": ActivityCreate, "create": ActivityCreate, "generate": ActivityCreate, "import": ActivityCreate, "issue": ActivityCreate,
	"stamp": ActivityCreate, "unwrap": ActivityCreate,
	"check": ActivityRead, "confirm": ActivityRead, "decide": ActivityRead, "derive": ActivityRead, "find": ActivityRead, "inspect": ActivityRead,
	"list": ActivityRead, "probe": ActivityRead, "prove": ActivityRead, "read": ActivityRead, "recognise": ActivityRead, "reveal": ActivityRead,
	"search": ActivityRead, "select": ActivityRead,
	"advance": ActivityUpdate, "change": ActivityUpdate, "pin": ActivityUpdate, "rename": ActivityUpdate, "renew": ActivityUpdate, "revoke": ActivityUpdate,
	"rotate": ActivityUpdate, "settle": ActivityUpdate, "take": ActivityUpdate, "update": ActivityUpdate, "write": ActivityUpdate,
	"destroy": ActivityDelete, "remove": ActivityDelete,

	// What is done with a key, with the token or with the log.
	"accept": ActivityOther, "compose": ActivityOther, "compute": ActivityOther, "decrypt": ActivityOther, "encrypt": ActivityOther, "request": ActivityOther, "seal": ActivityOther,
	"self-test": ActivityOther, "sign": ActivityOther, "try": ActivityOther, "verify": ActivityOther, "wrap": ActivityOther,
	"close": ActivityOther, "configure": ActivityOther, "declare": ActivityOther, "load": ActivityOther, "lock": ActivityOther, "log": ActivityOther, "open": ActivityOther,
	"prepare": ActivityOther, "use": ActivityOther, "wait": ActivityOther,
	"baseline": ActivityOther, "begin": ActivityOther, "record": ActivityOther,
}

// activity is what the class calls the event. Of several steps those count that make something
// or take it away: a key that was removed, then one that was made, then one that was destroyed.
// A notice does none of what its steps tell of.
func (e Event) activity() Activity {
	a, _ := ActivityOf(e.Operation)
	if e.Phase == Notice {
		return a
	}
	for _, s := range e.Steps {
		switch of, _ := ActivityOf(s.What); {
		case s.What == "removed":
			return of
		case of == ActivityCreate, of == ActivityDelete && a != ActivityCreate:
			a = of
		}
	}
	return a
}

// ActivityOf is what the class calls an operation, or a step; known is whether anything says so.
func ActivityOf(operation string) (a Activity, known bool) {
	verb, _, _ := strings.Cut(operation, " ")
	if a, known = activities[verb]; !known {
		a = ActivityOther
	}
	return a, known
}
