# Removes one lab, whatever state it is in. Waits for its parent first: end of file on stdin means the parent is
# gone (however it went) or asks for the end; the word "keep" leaves the lab standing.
#   $1 prefix of the namespaces   $2 cgroup of the lab   $3 directory of the lab
# Does all steps, whatever fails, and reports the failures on stderr.
prefix=$1 cgroup=$2 dir=$3 failed=
trap '' HUP INT TERM PIPE
cd /
read -r word || word=end
[ "$word" = keep ] && exit 0

note() {
	failed="$failed$1
"
}

pids() {
	find "$cgroup" -name cgroup.procs -exec cat {} + 2>/dev/null
}

# Processes and cgroups. Killing alone would miss a process that was started a moment ago and has yet to join;
# once the directories are gone it cannot join, and does not start.
tries=0
while [ -d "$cgroup" ]; do
	if [ -e "$cgroup/cgroup.kill" ]; then
		echo 1 >"$cgroup/cgroup.kill"
	else
		find "$cgroup" -name cgroup.freeze -exec sh -c 'echo 0 >"$1"' - {} \;
		kill -9 $(pids) 2>/dev/null
	fi
	# The inner ones first.
	find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null
	[ -d "$cgroup" ] || break
	tries=$((tries + 1))
	if [ $tries -gt 500 ]; then
		note "cgroup left: $cgroup, processes in it: $(pids | tr '\n' ' ')"
		break
	fi
	sleep 0.01
done

# Namespaces; their links go with them.
for netns in /run/netns/"$prefix"-*; do
	[ -e "$netns" ] && echo "netns del ${netns##*/}"
done | ip -force -batch - 2>/dev/null
for netns in /run/netns/"$prefix"-*; do
	[ -e "$netns" ] && note "namespace left: ${netns##*/}"
done

# Mounts, the inner ones first.
while read -r _ point _; do
	case $point in "$dir"/*) echo "$point" ;; esac
done </proc/self/mounts | sort -r | while read -r point; do
	umount "$point" 2>/dev/null || umount -l "$point"
done
grep -q " $dir/" /proc/self/mounts && note "mounts left under $dir"

rm -rf --one-file-system "$dir" || note "directory left: $dir"
if [ -n "$failed" ]; then
	printf '%s' "$failed" >&2
	exit 1
fi
