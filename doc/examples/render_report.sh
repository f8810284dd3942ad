#!/bin/sh
# Renders one report: parameters (JSON) on stdin, a line of JSON on stdout.
#
#	sched-executor --name=renderer --register --no-shell \
#		--handler=report='/opt/reports/render_report.sh /srv/reports'
#
# A real one would call a report engine here.  What it must do the same way: write
# under a name of its own and rename, since an attempt may be repeated; say on stderr
# how it goes; leave with another code than 0 when it fails.
set -eu
folder=$1
parameters=$(cat)
value() { # NAME: a text member of the parameters
	printf '%s' "$parameters" | tr -d '\n' | sed -n "s/.*\"$1\"[[:space:]]*:[[:space:]]*\"\([^\"]*\)\".*/\1/p"
}
region=$(value region)
format=$(value format)
file=$folder/report-$SCHED_TASK_ID.$format

echo "INFO: rendering $SCHED_JOB_NAME for region $region" >&2
echo "PROGRESS: 50 data read" >&2
printf '<h1>Report for %s</h1>\n<p>as of %s</p>\n' "$region" "$SCHED_SCHEDULED_AT" >"$file.$SCHED_ATTEMPT"
mv "$file.$SCHED_ATTEMPT" "$file"
printf '{"file": "%s", "bytes": %s}\n' "$file" "$(wc -c <"$file" | tr -d ' ')"
