package audit

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// Reader is a log to be looked at; a Store and a View are one.
type Reader interface {
	// Lines calls f with each line from an index on, until it returns false.
	Lines(from int64, f func(index int64, line []byte) bool) error
	// Checkpoints returns all checkpoints.
	Checkpoints() (Notes, error)
}

// Hashed is a Reader that also has the hashes of the tree as they were written. By them the
// line that was changed is found; without them only between which checkpoints.
type Hashed interface {
	Hashes() ([]tlog.Hash, error)
}

// Standing is where the history of a subject stands.
type Standing struct {
	Seq  int // of its last entry
	Head string
}

// Expectation is what a log is held to.
type Expectation struct {
	Environment string
	Keys        []Key  // that may have signed
	Own         string // the subject that is the key which signs
	// Kept are checkpoints that were kept elsewhere.
	Kept [][]byte
	// Token is where the histories on the token stand, by subject; nil if it was not asked.
	Token map[string]Standing
	// Entries are those of the histories on the token, by subject and number, as far as they
	// are kept.
	Entries map[string]map[int]Entry
	// Versions are those on the token, by subject and number, each with its fingerprint as
	// the record there has it.
	Versions map[string]map[int]string
	// Unsound says, by subject and number, of which versions the key is not on the token as it
	// was recorded, and in words what is wrong.
	Unsound map[string]map[int]string
	// Foreign are objects that no record on the token is about, in words, by subject.
	Foreign map[string]string
	// Running reports whether the process that wrote an intent may still be at work. It may
	// be nil.
	Running func(Event) bool
}

// Problem is something that is wrong with a log.
type Problem struct {
	Record int64 // the first record that is wrong, -1 if it is not about one
	Text   string
	// follows says that it may be but a consequence of another problem.
	follows bool
}

// Summary is what a log holds.
type Summary struct {
	Records     int64
	Root        tlog.Hash
	Checkpoints int
	Signed      int64 // how many records the newest good checkpoint covers
	Interrupted []int64
	Late        []int64 // the records that another run signed than the one that wrote them
	Accepted    []int64 // the records by which an operator took over what the log had not told of
}

const none int64 = -1

// Verify checks all of a log: that its records are those that were written, in their order,
// as far as checkpoints tell; that each checkpoint is signed and goes with the others; that
// intents have outcomes; and that the token is as the log says. The problems are sorted by
// record, those about no record last.
func Verify(r Reader, want Expectation) (Summary, []Problem, error) {
	v := newVerification(want)
	notes, err := r.Checkpoints()
	if err != nil {
		return Summary{}, nil, err
	}
	v.readCheckpoints(notes)
	if first, found, err := owner(r); err == nil && found && first.Environment != want.Environment && len(v.due) == 0 && v.good == 0 {
		return v.Summary, []Problem{{Record: none, Text: fmt.Sprintf("it is the log of environment %q, not of %q", first.Environment, want.Environment)}}, nil
	}
	if hashed, ok := r.(Hashed); ok {
		if v.kept, err = hashed.Hashes(); err != nil {
			return Summary{}, nil, err
		}
	}
	err = r.Lines(0, func(index int64, line []byte) bool {
		v.take(index, line)
		return true
	})
	if err != nil {
		return v.Summary, nil, err
	}
	v.finish()
	slices.SortStableFunc(v.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.rank(), b.rank()), cmp.Compare(a.Record, b.Record))
	})
	return v.Summary, v.problems, nil
}

// account is what the log says of one subject.
type account struct {
	from     int              // the entry that it begins with, less one
	told     map[int]int64    // entries, by the record that tells of them
	standing Standing         // after the last success
	maybe    map[string]int64 // heads that it may have come to, by the record that says so
	made     map[int]making   // how versions came about
	disputed []Problem        // where the token's history says something else
}

// making is what the log tells of how a version came about.
type making struct {
	record int64
	digest string // the version's fingerprint
}

