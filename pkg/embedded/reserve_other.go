//go:build !unix

package embedded

// reservePort does nothing on this system. Another program may take the port of a killed broker.
func reservePort(int) (release func()) { return func() {} }
