package main

import (
	"os"
	"time"
)

// endWithParent ends this process soon after the CLI that started it has died, which
// nothing else would: it would stay for ever, logged in, with sessions that others need.
// What it was doing is finished by the next run, as after any kill. Where the parent's id
// says nothing (Windows), nothing happens. parent is who it was when this process began.
func endWithParent(parent int, tidy func()) {
	for os.Getppid() == parent {
		time.Sleep(500 * time.Millisecond)
	}
	tidy()
	os.Exit(1)
}
