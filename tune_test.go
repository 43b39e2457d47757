package main

import "testing"

func TestIsLogged(t *testing.T) {
	for _, tc := range []struct {
		environ []string
		want    bool
	}{
		{nil, false},
		{[]string{"HOME=/root", "TF_VAR_log=1", "TF_IN_AUTOMATION=1"}, false},
		{[]string{"TF_LOG="}, false},
		{[]string{"TF_LOG=INFO"}, true},
		{[]string{"TF_LOG_PROVIDER=INFO"}, true},
		{[]string{"TF_LOG_PROVIDER_HSM=TRACE"}, true},
		{[]string{"TF_LOG_PATH=log"}, true},
		{[]string{"TF_ACC_LOG_PATH=log"}, true},
	} {
		if got := isLogged(tc.environ); got != tc.want {
			t.Errorf("%q: %t", tc.environ, got)
		}
	}
}
