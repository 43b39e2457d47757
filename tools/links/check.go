package main

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// report is what was found in a repository.
type report struct {
	pages, links int
	problems     []string // "FILE:LINE: what is wrong"
	external     []string // addresses elsewhere, sorted
}

// own are the addresses under which this repository's files can be read.
var own = regexp.MustCompile(`^https://(?:github\.com/keystead/terraform-provider-hsm/(?:blob|tree)|raw\.githubusercontent\.com/keystead/terraform-provider-hsm)/main/(.+)$`)

// repository is the address of the project itself, and of what only exists there.
var repository = regexp.MustCompile(`^https://github\.com/keystead/terraform-provider-hsm(?:$|/(?:issues|security|releases|compare))`)

// check reads every page, and looks for whatever it refers to.
func check(root fs.FS) (report, error) {
	pages, tests, err := collect(root)
	if err != nil {
		return report{}, err
	}
	r := report{pages: len(pages)}
	external := map[string]bool{}
	for _, file := range slices.Sorted(maps.Keys(pages)) {
		broken := func(l link, why string) {
			r.problems = append(r.problems, fmt.Sprintf("%s:%d: %s: %s", file, l.line, l.target, why))
		}
		for _, l := range pages[file].links {
			r.links++
			to, fragment, _ := strings.Cut(l.target, "#")
			switch m := own.FindStringSubmatch(to); {
			case m != nil:
				to = m[1]
			case repository.MatchString(to), strings.HasPrefix(to, "mailto:"):
				continue
			case strings.Contains(to, "://"):
				external[to] = true
				continue
			case to == "":
				to = file
			default:
				to = path.Join(path.Dir(file), to)
			}
			if _, err := fs.Stat(root, to); err != nil {
				broken(l, "there is no such file")
			} else if p, known := pages[to]; fragment != "" && known && !p.anchors[fragment] {
				broken(l, "the page has no such heading")
			}
		}
		for _, l := range pages[file].tests {
			if !tests[l.target] {
				broken(l, "there is no such test")
			}
		}
	}
	r.external = slices.Sorted(maps.Keys(external))
	return r, nil
}

var testName = regexp.MustCompile(`(?m)^func (Test\w+)\(`)

// collect reads the pages, by path, and the names of all tests.
func collect(root fs.FS) (pages map[string]page, tests map[string]bool, err error) {
	pages, tests = map[string]page{}, map[string]bool{}
	err = fs.WalkDir(root, ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if file != "." && strings.HasPrefix(entry.Name(), ".") || file == "templates" {
				return fs.SkipDir // what is in templates is read in docs, where it refers from
			}
			return nil
		}
		isPage, isTest := strings.HasSuffix(file, ".md"), strings.HasSuffix(file, "_test.go")
		if !isPage && !isTest {
			return nil
		}
		text, err := fs.ReadFile(root, file)
		if err != nil {
			return err
		}
		if isPage {
			pages[file] = read(string(text))
		}
		if isTest {
			for _, m := range testName.FindAllStringSubmatch(string(text), -1) {
				tests[m[1]] = true
			}
		}
		return nil
	})
	return pages, tests, err
}
