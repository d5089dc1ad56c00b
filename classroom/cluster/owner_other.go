//go:build !unix

package main

import "os"

// ownFolder does not check the owner on this system.
func ownFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
