//go:build unix

package main

import (
	"os"
	"syscall"
)

// ownFolder returns true if path is a folder that belongs to this user.
func ownFolder(path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}
