# shellcheck shell=bash
# What the scripts in this folder share. They source it first, with "set -euo pipefail" set.

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Everything downloaded or built stays here, outside the repository, so that a second run is quick.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/tkafka-ci
mkdir -p "$cache"

# On standard error, as the standard output of some scripts is an answer.
say() { echo "${0##*/}: $*" >&2; }

fail() {
	say "$*"
	exit 1
}

# need PROGRAM PACKAGE... installs Debian's packages where the program is missing.
need() {
	command -v "$1" >/dev/null && return
	local root=()
	[ "$(id -u)" = 0 ] || root=(sudo -n)
	if ! command -v apt-get >/dev/null || ! "${root[@]}" true 2>/dev/null; then
		fail "$1 is missing: install it (Debian: ${*:2})"
	fi
	say "installing ${*:2}"
	local install=("${root[@]}" env DEBIAN_FRONTEND=noninteractive
		apt-get install -qq -y --no-install-recommends "${@:2}")
	# The package lists of a machine image are old, or not there at all.
	"${install[@]}" >"$cache/apt.log" 2>&1 ||
		{ "${root[@]}" apt-get update -qq && "${install[@]}"; } >"$cache/apt.log" 2>&1 ||
		fail "cannot install ${*:2}: $(tail -n 3 "$cache/apt.log")"
}

# within_engine "$@" begins a script that needs Docker: it starts the script anew under .ci/engine.
within_engine() {
	[ -n "${TKAFKA_ENGINE:-}" ] || exec "$repo/.ci/engine" "$0" "$@"
}

# A registry is reached or it is not: the answer must not take longer than a slow line needs.
registry_has() {
	timeout 20 docker manifest inspect "$1" >/dev/null 2>&1
}

# until_true SECONDS COMMAND... waits until the command succeeds.
until_true() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || { say "in vain: $*"; return 1; }
		sleep 0.2
	done
}
