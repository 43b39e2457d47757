package policy

import "strings"

// doc is text that is laid out on one line where it fits, and on several otherwise: the
// pretty printer that cedar's own formatter is made with (Wadler, "A prettier printer").
type doc interface {
	// flat appends the text on one line.
	flat(b *strings.Builder)
	// lay appends the text where it stands, indented from the second line on.
	lay(p *printer, indent int)
}

// The widths that cedar's formatter uses when nothing is said.
const (
	lineWidth   = 80
	indentWidth = 2
)

type (
	text  string // without line breaks
	brk   string // a line break, or on one line this
	seq   []doc
	nest  struct{ body doc } // indented by indentWidth
	align struct{ body doc } // indented by one, to stand after a bracket
	group struct {           // its own breaks are all taken, or none
		body doc
		tail int // what has to fit on the last line after it
	}
)

type printer struct {
	strings.Builder
	column int
}

func (p *printer) put(s string) { p.WriteString(s); p.column += len(s) }

func (t text) flat(b *strings.Builder)  { b.WriteString(string(t)) }
func (t text) lay(p *printer, _ int)    { p.put(string(t)) }
func (k brk) flat(b *strings.Builder)   { b.WriteString(string(k)) }
func (n nest) flat(b *strings.Builder)  { n.body.flat(b) }
func (n nest) lay(p *printer, i int)    { n.body.lay(p, i+indentWidth) }
func (a align) flat(b *strings.Builder) { a.body.flat(b) }
func (a align) lay(p *printer, i int)   { a.body.lay(p, i+1) }
func (g group) flat(b *strings.Builder) { g.body.flat(b) }

func (k brk) lay(p *printer, indent int) {
	p.WriteString("\n" + strings.Repeat(" ", indent))
	p.column = indent
}

func (s seq) flat(b *strings.Builder) {
	for _, d := range s {
		d.flat(b)
	}
}

func (s seq) lay(p *printer, indent int) {
	for _, d := range s {
		d.lay(p, indent)
	}
}

func (g group) lay(p *printer, indent int) {
	var one strings.Builder
	g.body.flat(&one)
	if p.column+one.Len()+g.tail <= lineWidth {
		p.put(one.String())
		return
	}
	g.body.lay(p, indent)
}

// joined puts a separator, and a break after it, between documents.
func joined(docs []doc, separator string) seq {
	var s seq
	for i, d := range docs {
		if i > 0 {
			s = append(s, text(separator), brk(" "))
		}
		s = append(s, d)
	}
	return s
}

// texts makes documents of strings.
func texts(words ...string) []doc {
	docs := make([]doc, len(words))
	for i, w := range words {
		docs[i] = text(w)
	}
	return docs
}

// list is a Cedar set.
func list(elements []string) doc {
	return group{body: seq{text("["), align{joined(texts(elements...), ",")}, text("]")}, tail: 1}
}

// within is "what in [elements]", or "what in element" for a single one.
func within(what string, elements []string) doc {
	if len(elements) == 1 {
		return text(what + " in " + elements[0])
	}
	return group{body: seq{text(what + " in"), nest{seq{brk(" "), list(elements)}}}, tail: 1}
}

// either is the disjunction of documents, in brackets if it is part of a larger
// expression.
func either(docs []doc, isPart bool) doc {
	if len(docs) == 1 {
		return docs[0]
	}
	if isPart {
		return group{body: seq{text("("), align{joined(docs, " ||")}, text(")")}}
	}
	return joined(docs, " ||")
}

// both is the conjunction of documents.
func both(docs ...doc) doc { return joined(docs, " &&") }

// when is a condition clause of a policy.
func when(body doc) doc {
	return group{body: seq{text("when"), brk(" "), text("{"), nest{seq{brk(" "), body}}, brk(" "), text("}")}, tail: 1}
}

// layOut writes a policy: its name as an annotation, its scope, its conditions.
func layOut(id string, effect Effect, scope [3]doc, conditions []doc) string {
	var p printer
	whole := seq{
		text("@id(" + quoted(id) + ")"), brk(""),
		group{body: seq{text(string(effect) + " ("), nest{seq{brk(""), joined(scope[:], ",")}}, brk(""), text(")")}, tail: 1},
	}
	for _, c := range conditions {
		whole = append(whole, brk(""), when(c))
	}
	whole.lay(&p, 0)
	return p.String() + ";\n"
}
