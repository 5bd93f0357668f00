#!/usr/bin/env bash
# Installs the compiler for the programs on Debian 12, from package registries alone: rustc 1.96 with the sources of
# std, LLVM 22, and sbpf-linker compiled against that LLVM (some two minutes on two cores). Does nothing when all of
# it is there. Needs root for apt-get; GTX_SUDO=sudo runs apt-get through sudo.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. ./toolchain.sh

packages=(rustc-web cargo-web rust-web-src "llvm-${LLVM_MAJOR}-dev" "llvm-${LLVM_MAJOR}" gcc libc6-dev)
missing=()
for package in "${packages[@]}"; do
  dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
done
if [ "${#missing[@]}" -gt 0 ]; then
  echo "installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  ${GTX_SUDO:-} apt-get update -qq
  ${GTX_SUDO:-} apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi

if ! "$SBPF_LINKER" --help >/dev/null 2>&1; then
  echo "compiling sbpf-linker $SBPF_LINKER_VERSION against LLVM $LLVM_MAJOR"
  # Its LLVM bindings find the library by this variable; the rpath lets the binary find it at run time.
  env "LLVM_SYS_${LLVM_MAJOR}1_PREFIX=/usr/lib/llvm-$LLVM_MAJOR" \
    "RUSTFLAGS=-L/usr/lib/llvm-$LLVM_MAJOR/lib -Clink-arg=-Wl,-rpath,/usr/lib/llvm-$LLVM_MAJOR/lib" \
    "$CARGO" install sbpf-linker --version "$SBPF_LINKER_VERSION" --locked \
    --no-default-features --features "bpf-linker/llvm-$LLVM_MAJOR" --root "$SBF_TOOLS"
fi
toolchain_json
