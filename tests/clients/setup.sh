#!/usr/bin/env bash
# Makes ready the two client libraries that look at our grid from outside: hippolyzer (its own virtual environment,
# it pins old versions) and node-metaverse (npm). Safe to run again: what is there already is left alone.
set -euo pipefail

here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../.." && pwd)"
venv="$root/.venv-hippolyzer"
node="$here/node"
log="$(mktemp)"
trap 'rm -f "$log"' EXIT

say() { printf 'clients: %s\n' "$*"; }
fail() { say "$*" >&2; exit 1; }
quietly() { "$@" >"$log" 2>&1 || { cat "$log" >&2; fail "failed: $*"; }; }

# Two runs at once (a test run beside `make test`) would install into each other's half-made folders.
if command -v flock >/dev/null; then
  exec 9>"$root/.clients-setup.lock"
  flock 9
fi

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# hippolyzer needs numpy 1.x, which has no wheels beyond Python 3.12.
python_for_hippolyzer() {
  local name
  for name in python3.11 python3.12 python3.10 python3; do
    if command -v "$name" >/dev/null && "$name" -c 'import venv, ensurepip' 2>/dev/null; then
      echo "$name"
      return
    fi
  done
  fail "no Python with the venv module; on Debian: apt-get install python3-venv"
}

setup_hippolyzer() {
  local stamp="$venv/.ready" wanted
  wanted="$(sha256sum "$here/hippo/requirements.txt" "$here/setup.sh" | sha256sum)"
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then return; fi
  local python
  python="$(python_for_hippolyzer)"
  say "installing hippolyzer 0.15.6 into .venv-hippolyzer ($("$python" --version))"
  rm -rf "$venv"
  quietly "$python" -m venv "$venv"
  quietly "$venv/bin/pip" install --disable-pip-version-check -r "$here/hippo/requirements.txt"
  quietly "$venv/bin/pip" install --disable-pip-version-check --no-deps hippolyzer==0.15.6
  quietly "$venv/bin/python" -c 'from hippolyzer.lib.client.hippo_client import HippoClient'
  echo "$wanted" >"$stamp"
}

setup_node() {
  local stamp="$node/node_modules/.ready" wanted
  if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    command -v apt-get >/dev/null || fail "node and npm are missing: install Node.js 18 or later"
    say "installing nodejs and npm with apt"
    quietly as_root apt-get update -qq
    quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nodejs npm
  fi
  wanted="$(cat "$node/package.json" "$node/package-lock.json" | sha256sum) $(node --version)"
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then return; fi
  say "installing node-metaverse 0.8.16 into tests/clients/node (node $(node --version))"
  (cd "$node" && quietly npm ci --omit=optional --ignore-scripts --no-audit --no-fund)
  (cd "$node" && quietly node --input-type=module -e "import '@caspertech/node-metaverse'")
  echo "$wanted" >"$stamp"
}

setup_hippolyzer
setup_node
say "ready"
