package audit

import (
	"fmt"
	"time"
)

// coverage is what no checkpoint covers yet, as the records go by.
type coverage struct {
	changes []change        // since the newest checkpoint
	begun   map[string]bool // runs that have changed something
	first   string          // the run of the first record
	several bool            // there is more than one run
	said    bool
	problem Problem // what was said
}

// change is a record of something that was changed.
type change struct {
	record int64
	run    string
	at     time.Time
}

// beside is how far apart records of two runs may be that were at work at the same time: a
// run that begins signs what is there, and another one may write before its first change.
const beside = time.Minute

// bound is how many records of changes there may be without a checkpoint: those after which a
// run begins nothing more, and what others have begun by then.
const bound = unsigned + every

// cover holds a record to the rule that a run signs what those before it have left unsigned
// before it changes anything, and that there is a checkpoint every so many changes. Without
// these a log could be cut back to any checkpoint, and written anew from there.
func (v *verification) cover(index int64, e Event) {
	c := &v.runs
	switch {
	case c.begun == nil:
		c.first, c.begun = e.Run, map[string]bool{}
	case e.Run != c.first:
		c.several = true
	}
	if e.Phase == Notice && e.Operation == opCutBack && e.Reason != "" { // an operator has looked into it
		c.said, c.changes = false, nil
	}
	if e.Phase == Notice || len(e.Steps) == 0 || e.Subject == v.want.Own {
		return
	}
	for len(c.changes) > 0 && c.changes[0].record < v.good {
		c.changes = c.changes[1:]
	}
	if e.Phase == Intent && !c.begun[e.Run] && !c.said && v.Checkpoints > 0 {
		for _, before := range c.changes {
			if before.run != e.Run && e.Time.Sub(before.at) > beside {
				c.say(before.record, "no checkpoint covers it, although another run changed something afterwards (record %d), which signs first what is there", index)
				break
			}
		}
	}
	if e.Phase == Intent {
		c.begun[e.Run] = true
	}
	c.changes = append(c.changes, change{index, e.Run, e.Time})
	if len(c.changes) > bound && !c.said && v.Checkpoints > 0 {
		c.say(c.changes[0].record, "no checkpoint covers it, although more than %d records of changes follow", bound)
	}
}

func (c *coverage) say(record int64, format string, args ...any) {
	c.said, c.problem = true, Problem{record, fmt.Sprintf(format, args...), true}
}

// concludeCoverage makes sure that somebody has signed a log of more than one run.
func (v *verification) concludeCoverage() {
	if v.runs.said {
		v.problems = append(v.problems, v.runs.problem)
	}
	if v.Signed == 0 && v.runs.several {
		v.follow(none, "no checkpoint covers any of its records: nothing shows that they are those that were written. If there never was a change, "+
			"`terraform-provider-hsm audit settle` signs what is there; otherwise put the checkpoints back")
	}
}