type verification struct {
	Summary
	want     Expectation
	hashes   []tlog.Hash
	kept     []tlog.Hash  // in the file of the tree
	astray   []int64      // records whose hashes are not those that are kept, since the newest good checkpoint
	due      []Checkpoint // to be compared, the smallest first
	good     int64        // the size up to which checkpoints agree
	intents  map[string]int64
	ended    map[string]int64
	given    map[string]bool // ended by another run, which gave it up
	known    map[string]*account
	problems []Problem
	open     map[string]Event
	unsigned bool // it was said that there is no checkpoint
	runs     coverage
	terms    terms
	writers  []string // the runs of the records that no good checkpoint covers yet
	changed  bool     // a record was found to be another one than was written
	begun    bool     // the log tells what it began with
	spoilt   bool     // the file of the tree was found to be wrong
}

func newVerification(want Expectation) *verification {
	return &verification{
		want: want, terms: newTerms(want.Own), intents: map[string]int64{}, ended: map[string]int64{}, given: map[string]bool{}, known: map[string]*account{}, open: map[string]Event{},
	}
}

func (v *verification) say(record int64, format string, args ...any) {
	v.problems = append(v.problems, Problem{Record: record, Text: fmt.Sprintf(format, args...)})
}

// follow says what may be but a consequence of something else that is wrong.
func (v *verification) follow(record int64, format string, args ...any) {
	v.problems = append(v.problems, Problem{record, fmt.Sprintf(format, args...), true})
}

// rank puts causes before consequences, and what is about no record last of either.
func (p Problem) rank() int {
	switch {
	case !p.follows && p.Record >= 0:
		return 0
	case !p.follows:
		return 1
	case p.Record >= 0:
		return 2
	}
	return 3
}

// readCheckpoints checks the signatures. What nobody signed says nothing.
func (v *verification) readCheckpoints(kept Notes) {
	notes := kept.All
	v.Checkpoints = len(notes)
	before := int64(0)
	for n, text := range notes {
		c, err := ReadCheckpoint(v.want.Environment, text, v.want.Keys)
		if err != nil {
			v.say(none, "checkpoint %d of %d, of %d records: %v", n+1, len(notes), noteSize(text), err)
			continue
		}
		if c.Size < before {
			v.say(none, "checkpoint %d of %d, of %d records, comes after one of %d", n+1, len(notes), c.Size, before)
		}
		before = max(before, c.Size)
		v.due = append(v.due, c)
	}
	if stray := kept.Stray(); stray != nil {
		v.say(none, "the checkpoint of %d records that was published is not among the others: the file %s was cut off, or changed", noteSize(stray), notesName)
		if c, err := ReadCheckpoint(v.want.Environment, stray, v.want.Keys); err == nil {
			v.due = append(v.due, c)
		}
	}
	for n, text := range v.want.Kept {
		c, err := ReadCheckpoint(v.want.Environment, text, v.want.Keys)
		if err != nil {
			v.say(none, "the checkpoint that was kept elsewhere (%d of %d): %v", n+1, len(v.want.Kept), err)
			continue
		}
		v.due = append(v.due, c)
	}
	slices.SortStableFunc(v.due, func(a, b Checkpoint) int { return cmp.Compare(a.Size, b.Size) })
	v.compare(0)
}

// compare holds the tree of so many records to the checkpoints of that size.
func (v *verification) compare(size int64) {
	for len(v.due) > 0 && v.due[0].Size == size {
		c := v.due[0]
		v.due = v.due[1:]
		root, err := tlog.TreeHash(size, v)
		violated := v.terms.violated(c.Key, size)
		switch {
		case err != nil:
			v.say(none, "the tree of %d records cannot be computed: %v", size, err)
		case root == c.Root && violated != "":
			v.say(none, "the checkpoint of %d records %s: somebody has a copy of that key, and what it covers may be other than was written", size, violated)
		case root != c.Root && v.changed: // the checkpoint before says the same
		case root != c.Root && len(v.astray) > 0:
			v.blame()
		case root != c.Root:
			v.changed = true
			v.say(v.good, "it or one after it, before record %d, is not the one that was there when the checkpoint of %d records was signed on %s", size, size, c.Time.Format("2006-01-02 15:04:05"))
		default:
			v.late(c)
			v.good, v.Signed = size, size
			if len(v.astray) > 0 && !v.spoilt { // the records are those that were signed
				v.spoilt = true
				v.say(none, "the file %s is wrong: it has other hashes than those of the records, which are the ones that were signed (the first of record %d). Remove that file: it is made anew", treeName, v.astray[0])
			}
			v.astray = nil
		}
	}
}

