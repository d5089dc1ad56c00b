//go:build unix

package cli

import (
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// awaitNoReader returns true when standard output is a pipe and nobody reads it any more. The program may have
// nothing to write at that time, so it would not see it otherwise (tail -f does the same).
func awaitNoReader() bool {
	if info, err := os.Stdout.Stat(); err != nil || info.Mode()&fs.ModeNamedPipe == 0 {
		return false
	}
	for {
		output := []unix.PollFd{{Fd: int32(os.Stdout.Fd())}} // without events it waits for errors
		if _, err := unix.Poll(output, -1); err != unix.EINTR {
			return err == nil
		}
	}
}
