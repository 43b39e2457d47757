package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// TestRepository checks what this repository's pages refer to.
func TestRepository(t *testing.T) {
	r, err := check(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range r.problems {
		t.Error(problem)
	}
	if r.pages < 20 || r.links < 50 || len(r.external) == 0 {
		t.Errorf("only %d links in %d pages were found, %d of them to elsewhere", r.links, r.pages, len(r.external))
	}
}

func TestCheck(t *testing.T) {
	const here = "https://github.com/keystead/terraform-provider-hsm"
	for name, tc := range map[string]struct {
		text string
		want string // the one problem; empty if there is none
	}{
		"file":                    {"[a](docs/b.md)", ""},
		"no file":                 {"[a](docs/c.md)", "docs/c.md: there is no such file"},
		"file with title":         {`[a](docs/c.md "C")`, "docs/c.md: there is no such file"},
		"directory":               {"[a](docs/)", ""},
		"heading":                 {"[a](docs/b.md#what-is-it)", ""},
		"heading in code":         {"[a](docs/b.md#hsm_key-resource)", ""},
		"second heading":          {"[a](docs/b.md#what-is-it-1)", ""},
		"anchor":                  {"[a](docs/b.md#nestedatt--versions)", ""},
		"no heading":              {"[a](docs/b.md#what-was-it)", "docs/b.md#what-was-it: the page has no such heading"},
		"heading of this page":    {"# Here\n[a](#here)", ""},
		"no heading of this page": {"# Here\n[a](#there)", "#there: the page has no such heading"},
		"address of a file":       {"[a](" + here + "/blob/main/docs/b.md)", ""},
		"address of no file":      {"[a](" + here + "/blob/main/docs/c.md)", here + "/blob/main/docs/c.md: there is no such file"},
		"picture":                 {"![a](https://raw.githubusercontent.com/keystead/terraform-provider-hsm/main/assets/a.svg)", "main/assets/a.svg: there is no such file"},
		"issues":                  {"[a](" + here + "/issues)", ""},
		"in a block":              {"```\n[a](docs/c.md)\n```", ""},
		"in code":                 {"`[a](docs/c.md)`", ""},
		"after a block":           {"```\n```\n[a](docs/c.md)", "page.md:3: docs/c.md: there is no such file"},
		"test":                    {"shown by `TestReal`", ""},
		"no test":                 {"shown by `TestImagined`", "TestImagined: there is no such test"},
		"elsewhere":               {"[a](https://example.com/a#b) and https://example.com/c.", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := check(fstest.MapFS{
				"page.md":         {Data: []byte(tc.text)},
				"docs/b.md":       {Data: []byte("# `hsm_key` (Resource)\n## What is it?\n## hsm_key Resource\n## What is it?\n<a id=\"nestedatt--versions\"></a>\n")},
				"a_test.go":       {Data: []byte("package a\n\nfunc TestReal(t *testing.T) {}\n")},
				"templates/no.md": {Data: []byte("[a](nowhere.md)")},
				".git/no.md":      {Data: []byte("[a](nowhere.md)")},
			})
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case tc.want == "" && len(r.problems) > 0, tc.want != "" && (len(r.problems) != 1 || !strings.HasSuffix(r.problems[0], tc.want)):
				t.Errorf("the problems are %q, want %q", r.problems, tc.want)
			}
			if name == "elsewhere" && !slices.Equal(r.external, []string{"https://example.com/a", "https://example.com/c"}) {
				t.Errorf("elsewhere are %q", r.external)
			}
		})
	}
}

func TestAsk(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/gone":
			http.NotFound(w, r)
		case "/private":
			w.WriteHeader(http.StatusForbidden)
		case "/moved":
			http.Redirect(w, r, "/", http.StatusMovedPermanently)
		}
	}))
	defer server.Close()
	problems := ask([]string{server.URL, server.URL + "/gone", server.URL + "/private", server.URL + "/moved", "http://127.0.0.1:1/"})
	if len(problems) != 2 || !strings.HasSuffix(problems[0], "/gone: 404 Not Found") || !strings.HasPrefix(problems[1], "http://127.0.0.1:1/: ") {
		t.Errorf("the problems are %q", problems)
	}
}
