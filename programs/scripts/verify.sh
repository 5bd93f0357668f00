#!/usr/bin/env bash
# Proves that the committed programs come from this source. It checks the committed files against toolchain.json,
# runs the Rust tests, builds afresh into a temporary folder and then
#   - with the compiler versions of toolchain.json: compares the bytes;
#   - with other versions (a distribution moves on): runs the program tests against the fresh build.
# The IDLs must be the same either way. Says at the end what it proved; exits 1 when anything differs.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(cd "$here/.." && pwd)"
artifacts="$root/artifacts"
if compgen -e | grep -qx 'GTX_[A-Z_]*_ID'; then
  echo "unset $(compgen -e | grep -x 'GTX_[A-Z_]*_ID' | xargs): the committed programs have the default ids" >&2
  exit 1
fi
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

"$here/install-toolchain.sh"
. "$here/toolchain.sh"

echo "== the committed files are those that toolchain.json describes"
node - "$artifacts" <<'JS'
const { createHash } = require('node:crypto');
const { readFileSync } = require('node:fs');
const [folder] = process.argv.slice(2);
for (const [name, expected] of Object.entries(JSON.parse(readFileSync(`${folder}/toolchain.json`, 'utf8')).sha256)) {
  const actual = createHash('sha256').update(readFileSync(`${folder}/${name}`)).digest('hex');
  if (actual !== expected) throw new Error(`${name} has sha256 ${actual}, toolchain.json says ${expected}`);
}
JS

echo "== Rust tests on the host"
host="${GTX_TARGET_DIR:-$root/target}/host"
(cd "$root" && "$CARGO" test --quiet --locked --lib -p gridtokenx-shared "${PROGRAMS[@]/#/-p}" --target-dir "$host")

echo "== a fresh build"
# Nothing compiled before is used: what is proved must not depend on what lies around.
if ! GTX_TARGET_DIR="$work/target" "$here/build-all.sh" "$work/fresh" >"$work/log" 2>&1; then
  cat "$work/log" >&2
  exit 1
fi

failed=0
names=("${PROGRAMS[@]//-/_}")
for name in "${names[@]}"; do
  if ! cmp -s "$artifacts/$name.idl.json" "$work/fresh/$name.idl.json"; then
    echo "DIFFERENT: $name.idl.json is not what the source gives" >&2
    failed=1
  fi
done
versions() { node -p 'JSON.stringify(JSON.parse(require("fs").readFileSync(process.argv[1])).toolchain)' "$1/toolchain.json"; }
if [ "$(versions "$artifacts")" = "$(versions "$work/fresh")" ]; then
  for name in "${names[@]}"; do
    if ! cmp -s "$artifacts/$name.so" "$work/fresh/$name.so"; then
      echo "DIFFERENT: $name.so is not what the source gives" >&2
      failed=1
    fi
  done
  proof="byte for byte what this source gives under $(versions "$artifacts")"
else
  echo "== other compiler versions than those of the committed programs: the program tests run against the fresh build"
  echo "   committed: $(versions "$artifacts")"
  echo "   here:      $(versions "$work/fresh")"
  (cd "$root/.." && GTX_ARTIFACTS="$work/fresh" npx vitest run programs/tests) || failed=1
  proof="not compared by bytes, since the compiler differs; the same IDLs, and every program test passes on a fresh build"
fi
[ "$failed" = 0 ] || exit 1
echo "PROVED: programs/artifacts is $proof."
