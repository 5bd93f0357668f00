use {alloc::string::String, anchor_lang::prelude::*};

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
