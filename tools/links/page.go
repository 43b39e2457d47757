package main

import (
	"fmt"
	"regexp"
	"strings"
)

// page is what a Markdown file refers to, and what it can be referred to by.
type page struct {
	links   []link
	tests   []link // names of tests, in backquotes
	anchors map[string]bool
}

// link is a reference and where it stands.
type link struct {
	target string
	line   int
}

var (
	fence   = regexp.MustCompile("^\\s*(```|~~~)")
	code    = regexp.MustCompile("`[^`]*`")
	target  = regexp.MustCompile(`\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)`)
	bare    = regexp.MustCompile(`https?://[^\s)<>"` + "`" + `]+`)
	heading = regexp.MustCompile(`^#{1,6}\s+(.*?)\s*#*$`)
	anchor  = regexp.MustCompile(`<a (?:id|name)="([^"]+)">`)
	named   = regexp.MustCompile("`(Test[A-Z]\\w*)`")
)

// read takes a page apart. What is in fenced blocks is none of its references.
func read(text string) page {
	p := page{anchors: map[string]bool{}}
	fenced := false
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, "\n")
		if fence.MatchString(line) {
			fenced = !fenced
			continue
		}
		if fenced {
			continue
		}
		for _, m := range named.FindAllStringSubmatch(line, -1) {
			p.tests = append(p.tests, link{m[1], number})
		}
		if m := heading.FindStringSubmatch(line); m != nil {
			p.anchor(slug(m[1]))
		}
		for _, m := range anchor.FindAllStringSubmatch(line, -1) {
			p.anchors[m[1]] = true
		}
		line = code.ReplaceAllString(line, "")
		for _, m := range target.FindAllStringSubmatch(line, -1) {
			p.links = append(p.links, link{m[1], number})
		}
		for _, address := range bare.FindAllString(target.ReplaceAllString(line, ""), -1) {
			p.links = append(p.links, link{strings.TrimRight(address, ".,;:"), number})
		}
	}
	return p
}

// anchor adds one for a heading; those of the same text are numbered, as GitHub does.
func (p page) anchor(name string) {
	for n, unique := 0, name; ; {
		if !p.anchors[unique] {
			p.anchors[unique] = true
			return
		}
		n++
		unique = fmt.Sprintf("%s-%d", name, n)
	}
}

var (
	linked = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	noSlug = regexp.MustCompile(`[^\p{L}\p{N}_\- ]`)
)

// slug is the anchor that GitHub and the registry give a heading.
func slug(heading string) string {
	text := linked.ReplaceAllString(heading, "$1")
	return strings.ReplaceAll(noSlug.ReplaceAllString(strings.ToLower(text), ""), " ", "-")
}
