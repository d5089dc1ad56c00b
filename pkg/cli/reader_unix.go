//go:build unix

package cli

import (
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// awaitNoReader calls a function when standard output is a pipe and nobody reads it any more. The program may have
// nothing to write at that time, so it would not see it otherwise (tail -f does the same).
func awaitNoReader(readerLeft func()) {
	info, err := os.Stdout.Stat()
	if err != nil || info.Mode()&fs.ModeNamedPipe == 0 {
		return
	}
	output := []unix.PollFd{{Fd: int32(os.Stdout.Fd())}} // without events it waits for errors
	for err = unix.EINTR; err == unix.EINTR; {
		_, err = unix.Poll(output, -1)
	}
	if err == nil {
		readerLeft()
	}
}
