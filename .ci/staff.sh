# shellcheck shell=bash
# The commands of classroom/README.md.

# staff_commands WORDS prints the commands that contain these words, in their order. The class has
# STUDENTS students instead of the number in the text.
staff_commands() {
	# shellcheck disable=SC2016 # not an expression of the shell
	sed -n '/^```console staff$/,/^```$/s/^\$ //p' classroom/README.md | sed "s/--students [0-9]*/--students $STUDENTS/" |
		grep -F "$1" || fail "classroom/README.md has no command with $1"
}
