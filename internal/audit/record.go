package audit

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// Phase says what a record is about.
type Phase string

// The phases. An Outcome has the ID of its Intent; a Notice stands alone, as nothing on the
// token was to be changed: something was refused, or read that is worth recording.
const (
	Intent  Phase = "intent"
	Outcome Phase = "outcome"
	Notice  Phase = "notice"
)

// Step is one thing that is done to a subject, as the subject's own history has it.
type Step struct {
	Seq     int    `json:"seq,omitempty"` // in the history
	What    string `json:"what"`
	Version int    `json:"version,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Digest  string `json:"digest,omitempty"` // SHA-256 in hexadecimal: of a public key, of a policy
}

// String is a step in a few words.
func (s Step) String() string {
	text := s.What
	if s.Version != 0 {
		text += " version " + strconv.Itoa(s.Version)
	}
	if s.Reason != "" {
		text += " (" + s.Reason + ")"
	}
	return text
}

// The steps by which a version comes about, as histories call them.
const (
	stepGenerated = "generated"
	stepImported  = "imported"
	stepAdopted   = "adopted"
)

func comesAbout(what string) bool {
	return what == stepGenerated || what == stepImported || what == stepAdopted
}

// Event is what a record says. The Log fills in all but the first group.
type Event struct {
	Operation string   // "rotate", "stamp", "reveal", "sign", "log in", "destroy key"…
	Subject   string   // "key/orders", "credential/bot", "policy/trading", "token"
	Version   int      // of the subject, 0 for the whole
	Algorithm string   // of a signature
	Reason    string   // why, in words
	Steps     []Step   // what is done, for a write
	Head      string   // the hash of the subject's history with the steps
	Gained    []string // access that a change of policies gives
	Lost      []string // and takes away
	Digests   map[string]string

	Phase   Phase
	ID      string    // random, of an intent and its outcome
	Time    time.Time // UTC
	Failure *Failure  // of an outcome, and of what was refused; nil for success

	Actor, Environment, Serial string // Serial is the token's
	Provider, Run, Host        string // Provider is its version, Run the process at random
	PID                        int
	Size                       int64 // of the torn text that this record stands for
}

// Interrupted is the kind of failure by which a later run closes an intent whose own run
// ended without saying what came of it. Something may have been done.
const Interrupted = "interrupted"

// uncertain is the other kind of failure by which something may have been done.
var uncertain = fault.Unavailable.String()

// Failure says why something was not done.
type Failure struct {
	Kind    string // of the fault, in words
	Problem string
}

// The record, by the names of the Open Cybersecurity Schema Framework: category 6
// (application activity), class 6003 (API activity), with the profile "datetime". What the
// class has no place for is in unmapped.
type ocsf struct {
	Time       int64          `json:"time"`    // milliseconds since 1970
	TimeDT     string         `json:"time_dt"` // RFC 3339, UTC, nanoseconds
	Category   int            `json:"category_uid"`
	Class      int            `json:"class_uid"`
	Activity   int            `json:"activity_id"`
	Type       int            `json:"type_uid"`
	Severity   int            `json:"severity_id"`
	StatusID   int            `json:"status_id"`
	Status     string         `json:"status"`
	StatusCode string         `json:"status_code,omitempty"`
	Detail     string         `json:"status_detail,omitempty"`
	Message    string         `json:"message,omitempty"`
	Metadata   ocsfMetadata   `json:"metadata"`
	Actor      ocsfActor      `json:"actor"`
	API        ocsfAPI        `json:"api"`
	Endpoint   ocsfEndpoint   `json:"src_endpoint"`
	Resources  []ocsfResource `json:"resources"`
	Unmapped   ocsfUnmapped   `json:"unmapped"`
}

type ocsfMetadata struct {
	Version     string      `json:"version"`
	Product     ocsfProduct `json:"product"`
	Correlation string      `json:"correlation_uid"` // the run
	Profiles    []string    `json:"profiles"`
}

type ocsfProduct struct {
	Name    string `json:"name"`
	Vendor  string `json:"vendor_name"`
	Version string `json:"version"`
}

type ocsfActor struct {
	User struct {
		Name string `json:"name"`
	} `json:"user"`
	Process struct {
		PID int `json:"pid,omitempty"`
	} `json:"process"`
}

type ocsfAPI struct {
	Operation string `json:"operation"`
	Request   struct {
		UID string `json:"uid"`
	} `json:"request"`
}

type ocsfEndpoint struct {
	Hostname string `json:"hostname"`
}

type ocsfResource struct {
	Type    string `json:"type"`
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
}

type ocsfUnmapped struct {
	Phase       Phase             `json:"phase"`
	Environment string            `json:"environment"`
	Serial      string            `json:"token_serial,omitempty"`
	Algorithm   string            `json:"algorithm,omitempty"`
	Reason      string            `json:"reason,omitempty"`
	Steps       []Step            `json:"steps,omitempty"`
	Head        string            `json:"history_head,omitempty"`
	Gained      []string          `json:"access_gained,omitempty"`
	Lost        []string          `json:"access_lost,omitempty"`
	Digests     map[string]string `json:"digests,omitempty"`
	Size        int64             `json:"torn_bytes,omitempty"`
}

const (
	productName = "terraform-provider-hsm"
	ocsfVersion = "1.6.0"
)

// The states of class 6003.
const (
	statusSuccess = 1
	statusFailure = 2
	statusOther   = 99
)

// resource is a subject as the class has it.
func resource(subject string) (kind, name string) {
	kind, name, found := strings.Cut(subject, "/")
	if !found {
		name = kind
	}
	return kind, name
}

// encode writes a record as one line, without the line feed.
func (e Event) encode() ([]byte, error) {
	kind, name := resource(e.Subject)
	r := ocsf{
		Time: e.Time.UnixMilli(), TimeDT: e.Time.UTC().Format(time.RFC3339Nano),
		Category: 6, Class: 6003, Activity: int(e.activity()), Severity: 1, StatusID: statusSuccess, Status: "Success",
		Metadata: ocsfMetadata{
			Version: ocsfVersion, Product: ocsfProduct{productName, "keystead", e.Provider}, Correlation: e.Run, Profiles: []string{"datetime"},
		},
		Endpoint: ocsfEndpoint{e.Host}, Resources: []ocsfResource{{Type: kind, Name: name}},
		Unmapped: ocsfUnmapped{e.Phase, e.Environment, e.Serial, e.Algorithm, e.Reason, e.Steps, e.Head, e.Gained, e.Lost, e.Digests, e.Size},
	}
	r.Type = r.Class*100 + r.Activity
	if e.Version != 0 {
		r.Resources[0].Version = strconv.Itoa(e.Version)
	}
	r.Actor.User.Name, r.Actor.Process.PID = e.Actor, e.PID
	r.API.Operation, r.API.Request.UID = e.Operation, e.ID
	if e.Phase == Intent {
		r.StatusID, r.Status = statusOther, "Intent"
	}
	if f := e.Failure; f != nil {
		r.StatusID, r.Status, r.StatusCode, r.Detail, r.Severity = statusFailure, "Failure", f.Kind, f.Problem, 3
	}
	r.Message = e.message()
	line, err := json.Marshal(r)
	if err != nil {
		return nil, &fault.Error{Kind: fault.Internal, Op: "write audit record", Subject: e.Subject, Problem: "The record cannot be encoded.", Cause: err}
	}
	return line, nil
}

// message is a record in a few words, for whoever reads the lines.
func (e Event) message() string {
	var parts []string
	for _, s := range e.Steps {
		parts = append(parts, s.String())
	}
	if len(parts) == 0 {
		parts = []string{Step{What: e.Operation, Version: e.Version}.String()}
	}
	if e.Algorithm != "" {
		parts[len(parts)-1] += " by " + e.Algorithm
	}
	message := fmt.Sprintf("%s: %s", e.Subject, strings.Join(parts, ", "))
	if e.Reason != "" {
		message += " (" + e.Reason + ")"
	}
	return message
}

// Decode reads a record's line.
func Decode(line []byte) (Event, error) {
	var r ocsf
	if err := json.Unmarshal(line, &r); err != nil {
		return Event{}, err
	}
	at, err := time.Parse(time.RFC3339Nano, r.TimeDT)
	if err != nil {
		return Event{}, err
	}
	if r.Class != 6003 || len(r.Resources) != 1 {
		return Event{}, fmt.Errorf("class %d with %d resources is no record of this log", r.Class, len(r.Resources))
	}
	u := r.Unmapped
	e := Event{
		Operation: r.API.Operation, Subject: r.Resources[0].Type + "/" + r.Resources[0].Name, Algorithm: u.Algorithm, Reason: u.Reason, Steps: u.Steps, Head: u.Head,
		Gained: u.Gained, Lost: u.Lost, Digests: u.Digests, Phase: u.Phase, ID: r.API.Request.UID, Time: at,
		Actor: r.Actor.User.Name, Environment: u.Environment, Serial: u.Serial,
		Provider: r.Metadata.Product.Version, Run: r.Metadata.Correlation, Host: r.Endpoint.Hostname, PID: r.Actor.Process.PID, Size: u.Size,
	}
	if r.Resources[0].Type == r.Resources[0].Name {
		e.Subject = r.Resources[0].Name
	}
	if v := r.Resources[0].Version; v != "" {
		if e.Version, err = strconv.Atoi(v); err != nil {
			return Event{}, err
		}
	}
	if r.StatusID == statusFailure {
		e.Failure = &Failure{r.StatusCode, r.Detail}
	}
	return e, nil
}
