// Command links checks the references of the documentation: in README.md and the other
// pages at the root, and in docs/, which is generated.
//
// Without a network: relative links, anchors, addresses of this repository's files, and
// names of tests. With -external also what is elsewhere, each address once.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	external := flag.Bool("external", false, "also ask for the addresses elsewhere")
	flag.Parse()
	report, err := check(os.DirFS("."))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	problems := report.problems
	if *external {
		problems = append(problems, ask(report.external)...)
	}
	for _, problem := range problems {
		fmt.Fprintln(os.Stderr, problem)
	}
	fmt.Printf("links: %d in %d pages, %d addresses elsewhere, %d broken\n", report.links, report.pages, len(report.external), len(problems))
	if len(problems) > 0 {
		os.Exit(1)
	}
}
