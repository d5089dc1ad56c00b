# shellcheck shell=bash
# The README's commands for the staff.

# staff_commands WORDS prints those with these words in them, in their order. The class has STUDENTS
# students instead of the README's number.
staff_commands() {
	# shellcheck disable=SC2016 # no expression of the shell
	sed -n '/^```console staff$/,/^```$/s/^\$ //p' README.md | sed "s/--students [0-9]*/--students $STUDENTS/" |
		grep -F "$1" || fail "the README has no command with $1 for the staff"
}
