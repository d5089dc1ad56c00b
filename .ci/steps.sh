# shellcheck shell=bash
# Steps with a summary: step NAME COMMAND... for each, and conclude at the end.

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
passed=0 failed=0 summary=()

# step NAME COMMAND... runs the command, whether or not those before it have passed. Its output is
# shown when it fails, or with --show as it comes.
step() {
	local show=
	[ "$1" = --show ] && show=yes && shift
	local name=$1 status=0 started=$SECONDS
	shift
	echo "== $name"
	if [ -n "$show" ]; then
		"$@" || status=$?
	else
		"$@" >"$scratch/step" 2>&1 || status=$?
		[ $status = 0 ] || cat "$scratch/step"
	fi
	if [ $status = 0 ]; then
		passed=$((passed + 1))
		summary+=("ok     $name ($((SECONDS - started)) s)")
	else
		failed=$((failed + 1))
		summary+=("FAILED $name (status $status, $((SECONDS - started)) s)")
	fi
	echo "${summary[-1]}"
}

# conclude prints a line for each step and one that counts them, and fails if a step has.
conclude() {
	echo
	printf '%s\n' "${summary[@]}"
	echo "$passed passed, $failed failed"
	[ $failed = 0 ]
}
