# Sourced by the other scripts: where the tools are and which versions the committed programs were built with.
# Debian's own packages; rustup's toolchains lack the sources of std and are never used here.
RUSTC=/usr/bin/rustc
CARGO=/usr/bin/cargo
LLVM_MAJOR=22
LLVM_BIN="/usr/lib/llvm-${LLVM_MAJOR}/bin"
SBPF_LINKER_VERSION=0.2.6
SBF_TOOLS="${SBF_TOOLS:-$HOME/.cache/sbf-tools}"
SBPF_LINKER="$SBF_TOOLS/bin/sbpf-linker"
export RUSTC

# The packages that are programs, in the order in which they are built.
PROGRAMS=(registry energy-token trading oracle certificates governance)

# Prints the versions on which a program's bytes depend, as one line of JSON.
toolchain_json() {
  printf '{"rustc":"%s","llvm":"%s","sbpf-linker":"%s"}\n' \
    "$("$RUSTC" --version | cut -d' ' -f2)" \
    "$("$LLVM_BIN/llvm-config" --version)" \
    "$(sed -n 's/^"sbpf-linker \([0-9.]*\) .*/\1/p' "$SBF_TOOLS/.crates.toml")"
}
