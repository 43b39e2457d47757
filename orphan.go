package main

import (
	"os"
	"time"
)

// endWithParent ends this process soon after the CLI that started it has died, which
// nothing else would: it would stay for ever, logged in, with sessions that others need.
// What it was doing is finished by the next run, as after any kill. Where the parent's id
// says nothing (Windows), nothing happens.
func endWithParent(tidy func()) {
	for parent := os.Getppid(); os.Getppid() == parent; {
		time.Sleep(500 * time.Millisecond)
	}
	tidy()
	os.Exit(1)
}
