use {
    alloc::string::String,
    anchor_lang::{bytemuck, prelude::*, Event},
};

/// GRID came into being for a meter's settled production.
#[event(bytemuck)]
pub struct ProductionMinted {
    pub meter: Address,
    pub owner_token_account: Address,
    pub amount: u64,
    pub total_minted: u64,
}

/// A holder destroyed GRID.
#[event(bytemuck)]
pub struct TokensBurned {
    pub owner: Address,
    pub token_account: Address,
    pub amount: u64,
    pub total_burned: u64,
}

/// A meter's owner destroyed GRID as energy consumed there. Counts as burned too.
#[event(bytemuck)]
pub struct EnergyRetired {
    pub meter: Address,
    pub owner: Address,
    pub token_account: Address,
    pub amount: u64,
    pub total_burned: u64,
    pub total_retired: u64,
}

/// What wallets are shown about GRID changed.
#[event]
pub struct MetadataUpdated {
    pub mint: Address,
    pub uri: String,
    pub authority: Address,
}

/// Logs an event as `emit!` does, from the stack instead of the heap.
#[inline(always)]
pub(crate) fn log_event<E: Event + bytemuck::Pod>(event: E) {
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
