# shellcheck shell=bash
# What the scripts in this folder share. A script sources it first, under "set -euo pipefail".

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Downloads and builds stay here, outside the repository, so that a second run is quick.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/tkafka-ci
mkdir -p "$cache"

# A signal goes to all scripts that run. With a trap, each waits for the command that it runs, so that
# brokers are removed before the engine stops.
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# say prints to standard error: the standard output of some scripts is a result.
say() { echo "${0##*/}: $*" >&2; }

fail() {
	say "$*"
	exit 1
}

# need PROGRAM PACKAGE... installs Debian packages if the program is missing.
need() {
	command -v "$1" >/dev/null && return
	# Only one installation can run at a time, and scripts run side by side.
	(flock 8 && { command -v "$1" >/dev/null || install_packages "$@"; }) 8>"$cache/apt.lock" || exit 1
}

# install_packages PROGRAM PACKAGE...
install_packages() {
	local root=()
	[ "$(id -u)" = 0 ] || root=(sudo -n)
	if ! command -v apt-get >/dev/null || ! "${root[@]}" true 2>/dev/null; then
		fail "$1 is missing: install it (Debian packages: ${*:2})"
	fi
	say "installing ${*:2}"
	local install=("${root[@]}" env DEBIAN_FRONTEND=noninteractive
		apt-get install -qq -y --no-install-recommends "${@:2}")
	# A machine image has old package lists, or none.
	"${install[@]}" >"$cache/apt.log" 2>&1 8>&- ||
		{ "${root[@]}" apt-get update -qq && "${install[@]}"; } >"$cache/apt.log" 2>&1 8>&- ||
		fail "cannot install ${*:2}: $(tail -n 3 "$cache/apt.log")"
}

# need_python_client sets python to a Python that has Confluent's client, which it installs if it is missing.
need_python_client() {
	python=$cache/python/bin/python
	(
		flock 8
		"$python" -c 'import confluent_kafka' 2>/dev/null && exit
		need python3 python3
		python3 -c 'import ensurepip' 2>/dev/null || need python3-venv python3-venv
		python3 -m venv "$cache/python" && "$python" -m pip install -q confluent-kafka
	) 8>"$cache/python.lock"
}

# within_engine "$@" is the beginning of a script that needs Docker. Without an engine, it starts
# the script again under .ci/standin/engine.
within_engine() {
	[ -n "${TKAFKA_ENGINE:-}" ] || exec "$repo/.ci/standin/engine" "$0" "$@"
}

# registry_has IMAGE asks the image's registry. Without a network the answer would take minutes.
registry_has() {
	timeout 20 docker manifest inspect "$1" >/dev/null 2>&1
}

# image_targets prints the name of each image.
image_targets() {
	sed -n 's/^FROM programs AS //p' "$repo/docker/Dockerfile"
}

# image_programs TARGET prints the folder of each program that docker/Dockerfile builds into the image.
image_programs() {
	local patterns
	patterns=$(sed -n "s|.*build -o /out/$1/ *\(\./[^&]*[^&\\ ]\).*|\1|p" "$repo/docker/Dockerfile")
	[ -n "$patterns" ] || fail "docker/Dockerfile has no \"build -o /out/$1/\""
	# shellcheck disable=SC2086 # one argument each
	(cd "$repo" && go list -f '{{if eq .Name "main"}}{{.ImportPath}}{{end}}' $patterns) | sed 's|^tkafka/||'
}

# section_programs prints the folder of each program of the tutorial.
section_programs() {
	(cd "$repo" && go list -f '{{if eq .Name "main"}}{{.ImportPath}}{{end}}' ./...) | sed 's|^tkafka/||' | grep -v '^classroom/'
}

# copy_work_tree FOLDER copies the files that git knows or would add.
copy_work_tree() {
	(cd "$repo" && git ls-files -z --cached --others --exclude-standard | tar -c --null -T - --ignore-failed-read 2>/dev/null) |
		tar -x -C "$1"
}

# until_true SECONDS COMMAND... waits until the command succeeds.
until_true() {
	local end=$((SECONDS + $1)) seconds=$1
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || { say "not true within $seconds s: $*"; return 1; }
		sleep 0.2
	done
}

# staff_commands WORDS prints the commands of classroom/README.md that contain these words, in their order.
# The class has STUDENTS students instead of the number in the text.
staff_commands() {
	# shellcheck disable=SC2016 # not an expression of the shell
	sed -n '/^```console staff$/,/^```$/s/^\$ //p' classroom/README.md | sed "s/--students [0-9]*/--students $STUDENTS/" |
		grep -F "$1" || fail "classroom/README.md has no command with $1"
}
