package audit_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/audit"
)

// BenchmarkAppend appends records durably, by so many writers at a time, and tells beside it
// what the same directory's disk does: how often a second one line can be made durable.
func BenchmarkAppend(b *testing.B) {
	line := bytes.Repeat([]byte("x"), 900)
	for _, writers := range []int{1, 8, 32} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			dir := b.TempDir()
			disk := fsyncs(b, dir, line)
			d, err := audit.OpenDirectory(dir, torn)
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = d.Close() }()
			var group sync.WaitGroup
			share := b.N/writers + 1
			b.ResetTimer()
			for range writers {
				group.Go(func() {
					for range share {
						if _, err := d.Append(line); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			group.Wait()
			b.ReportMetric(float64(share*writers)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(disk, "fsyncs/s")
		})
	}
}

// fsyncs measures how often a second a line is made durable in a directory.
func fsyncs(b *testing.B, dir string, line []byte) float64 {
	b.Helper()
	file, err := os.Create(filepath.Join(dir, "f"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	const times = 200
	began := time.Now()
	for range times {
		if _, err := file.Write(line); err != nil {
			b.Fatal(err)
		}
		if err := file.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	return times / time.Since(began).Seconds()
}
