package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // the same time zones wherever this runs, on machines that have none installed too
)

// weekdays lists the days by name; time.Weekday is the index.
var weekdays = [...]string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

var clockPattern = regexp.MustCompile(`^(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)$`)

const (
	midnight = 0
	dayEnd   = 24 * 60
)

// hours reads a part of the day, and returns what it means in Cedar.
func (r *reader) hours(h *Hours) []doc {
	before := len(r.findings)
	from, to := r.clock("condition.hours.from", h.From), r.clock("condition.hours.to", h.To)
	switch {
	case len(r.findings) > before:
	case from == dayEnd:
		r.wrong("condition.hours.from", "", "No part of a day begins at 24:00.", `Write "00:00", of the next day.`)
	case from == to:
		r.wrong("condition.hours.to", "", "The hours end when they begin.", `For whole days write from "00:00" to "24:00".`)
	}
	if _, err := loadZone(h.TimeZone); err != nil {
		r.wrong("condition.hours.time_zone", "", fmt.Sprintf("There is no time zone %q.", h.TimeZone), `Use a name of the IANA database, "Europe/Zurich" or "UTC".`)
	}
	days := r.weekdays(h.Weekdays)
	if from == midnight && to == dayEnd && (len(days) == 0 || len(days) == len(weekdays)) {
		r.wrong("condition.hours", "", "The hours are all of every day: they would change nothing.", "Narrow them, or leave them out.")
	}
	if len(r.findings) > before {
		return nil
	}
	return hoursText(from, to, quoted(h.TimeZone), days)
}

// clock reads a time of day, in minutes since midnight.
func (r *reader) clock(field, word string) int {
	parts := clockPattern.FindStringSubmatch(word)
	switch {
	case parts == nil:
		r.wrong(field, "", fmt.Sprintf("%q is not a time of day.", word), `Write it as "08:00", with 24 hours to the day.`)
		return midnight
	case parts[1] == "":
		return dayEnd
	}
	hour, _ := strconv.Atoi(parts[1]) // the pattern has made sure of digits
	minute, _ := strconv.Atoi(parts[2])
	return hour*60 + minute
}

// weekdays reads days of the week; nil is every day.
func (r *reader) weekdays(names []string) []time.Weekday {
	const field = "condition.hours.weekdays"
	r.unique(field, names)
	var days []time.Weekday
	for _, name := range names {
		day := slices.Index(weekdays[:], name)
		if day < 0 {
			r.wrong(field, name, fmt.Sprintf("There is no weekday %q.", name), suggestion(name, weekdays[:], "Use one of "+strings.Join(weekdays[:], ", ")+"."))
			continue
		}
		days = append(days, time.Weekday(day))
	}
	return days
}

// loadZone returns a time zone by its IANA name. "Local" is none: it would mean another
// zone on each machine.
func loadZone(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return nil, fmt.Errorf("there is no time zone %q", name)
	}
	return time.LoadLocation(name)
}

// hoursText says in Cedar that a zone's clocks are between two times of day, the end
// excluded. What goes past midnight belongs to the day on which it began.
func hoursText(from, to int, zone string, days []time.Weekday) []doc {
	clock := "context.local[" + zone + "]"
	evening := text(clock + ".time >= duration(" + quoted(duration(from)) + ")")
	morning := text(clock + ".time < duration(" + quoted(duration(to)) + ")")
	if to == midnight {
		to = dayEnd
	}
	switch {
	case from < to:
		var all []doc
		if len(days) > 0 {
			all = append(all, onDays(clock, days, 0))
		}
		if from != midnight {
			all = append(all, evening)
		}
		if to != dayEnd {
			all = append(all, morning)
		}
		return []doc{both(all...)}
	case len(days) == 0:
		return []doc{either([]doc{evening, morning}, false)}
	default:
		return []doc{either([]doc{
			group{body: seq{text("("), align{both(onDays(clock, days, 0), evening)}, text(")")}},
			group{body: seq{text("("), align{both(onDays(clock, days, 1), morning)}, text(")")}},
		}, false)}
	}
}

// onDays says that a clock's day is one of some days, so many days later.
func onDays(clock string, days []time.Weekday, later int) doc {
	names := make([]string, len(days))
	for i, day := range days {
		names[i] = quoted(weekdays[(int(day)+later)%len(weekdays)])
	}
	if len(names) == 1 {
		return text(clock + ".weekday == " + names[0])
	}
	return seq{list(names), text(".contains(" + clock + ".weekday)")}
}

// duration is a number of minutes as Cedar writes it, "18h30m".
func duration(minutes int) string {
	var b strings.Builder
	if minutes >= 60 {
		fmt.Fprintf(&b, "%dh", minutes/60)
	}
	if minutes%60 != 0 || minutes == 0 {
		fmt.Fprintf(&b, "%dm", minutes%60)
	}
	return b.String()
}
