#!/usr/bin/env bash
# Makes ready what the browser tests need: a chromium, and the built page. Safe to run again: what is there is left alone.
set -euo pipefail

here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../.." && pwd)"
log="$(mktemp)"
trap 'rm -f "$log"' EXIT

say() { printf 'web: %s\n' "$*"; }
quietly() { "$@" >"$log" 2>&1 || { cat "$log" >&2; say "failed: $*" >&2; exit 1; }; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

if ! command -v chromium >/dev/null; then
  command -v apt-get >/dev/null || { say "chromium is missing: install it" >&2; exit 1; }
  say "installing chromium with apt"
  quietly as_root apt-get update -qq
  quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium
fi
"$root/.ci/page" test
say "ready"
