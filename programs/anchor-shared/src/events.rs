use anchor_lang::{bytemuck::Pod, prelude::*, Event};

/// Logs an event as `emit!` does, from the stack instead of the heap.
#[inline(always)]
pub fn log_event<E: Event + Pod>(event: E) {
    #[repr(C)]
    struct Logged<E> {
        discriminator: [u8; 8],
        event: E,
    }
    let mut discriminator = [0; 8];
    discriminator.copy_from_slice(E::DISCRIMINATOR);
    let logged = Logged { discriminator, event };
    // SAFETY: both fields are plain bytes, and eight bytes before a type aligned to at most eight leave no padding.
    let bytes = unsafe { core::slice::from_raw_parts((&raw const logged).cast::<u8>(), 8 + size_of::<E>()) };
    sol_log_data(&[bytes]);
}
