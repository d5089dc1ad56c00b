//go:build !unix

package embedded

// hold does nothing here: the port of a broker that is down may be taken.
func hold(int) (release func()) { return func() {} }
