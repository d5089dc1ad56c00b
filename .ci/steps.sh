# shellcheck shell=bash
# Steps and their summary: "step NAME COMMAND..." for each, and "conclude" at the end.
# "lane FUNCTION" runs the steps of a function beside everything that follows, until "join".

scratch=$(mktemp -d)
number=0 begun=0 lanes=() in_lane=''
trap 'rm -rf "$scratch"' EXIT

# step NAME COMMAND... runs the command, after a failed step too. Its output is shown at its end if
# it has failed. With --show it is always shown: at the end in a lane, otherwise as it comes.
step() {
	local show='' name file status=0 started=$SECONDS
	[ "$1" = --show ] && show=yes && shift
	name=$1
	shift
	number=$((number + 1))
	file=$scratch/$(printf '%02d%s-%02d' $begun "${in_lane:-z}" $number)
	echo "$name" >"$file.name"
	if [ -z "$in_lane" ]; then
		echo "== $name"
		if [ -n "$show" ]; then ("$@"); else ("$@") >"$file.output" 2>&1; fi || status=$?
	else
		echo "started $name"
		("$@") >"$file.output" 2>&1 </dev/null || status=$?
	fi
	if [ $status = 0 ]; then
		echo "ok     $name ($((SECONDS - started)) s)" >"$file.result"
	else
		echo "FAILED $name (status $status, $((SECONDS - started)) s)" >"$file.result"
	fi
	(
		flock 7
		[ -z "$in_lane" ] || echo "== $name"
		if [ $status != 0 ] || [ -n "$show" ]; then cat "$file.output" 2>/dev/null; fi
		cat "$file.result"
	) 7>"$scratch/lock"
}

# lane FUNCTION runs a function with steps in the background. Its process group is its own, so that
# all it has started can be stopped, and Ctrl-C means to its commands what it usually means.
lane() {
	begun=$((begun + 1))
	set -m
	(
		set +m
		in_lane=a
		"$@"
	) </dev/null &
	lanes+=($!)
	set +m
	trap 'interrupted 130' INT
	trap 'interrupted 143' TERM HUP
}

# interrupted STATUS stops all lanes and shows what the unfinished steps have printed.
interrupted() {
	trap '' INT TERM HUP
	local group name file
	echo "interrupted: stopping everything"
	for group in "${lanes[@]}"; do kill -TERM -- "-$group" 2>/dev/null; done
	# Brokers and the Docker engine need some seconds.
	for group in "${lanes[@]}"; do
		for _ in $(seq 600); do
			kill -0 -- "-$group" 2>/dev/null || continue 2
			sleep 0.1
		done
		kill -KILL -- "-$group" 2>/dev/null
	done
	for name in "$scratch"/*.name; do
		file=${name%.name}
		[ ! -e "$file.result" ] || continue
		echo "== $(cat "$name")"
		tail -n 20 "$file.output" 2>/dev/null
		echo "FAILED $(cat "$name") (interrupted)" >"$file.result"
	done
	summary
	exit "$1"
}

# summary prints a line for each step, in their order, and one that counts them.
summary() {
	local failed
	echo
	cat "$scratch"/*.result
	failed=$(cat "$scratch"/*.result | grep -vc '^ok')
	echo "$(cat "$scratch"/*.result | grep -c '^ok') passed, $failed failed"
	[ "$failed" = 0 ]
}

# join waits for all lanes.
join() {
	local group
	for group in "${lanes[@]}"; do
		wait "$group" || echo "FAILED a lane has ended early (status $?)" >"$scratch/$(printf %02db-%s $begun "$group").result"
		kill -TERM -- "-$group" 2>/dev/null # a failed step may have left a process
	done
	lanes=()
}

# conclude waits for all lanes and prints the summary. It fails if a step has failed.
conclude() {
	join
	summary
}

# live_page brings what the tests of the live page need: a browser, axe-core, and a member in Python.
live_page() {
	# The one without windows needs half the time. Ubuntu does not have it.
	(need chromium-headless-shell chromium-headless-shell) || need chromium chromium
	.ci/axe && need_python_client
}

# fuzz TIME runs each fuzz target for so long.
fuzz() {
	local package target
	for package in $(grep -rl --include=*_test.go '^func Fuzz' . | xargs -n 1 dirname | sort -u); do
		for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz'); do
			echo "$package $target"
			# Minimising one input can use up the whole time.
			go test -run '^$' -fuzz "^$target\$" -fuzztime "$1" -fuzzminimizetime 10x "$package" || return
		done
	done
}
