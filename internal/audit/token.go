package audit

import (
	"fmt"
	"maps"
	"slices"
)

// holdToToken compares what the log says with what is on the token.
func (v *verification) holdToToken() {
	for _, subject := range slices.Sorted(maps.Keys(v.known)) {
		v.problems = append(v.problems, v.known[subject].disputed...)
	}
	for _, d := range v.differences() {
		v.follow(d.record, "%s", d.text)
	}
	for _, subject := range slices.Sorted(maps.Keys(v.want.Versions)) {
		a := v.known[subject]
		if a == nil {
			continue // that is said already
		}
		for _, n := range slices.Sorted(maps.Keys(v.want.Versions[subject])) {
			made, ok := a.made[n]
			switch digest := v.want.Versions[subject][n]; {
			case !ok:
				v.follow(none, "version %d of %s is on the token, and no record tells how it came about", n, subject)
			case made.digest != "" && digest != "" && made.digest != digest:
				v.follow(made.record, "it tells of version %d of %s with another fingerprint than the token has", n, subject)
			}
		}
	}
	for _, subject := range slices.Sorted(maps.Keys(v.want.Unsound)) {
		for _, n := range slices.Sorted(maps.Keys(v.want.Unsound[subject])) {
			record := none
			if a := v.known[subject]; a != nil {
				if made, ok := a.made[n]; ok {
					record = made.record
				}
			}
			v.follow(record, "the key of version %d of %s is not on the token as it was recorded: %s", n, subject, v.want.Unsound[subject][n])
		}
	}
	if v.Checkpoints == 0 && !v.begun { // a run was killed before it wrote down what there is
		return
	}
	for _, subject := range slices.Sorted(maps.Keys(v.want.Foreign)) {
		if v.known[subject] == nil {
			v.follow(none, "%s (%s) is on the token, and neither a record there nor one of the log tells of it", subject, v.want.Foreign[subject])
		}
	}
}

// difference is something that is otherwise on the token than the log tells.
type difference struct {
	subject string
	record  int64
	text    string
}

// differences compares the histories.
func (v *verification) differences() (list []difference) {
	differ := func(subject string, record int64, format string, args ...any) {
		list = append(list, difference{subject, record, fmt.Sprintf(format, args...)})
	}
	for _, subject := range slices.Sorted(maps.Keys(v.want.Token)) {
		is, a := v.want.Token[subject], v.known[subject]
		if a == nil {
			differ(subject, none, "%s is on the token, and no record tells of it", subject)
			continue
		}
		_, maybe := a.maybe[is.Head]
		switch {
		case is == a.standing, maybe && is.Seq >= a.standing.Seq:
		case is.Seq > a.standing.Seq:
			differ(subject, none, "%s was changed on the token %d times since the last record of it: those changes are not in the log", subject, is.Seq-a.standing.Seq)
		case is.Seq < a.standing.Seq:
			differ(subject, a.told[is.Seq+1], "it tells of %s what the token does not have: an older record was put back there", subject)
		default:
			differ(subject, a.told[is.Seq], "it tells of %s another history than the token does", subject)
		}
	}
	for _, subject := range slices.Sorted(maps.Keys(v.known)) {
		a := v.known[subject]
		if _, ok := v.want.Token[subject]; !ok && a.standing.Seq > 0 {
			differ(subject, a.told[a.standing.Seq], "it tells of %s, of which the token has no record any more", subject)
		}
	}
	return list
}
