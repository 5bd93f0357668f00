#!/usr/bin/env bash
# build-all.sh [OUT [PROGRAM...]]: compiles the programs (all of them, or those named) and their IDLs into OUT (default:
# artifacts/, which is committed) and writes there, in toolchain.json, which versions did it and what came out.
# GTX_REGISTRY_ID, GTX_ENERGY_TOKEN_ID and so on build for other program ids; GTX_TARGET_DIR moves cargo's
# intermediate files.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
out="$(realpath -m "${1:-$here/../artifacts}")"
"$here/install-toolchain.sh" >/dev/null
. "$here/toolchain.sh"
mkdir -p "$out"
for program in "${@:2}"; do
  [[ " ${PROGRAMS[*]} " == *" $program "* ]] || { echo "no program $program: ${PROGRAMS[*]}" >&2; exit 1; }
done
chosen=("${@:2}")
[ "${#chosen[@]}" -gt 0 ] || chosen=("${PROGRAMS[@]}")
for program in "${chosen[@]}"; do
  name="${program//-/_}"
  "$here/build.sh" "$program" "$out/$name.so"
  node "$here/idl.mjs" "$program" "$out/$name.idl.json"
done

versions="$(toolchain_json)"
node - "$out" "$versions" <<'JS'
const { createHash } = require('node:crypto');
const { readdirSync, readFileSync, writeFileSync } = require('node:fs');
const [out, versions] = process.argv.slice(2);
const names = readdirSync(out).filter((name) => /\.(so|idl\.json)$/.test(name)).sort();
const sha256 = Object.fromEntries(
  names.map((name) => [name, createHash('sha256').update(readFileSync(`${out}/${name}`)).digest('hex')]),
);
writeFileSync(`${out}/toolchain.json`, `${JSON.stringify({ toolchain: JSON.parse(versions), sha256 }, null, 2)}\n`);
JS
echo "built into $out:"
cat "$out/toolchain.json"
