use {crate::Meter, anchor_lang::prelude::*};

#[derive(Accounts)]
pub struct GetUnsettledBalance {
    pub meter: Account<Meter>,
}

impl GetUnsettledBalance {
    pub fn run(ctx: &mut Context<Self>) -> Result<u64> {
        Ok(ctx.accounts.meter.unsettled().0)
    }
}
