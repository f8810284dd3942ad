#!/bin/bash
# fuzz.sh PROGRAM SECONDS: one fuzzer over its committed corpus.  What it says
# goes to PROGRAM.log, how it ends to PROGRAM.rc; always succeeds itself.
set -uo pipefail
program=$1 seconds=$2
name=${program##*/fuzz_} found=$program.found
dict=test/fuzz/$name.dict seeds=test/fuzz/corpus/$name
mkdir -p "$found"
args=(-max_total_time="$seconds" -timeout=10 -max_len=512 -verbosity=0 -artifact_prefix="$found-")
[ ! -e "$dict" ] || args+=(-dict="$dict")
args+=("$found")
[ ! -d "$seeds" ] || args+=("$seeds")
rc=0
"$program" "${args[@]}" >"$program.log" 2>&1 || rc=$?
echo $rc >"$program.rc"
