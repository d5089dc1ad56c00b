//go:build !unix

package cli

func awaitNoReader() bool { return false } // only a write shows it
