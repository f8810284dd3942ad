#!/bin/bash
# make bootstrap: installs what a build and its tests need, and nothing else.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
ensure_tools
say "all is there; the server: $("$PG_CONFIG" --version), PG_CONFIG=$PG_CONFIG"
