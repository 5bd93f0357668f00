#!/usr/bin/env bash
# build.sh PROGRAM OUT: compiles one program of this workspace (`registry`, `energy-token`, ...) to sBPF v0 and writes
# OUT. One program per call: compiled together, cargo would unify their features, and energy-token with the features
# that the registry asks of it has no entrypoint. GTX_TARGET_DIR moves cargo's intermediate files.
set -euo pipefail
program="$1"
out="$(realpath -m "$2")"
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/toolchain.sh
root="$PWD"
target="${GTX_TARGET_DIR:-$root/target}"
mkdir -p "$target"
target="$(cd "$target" && pwd)"

# The linker makes every symbol that is not named here internal, undefined ones included, and would then drop their
# arguments: each syscall is named, beside the entrypoint and the memory functions of sbf-shim.
symbols=(
  entrypoint abort memcpy memmove memset memcmp
  sol_panic_ sol_log_ sol_log_64_ sol_log_compute_units_ sol_log_pubkey sol_log_data
  sol_create_program_address sol_try_find_program_address
  sol_sha256 sol_keccak256 sol_blake3 sol_secp256k1_recover sol_curve_validate_point sol_curve_group_op
  sol_get_clock_sysvar sol_get_epoch_schedule_sysvar sol_get_rent_sysvar sol_get_last_restart_slot sol_get_sysvar
  sol_memcpy_ sol_memmove_ sol_memset_ sol_memcmp_
  sol_invoke_signed_c sol_invoke_signed_rust sol_set_return_data sol_get_return_data
  sol_get_stack_height sol_get_processed_sibling_instruction sol_remaining_compute_units
)
exports="$(IFS=,; echo "${symbols[*]}")"

flags=(
  -Crelocation-model=static
  -Ctarget-cpu=v2
  -Clink-arg=--arch=v0
  -Clink-arg=--deploy=false
  -Clink-arg=--llvm-args=--bpf-stack-size=4096
  -Clink-arg=--disable-memory-builtins
  -Clink-arg=--disable-math-builtins
  "-Clink-arg=--export=$exports"
  # std knows no `target_os = "solana"`. The target file says zkvm, whose std is single-threaded and inert, and
  # crates see Solana through these cfgs; the odd architecture only gives std's allocator a minimum alignment.
  --cfg sbf_shim
  --cfg 'target_os="solana"'
  --cfg 'target_arch="csky"'
  -Aexplicit_builtin_cfgs_in_flags
  # The same bytes from every checkout.
  "--remap-path-prefix=$root=programs"
  "--remap-path-prefix=$target=target"
  "--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo"
)
encoded=""
for flag in "${flags[@]}"; do encoded+="${encoded:+$'\x1f'}$flag"; done

export CARGO_ENCODED_RUSTFLAGS="$encoded"
export CARGO_TARGET_SBPF_SOLANA_LINKER="$root/scripts/link.sh"
export CARGO_PROFILE_RELEASE_PANIC=immediate-abort
export RUSTC_BOOTSTRAP=1 RUSTC_BOOTSTRAP_SYNTHETIC_TARGET=1
export GTX_LLVM_BIN="$LLVM_BIN" GTX_SBPF_LINKER="$SBPF_LINKER"
"$CARGO" build --release --locked --package "$program" --target "$root/scripts/sbpf-solana.json" \
  --target-dir "$target/sbf" -Zjson-target-spec -Zpanic-immediate-abort -Zunstable-options \
  -Zbuild-std=core,alloc,std,panic_abort -Zbuild-std-features=
mkdir -p "$(dirname "$out")"
cp "$target/sbf/sbpf-solana/release/lib${program//-/_}.so" "$out"
