# Sourced by the scripts that run several things: headings, times, results and skips. Sources env.sh first.
#
#   step NAME COMMAND...   runs COMMAND under a heading, notes its result and time, goes on when it fails
#   skip NAME REASON       says loudly that NAME did not run, and again at the end
#   summary                prints every result, repeats every skip; fails when a step failed
#
# A test that cannot run here appends "NAME: reason" to the file named by CONVOY_SKIPS, or prints a line that
# starts with "SKIP"; both are collected by `gather_skips LOG`.

STEPS=()
STEPS_FAILED=0
SCRATCH=$(mktemp -d)
export CONVOY_SKIPS=$SCRATCH/skips
: >"$CONVOY_SKIPS"
trap 'rm -rf "$SCRATCH"' EXIT
STARTED=$SECONDS

heading() { printf '\n==== %s\n' "$1"; }

step() {
    local name=$1 begun=$SECONDS result=ok
    shift
    heading "$name"
    rm -f "$SCRATCH/skipped"
    # Not `if "$@"`: that would switch errexit off inside functions that are steps.
    set +e
    (set -e; "$@")
    local code=$?
    set -e
    if [ -e "$SCRATCH/skipped" ]; then result="ok, SKIPS"; fi
    if [ "$code" -ne 0 ]; then
        result="FAILED ($code)"
        STEPS_FAILED=$((STEPS_FAILED + 1))
    fi
    STEPS+=("$(printf '%-34s %-12s %4d s' "$name" "$result" $((SECONDS - begun)))")
    printf -- '---- %s: %s, %d s\n' "$name" "$result" $((SECONDS - begun))
    return 0
}

skip() {
    printf '\nSKIP %s: %s\n' "$1" "$2"
    printf '%s: %s\n' "$1" "$2" >>"$CONVOY_SKIPS"
    : >"$SCRATCH/skipped"
}

# Copies the skips that tests printed into the list that the summary repeats.
gather_skips() {
    { grep -aE '^ *SKIP' "$1" || true; } | sed -E 's/^ *SKIP(PED)?:? *//' >>"$CONVOY_SKIPS"
}

summary() {
    local skips
    heading "summary"
    printf '%s\n' "${STEPS[@]}"
    printf '%-34s %-12s %4d s\n' total '' $((SECONDS - STARTED))
    skips=$(sort -u "$CONVOY_SKIPS")
    if [ -n "$skips" ]; then
        printf '\nNOT RUN HERE:\n'
        printf '%s\n' "$skips" | sed 's/^/  SKIP /'
    fi
    if [ "$STEPS_FAILED" -ne 0 ]; then
        printf '\n%d step(s) failed\n' "$STEPS_FAILED"
        return 1
    fi
    printf '\nall steps passed\n'
}
