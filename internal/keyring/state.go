package keyring

// State is where a version stands in its life (SP 800-57 part 1, section 7.3).
type State string

// The states.
const (
	PreActivation State = "pre_activation" // published, may do nothing yet
	Active        State = "active"         // may protect and process
	Suspended     State = "suspended"      // may do nothing, reversibly
	Deactivated   State = "deactivated"    // may process until ProcessUntil
	Compromised   State = "compromised"    // no longer trusted for anything
	Destroyed     State = "destroyed"      // only the record and the public key remain
)

// StateNames lists every state by name.
func StateNames() []string {
	return []string{
		string(PreActivation), string(Active), string(Suspended), string(Deactivated), string(Compromised), string(Destroyed),
	}
}
