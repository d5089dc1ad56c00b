package cli

import (
	"errors"
	"math"
	"strconv"
	"time"
)

// CountFlag adds a flag for a number of messages, 1 or more. Without the flag it is math.MaxInt: there
// is no limit.
func (p *Program) CountFlag(name, shorthand, usage string) *int {
	n := count(math.MaxInt)
	p.Flags.VarP(&n, name, shorthand, usage)
	return (*int)(&n)
}

type count int

func (n *count) Set(text string) error {
	number, err := strconv.Atoi(text)
	if err != nil || number < 1 {
		return errors.New("write a number from 1 on")
	}
	*n = count(number)
	return nil
}

// String returns nothing for "no limit", so that the help shows no default.
func (n *count) String() string {
	if *n == math.MaxInt {
		return ""
	}
	return strconv.Itoa(int(*n))
}

func (n *count) Type() string { return "number" }

// TimeFlag adds a flag for a time, 0s or more.
func (p *Program) TimeFlag(name string, otherwise time.Duration, usage string) *time.Duration {
	t := duration(otherwise)
	p.Flags.Var(&t, name, usage)
	return (*time.Duration)(&t)
}

type duration time.Duration

func (d *duration) Set(text string) error {
	t, err := time.ParseDuration(text)
	if err != nil || t < 0 {
		return errors.New("write a time such as 5s")
	}
	*d = duration(t)
	return nil
}

func (d *duration) String() string { return time.Duration(*d).String() }

func (d *duration) Type() string { return "time" }