// late takes in which of the records that a checkpoint is the first to cover were signed by
// another run than the one that wrote them: until then whoever could write to the directory
// could put in others.
func (v *verification) late(c Checkpoint) {
	for n, run := range v.writers {
		if c.Run != "" && run != c.Run {
			v.Late = append(v.Late, v.good+int64(n))
		}
	}
	v.writers = nil
}

// blame says which record is the first that is not the one that was written; what follows one
// that was put in or taken out is not where it was.
func (v *verification) blame() {
	v.say(v.astray[0], "it is not the record that was written")
	v.changed, v.astray = true, nil
}

// ReadHashes reads from the tree over the lines as they are.
func (v *verification) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	list := make([]tlog.Hash, len(indexes))
	for n, i := range indexes {
		if i >= int64(len(v.hashes)) {
			return nil, fmt.Errorf("hash %d of %d", i, len(v.hashes))
		}
		list[n] = v.hashes[i]
	}
	return list, nil
}

func (v *verification) take(index int64, line []byte) {
	hashes, err := tlog.StoredHashes(index, line, v)
	if err != nil {
		v.say(index, "its place in the tree cannot be computed: %v", err)
		return
	}
	kept := v.kept[min(len(v.hashes), len(v.kept)):]
	kept = kept[:min(len(hashes), len(kept))]
	if !slices.Equal(kept, hashes[:len(kept)]) {
		v.astray = append(v.astray, index)
	}
	v.hashes = append(v.hashes, hashes...)
	v.Records = index + 1
	e, err := Decode(line)
	v.writers = append(v.writers, e.Run)
	switch {
	case err != nil:
		v.say(index, "it cannot be read: %v", err)
	case e.Environment != v.want.Environment && e.Phase != Notice: // whoever was refused may have meant another
		v.say(index, "it is of the environment %q", e.Environment)
	default:
		v.cover(index, e)
		v.terms.account(index, e)
		v.account(index, e)
	}
	v.compare(index + 1)
}

// account takes in what a record says.
func (v *verification) account(index int64, e Event) {
	switch e.Phase {
	case Intent:
		if first, ok := v.intents[e.ID]; ok {
			v.follow(index, "it repeats the intent of record %d", first)
			return
		}
		v.intents[e.ID], v.open[e.ID] = index, e
		if v.Checkpoints == 0 && !v.unsigned && len(e.Steps) > 0 && e.Subject != v.want.Own {
			v.unsigned = true
			v.follow(index, "it is a change, and there is no checkpoint, the first of which comes before any")
		}
	case Outcome:
		interrupted := e.Failure != nil && e.Failure.Kind == Interrupted
		if _, ok := v.ended[e.ID]; ok && interrupted {
			return // two runs found it open at the same time, or its own spoke after all
		}
		if v.given[e.ID] && !interrupted { // given up too early: its own run spoke after all
			delete(v.given, e.ID)
			v.ended[e.ID] = index
			v.credit(index, e)
			return
		}
		if first, ok := v.ended[e.ID]; ok {
			v.follow(index, "it repeats the outcome of record %d", first)
			return
		}
		intent, ok := v.open[e.ID]
		if !ok {
			v.follow(index, "there is no intent before it that it could be the outcome of")
			return
		}
		v.ended[e.ID], v.given[e.ID] = index, interrupted
		delete(v.open, e.ID)
		v.credit(index, e)
		v.witness(v.intents[e.ID], intent, e.Failure)
		if !interrupted { // that is told by another run
			v.witness(index, e, e.Failure)
		}
	case Notice:
		if first, ok := v.ended[e.ID]; ok {
			v.follow(index, "it repeats record %d", first)
			return
		}
		v.ended[e.ID] = index
		v.begun = v.begun || e.Operation == opBegin
		if accepts(e.Operation) && e.Reason != "" {
			v.Accepted = append(v.Accepted, index)
		}
		// What an operator accepts counts from there on, whatever was told before. What a log
		// begins with does not if two runs began it at once, and one was at work already.
		if e.Operation == opBaseline && (e.Reason != "" || v.known[e.Subject] == nil) {
			a := v.of(e.Subject)
			a.standing, a.maybe = e.standing(), map[string]int64{}
			a.from, a.disputed = a.standing.Seq, nil
			a.make(index, e.Steps)
			v.witness(index, e, nil)
		}
	default:
		v.say(index, "it is of no phase")
	}
}

