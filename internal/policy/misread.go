package policy

import (
	"errors"
	"fmt"
	"regexp"
)

var (
	positionPattern = regexp.MustCompile(`<input>:(\d+):(\d+)(?: "(?:[^"\\]|\\.)*")?: (.*)$`)
	expectedPattern = regexp.MustCompile(`^exact got (.*) want (.*)$`)
)

// misread puts an error of Cedar's parser in words for somebody who looks at the text. The
// parser tells the position of the word after the one that it stumbled over.
func misread(err error) error {
	parts := positionPattern.FindStringSubmatch(err.Error())
	if parts == nil {
		return errors.New(err.Error())
	}
	problem := parts[3]
	if words := expectedPattern.FindStringSubmatch(problem); words != nil {
		problem = fmt.Sprintf("found %q where %q is expected", words[1], words[2])
		if words[1] == "" {
			problem = fmt.Sprintf("the text ends where %q is expected", words[2])
		}
	}
	return fmt.Errorf("near line %s, column %s: %s", parts[1], parts[2], problem)
}
