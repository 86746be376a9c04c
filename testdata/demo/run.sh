#!/usr/bin/env bash
# The demo: a first load, a weekend, and the sync after it, in a temporary folder that is removed at the end.
#   testdata/demo/run.sh bin/rollcall
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ $# -eq 1 ] && [ -x "$1" ] || { echo "usage: $0 PROGRAM (make build makes bin/rollcall)" >&2; exit 2; }
rollcall=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cp "$here/rollcall.yaml" "$here/people.csv" "$here/people-monday.csv" "$folder"
cd "$folder"

say() { printf '\n\033[1m# %s\033[0m\n' "$*"; }
[ -t 1 ] && [ -z "${NO_COLOR:-}" ] || say() { printf '\n# %s\n' "$*"; }

# try CODE ARGUMENT... shows a command, runs it, shows the first and the last lines of what it prints, and insists on the
# exit code.
try() {
  local want=$1 code=0 lines
  shift
  printf '$ rollcall %s\n' "$*"
  "$rollcall" "$@" >"$folder/printed" 2>&1 || code=$?
  lines=$(wc -l <"$folder/printed")
  if ((lines > 34)); then
    head -n 16 "$folder/printed"
    printf '  ... %d more lines ...\n' $((lines - 32))
    tail -n 16 "$folder/printed"
  else
    cat "$folder/printed"
  fi
  if ((code != want)); then
    echo "the demo expected exit code $want here, not $code" >&2
    exit 1
  fi
}

say "Friday. Is everything as it should be?"
try 0 check
say "What would happen? (exit code 2: there is something to do)"
try 2 plan --detailed-exitcode
say "The first load."
try 0 import staff
say "Nothing is left to do. (exit code 0)"
try 0 plan --detailed-exitcode
say "Monday. Four people joined, six changed, five are gone."
cp people-monday.csv people.csv
try 2 plan --detailed-exitcode
try 0 sync
say "And once more: nothing."
try 0 plan --detailed-exitcode
