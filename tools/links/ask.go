package main

import (
	"fmt"
	"net/http"
	"sync"
	"time"
)

// ask asks for each address, a few at a time, and returns those that nothing is at. An
// answer that one may not see it (401, 403, 429) is an answer: many sites turn programs
// away.
func ask(addresses []string) (problems []string) {
	client := &http.Client{Timeout: 30 * time.Second}
	answers := make([]string, len(addresses))
	var wait sync.WaitGroup
	slots := make(chan struct{}, 4)
	for i, address := range addresses {
		wait.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			answers[i] = one(client, address)
		})
	}
	wait.Wait()
	for i, answer := range answers {
		if answer != "" {
			problems = append(problems, fmt.Sprintf("%s: %s", addresses[i], answer))
		}
	}
	return problems
}

// one says what is wrong with an address; nothing if it can be reached.
func one(client *http.Client, address string) string {
	request, err := http.NewRequest(http.MethodGet, address, http.NoBody)
	if err != nil {
		return err.Error()
	}
	request.Header.Set("User-Agent", "terraform-provider-hsm link check")
	response, err := client.Do(request)
	if err != nil {
		return err.Error()
	}
	if err := response.Body.Close(); err != nil {
		return err.Error()
	}
	switch code := response.StatusCode; {
	case code < 400, code == http.StatusUnauthorized, code == http.StatusForbidden, code == http.StatusTooManyRequests:
		return ""
	default:
		return response.Status
	}
}
