//! The few symbols that LLVM and std expect a platform to supply, as thin wrappers over Solana's syscalls.
//! Only builds by `scripts/build.sh` compile them (`--cfg sbf_shim`); Solana's own platform tools need none.
#![no_std]

#[cfg(sbf_shim)]
mod platform {
    unsafe extern "C" {
        fn abort() -> !;
        fn sol_memcmp_(left: *const u8, right: *const u8, bytes: u64, result: *mut i32);
        fn sol_memcpy_(to: *mut u8, from: *const u8, bytes: u64);
        fn sol_memmove_(to: *mut u8, from: *const u8, bytes: u64);
        fn sol_memset_(to: *mut u8, value: u8, bytes: u64);
    }

    // SAFETY (all four): the caller keeps C's contract for the function of the same name, and the syscall asks
    // for nothing more; the virtual machine itself checks each range.
    #[no_mangle]
    unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, bytes: usize) -> *mut u8 {
        sol_memcpy_(to, from, bytes as u64);
        to
    }

    #[no_mangle]
    unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, bytes: usize) -> *mut u8 {
        sol_memmove_(to, from, bytes as u64);
        to
    }

    #[no_mangle]
    unsafe extern "C" fn memset(to: *mut u8, value: i32, bytes: usize) -> *mut u8 {
        sol_memset_(to, value as u8, bytes as u64);
        to
    }

    #[no_mangle]
    unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, bytes: usize) -> i32 {
        let mut result = 0;
        sol_memcmp_(left, right, bytes as u64, &mut result);
        result
    }

    /// A Rust panic, since programs are built to abort at once.
    #[no_mangle]
    unsafe extern "C" fn __bpf_trap() -> ! {
        abort()
    }

    /// std's system allocator wants it; nothing calls it, because Anchor installs a bump allocator.
    #[no_mangle]
    unsafe extern "C" fn sys_alloc_aligned(_bytes: usize, _align: usize) -> *mut u8 {
        abort()
    }
}