// accepts reports whether a record is of what an operator has to give a reason for.
func accepts(operation string) bool {
	return operation == opBegin || operation == opBaseline || operation == opMove || operation == opCutBack || operation == opRenew
}

func (v *verification) of(subject string) *account {
	a := v.known[subject]
	if a == nil {
		a = &account{told: map[int]int64{}, maybe: map[string]int64{}, made: map[int]making{}}
		v.known[subject] = a
	}
	return a
}

// make takes in which versions came about.
func (a *account) make(index int64, steps []Step) {
	for _, s := range steps {
		if comesAbout(s.What) {
			a.made[s.Version] = making{index, s.Digest}
		}
	}
}

// credit takes in what came of a write.
func (v *verification) credit(index int64, e Event) {
	if e.Failure != nil && e.Failure.Kind == Interrupted {
		v.Interrupted = append(v.Interrupted, index)
	}
	if len(e.Steps) == 0 {
		return
	}
	a := v.of(e.Subject)
	last := e.Steps[len(e.Steps)-1].Seq
	switch {
	case e.Failure == nil:
		for _, s := range e.Steps {
			a.told[s.Seq] = index
		}
		if last > a.standing.Seq {
			a.standing = Standing{last, e.Head}
		}
		a.make(index, e.Steps)
	case e.Failure.Kind == Interrupted || e.Failure.Kind == uncertain:
		for _, s := range e.Steps {
			if _, ok := a.told[s.Seq]; !ok {
				a.told[s.Seq] = index
			}
		}
		a.maybe[e.Head] = index
		a.make(index, e.Steps)
	}
}

// finish checks what only shows at the end.
func (v *verification) finish() {
	if root, err := tlog.TreeHash(v.Records, v); err == nil && v.Records > 0 {
		v.Root = root
	}
	switch hashed := linesOf(int64(len(v.kept))); {
	case v.changed || v.spoilt:
	case len(v.astray) > 0 && len(v.due) > 0:
		v.blame()
	case len(v.astray) > 0:
		v.say(v.astray[0], "it is not the record that was written, or its hash in the file %s is not; no checkpoint covers it, which would tell", treeName)
	case len(v.due) == 0 && hashed > v.Records:
		v.say(v.Records, "it is missing or cut off, and all after it: there are %d records, and in the file %s hashes of %d", v.Records, treeName, hashed)
	}
	for _, c := range v.due {
		v.say(v.Records, "it is missing, and all after it: there are %d records, and a checkpoint of %d", v.Records, c.Size)
	}
	for _, id := range slices.SortedFunc(maps.Keys(v.open), func(a, b string) int { return cmp.Compare(v.intents[a], v.intents[b]) }) {
		e := v.open[id]
		if v.want.Running == nil || !v.want.Running(e) {
			v.follow(v.intents[id], "it is an intent (%s) without an outcome; the next run that changes something closes it, or `terraform-provider-hsm audit settle`", e.message())
		}
	}
	v.concludeOpen()
	for _, subject := range slices.Sorted(maps.Keys(v.known)) {
		a := v.known[subject]
		for seq := a.from + 1; seq < a.standing.Seq; seq++ {
			if _, ok := a.told[seq]; !ok {
				next := slices.Min(slices.Collect(func(yield func(int64) bool) {
					for later, record := range a.told {
						if later > seq && !yield(record) {
							return
						}
					}
				}))
				v.follow(next, "it tells of %s what came after entry %d of its history, which no record tells of", subject, seq)
				break
			}
		}
	}
	v.concludeCoverage()
	if v.want.Token != nil {
		v.holdToToken()
	}
}

// concludeOpen takes in what may have come of intents without an outcome.
func (v *verification) concludeOpen() {
	for id, e := range v.open {
		if len(e.Steps) == 0 {
			continue
		}
		a := v.of(e.Subject)
		for _, s := range e.Steps {
			if _, ok := a.told[s.Seq]; !ok {
				a.told[s.Seq] = v.intents[id]
			}
		}
		a.maybe[e.Head] = v.intents[id]
		a.make(v.intents[id], e.Steps)
	}
}
