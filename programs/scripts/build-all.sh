#!/usr/bin/env bash
# build-all.sh [OUT]: compiles both programs and their IDLs into OUT (default: artifacts/, which is committed) and
# writes there, in toolchain.json, which versions did it and what came out. GTX_REGISTRY_ID and GTX_ENERGY_TOKEN_ID
# build for other program ids; GTX_TARGET_DIR moves cargo's intermediate files.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
out="$(realpath -m "${1:-$here/../artifacts}")"
"$here/install-toolchain.sh" >/dev/null
. "$here/toolchain.sh"
mkdir -p "$out"
for program in registry energy-token; do
  name="${program//-/_}"
  "$here/build.sh" "$program" "$out/$name.so"
  node "$here/idl.mjs" "$program" "$out/$name.idl.json"
done

versions="$(toolchain_json)"
node - "$out" "$versions" <<'JS'
const { createHash } = require('node:crypto');
const { readFileSync, writeFileSync } = require('node:fs');
const [out, versions] = process.argv.slice(2);
const names = ['energy_token.so', 'energy_token.idl.json', 'registry.so', 'registry.idl.json'];
const sha256 = Object.fromEntries(
  names.map((name) => [name, createHash('sha256').update(readFileSync(`${out}/${name}`)).digest('hex')]),
);
writeFileSync(`${out}/toolchain.json`, `${JSON.stringify({ toolchain: JSON.parse(versions), sha256 }, null, 2)}\n`);
JS
echo "built into $out:"
cat "$out/toolchain.json"
