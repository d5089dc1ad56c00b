//go:build !unix

package cli

func awaitNoReader(func()) {} // only a write shows it
